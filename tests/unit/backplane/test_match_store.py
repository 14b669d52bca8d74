"""Upcoming matches: listed in one order, page by page, replaced all at once, under ids that stay."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
import redis

from tandem.backplane.errors import StoreUnavailable
from tandem.backplane.match_store import INDEX, MatchStore, match_id_of, match_key, publish_matches
from tandem.backplane.settings import Settings
from tandem.backplane.store import asynchronous_client, synchronous_client
from tandem.schemas.match import Match

TODAY = date(2026, 4, 25)


def match(days: int, home: str, away: str, match_id: int | None = None) -> Match:
    """One match `days` from today."""
    day = TODAY + timedelta(days)
    if match_id is None:
        match_id = match_id_of(day, home, away)
    features = {"home_elo": 1712.4, "neutral": False, "league": "E0", "rest": None}
    return Match(
        match_id=match_id, home_team=home, away_team=away, match_date=day, as_of=TODAY, features=features
    )


def listed(given: Settings, limit: int = 100, after: int | None = None, today: date = TODAY) -> list[Match]:
    """What `upcoming` gives."""

    async def ask() -> list[Match]:
        async with asynchronous_client(given.redis_url) as client:
            return await MatchStore(client).upcoming(today, limit, after)

    return asyncio.run(ask())


def ids(matches: Sequence[Match]) -> list[int]:
    """Their ids, in order."""
    return [one.match_id for one in matches]


def test_soonest_first_then_by_id(client: redis.Redis, given: Settings) -> None:
    """By number and not by text, and nothing of yesterday."""
    same_day = [match(1, "A", "B", number) for number in (9, 10, 200, 1000)]
    later, past = match(2, "C", "D", 1), match(-1, "E", "F", 2)
    publish_matches(client, [later, *reversed(same_day), past, match(0, "G", "H", 300)])
    assert ids(listed(given)) == [300, 9, 10, 200, 1000, 1]
    assert ids(listed(given, today=TODAY - timedelta(1))) == [2, 300, 9, 10, 200, 1000, 1]
    assert listed(given)[-1] == later


def test_pages_follow_one_another(client: redis.Redis, given: Settings) -> None:
    """Each begins after the last of the one before; none is left out, none comes twice."""
    matches = [match(day % 7, f"H{day}", f"A{day}") for day in range(50)]
    publish_matches(client, matches)
    pages: list[int] = []
    after = None
    while page := ids(listed(given, limit=7, after=after)):
        pages += page
        after = page[-1]
    assert pages == ids(listed(given))
    assert sorted(pages) == sorted(ids(matches))


def test_a_page_after_an_unknown_match_is_empty(client: redis.Redis, given: Settings) -> None:
    """Also when nothing is stored at all."""
    assert listed(given) == []
    publish_matches(client, [match(1, "A", "B", 1)])
    assert listed(given, after=7) == []
    assert listed(given, after=1) == []


def test_a_new_set_replaces_the_old_at_once(client: redis.Redis, given: Settings) -> None:
    """What is not in it any more is gone with its features; a reader sees the one or the other."""
    publish_matches(client, [match(1, "A", "B", 1), match(2, "C", "D", 2)])
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]
        publish_matches(client, [match(2, "C", "D", 2), match(3, "E", "F", 3)])
        client.echo("end")
        commands = []
        for heard in monitor.listen():
            if heard["command"].startswith("ECHO"):
                break
            commands.append(heard["command"].split(" ")[0])
    assert (commands.count("MULTI"), commands[-1]) == (1, "EXEC")
    assert not {"DEL", "SET", "ZADD"} & set(commands[: commands.index("MULTI")])
    assert ids(listed(given)) == [2, 3]
    assert client.exists(match_key(1)) == 0
    assert all(client.ttl(key) > 0 for key in [INDEX, match_key(2), match_key(3)])


def test_an_empty_set_is_a_set(client: redis.Redis, given: Settings) -> None:
    """The season is over."""
    publish_matches(client, [match(1, "A", "B", 1)])
    publish_matches(client, [])
    assert listed(given) == []
    assert client.keys("tandem:match*") == []


def test_two_matches_under_one_id_are_refused(client: redis.Redis, given: Settings) -> None:
    """And what was there stays."""
    publish_matches(client, [match(1, "A", "B", 1)])
    with pytest.raises(ValueError, match="share one match_id"):
        publish_matches(client, [match(1, "A", "B", 5), match(1, "C", "D", 5)])
    assert ids(listed(given)) == [1]


def test_ids_are_stable_and_of_nine_digits_at_most() -> None:
    """The same match has the same id in every process and every version: this one is written down."""
    known = match_id_of(date(2026, 4, 25), "Arsenal", "Chelsea")
    assert known == match_id_of(date(2026, 4, 25), " arsenal", "CHELSEA ")
    assert known == 834_533_072
    assert known != match_id_of(date(2026, 4, 25), "Chelsea", "Arsenal")
    assert known != match_id_of(date(2026, 4, 26), "Arsenal", "Chelsea")
    assert all(0 <= match_id_of(TODAY, f"H{number}", "A") < 10**9 for number in range(1000))


def test_one_match_or_none(client: redis.Redis, given: Settings) -> None:
    """With its features as they were written, of every kind."""
    stored = match(1, "A", "B")
    publish_matches(client, [stored])

    async def ask(match_id: int) -> Match | None:
        async with asynchronous_client(given.redis_url) as connected:
            return await MatchStore(connected).get(match_id)

    assert asyncio.run(ask(stored.match_id)) == stored
    assert asyncio.run(ask(7)) is None


def test_a_store_that_is_away_is_said_so() -> None:
    """Readers and writers alike."""
    nowhere = "redis://127.0.0.1:1/0"
    with pytest.raises(StoreUnavailable):
        listed(Settings(redis_url=nowhere))
    with synchronous_client(nowhere) as client, pytest.raises(StoreUnavailable):
        publish_matches(client, [])
