"""Upcoming matches and their features: JSON in Redis, written by the models, read by the functions."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import redis
import redis.asyncio

from tandem.backplane.store import store_errors
from tandem.schemas.match import Match

INDEX = "tandem:matches"
TTL_SECONDS = 400 * 24 * 3600
"""A season and a bit: features that nobody has refreshed by then are refused for their age long before."""

READ_AT_ONCE = 500
"""Matches of one command: Redis does nothing else meanwhile."""


def match_key(match_id: int) -> str:
    """The key of one match."""
    return f"tandem:match:{match_id}"


def match_id_of(match_date: date, home_team: str, away_team: str) -> int:
    """Make the stable nine-digit id of a match from its date and teams."""
    text = f"{match_date.isoformat()}|{home_team.strip().casefold()}|{away_team.strip().casefold()}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10**9


def publish_matches(client: redis.Redis, matches: Sequence[Match]) -> None:
    """Replace the set of upcoming matches in one transaction; raises ValueError where two share an id."""
    if len({match.match_id for match in matches}) != len(matches):
        raise ValueError("two matches share one match_id")
    with store_errors():
        members: list[Any] = client.zrange(INDEX, 0, -1)
        before = {int(member) for member in members}
        pipeline = client.pipeline(transaction=True)
        for gone in before - {match.match_id for match in matches}:
            pipeline.delete(match_key(gone))
        pipeline.delete(INDEX)
        for match in matches:
            pipeline.set(match_key(match.match_id), match.model_dump_json(), ex=TTL_SECONDS)
            pipeline.zadd(INDEX, {str(match.match_id): match.match_date.toordinal()})
        pipeline.expire(INDEX, TTL_SECONDS)
        pipeline.execute()


class MatchStore:
    """Matches as the functions read them. Raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client

    async def get(self, match_id: int) -> Match | None:
        """One match with its features, or None."""
        with store_errors():
            text = await self._client.get(match_key(match_id))
        return None if text is None else Match.model_validate_json(text)

    async def get_many(self, match_ids: Iterable[int]) -> dict[int, Match]:
        """Those of the matches that are stored, by id."""
        wanted = list(dict.fromkeys(match_ids))
        found = {}
        for start in range(0, len(wanted), READ_AT_ONCE):
            some = wanted[start : start + READ_AT_ONCE]
            with store_errors():
                texts = await self._client.mget([match_key(match_id) for match_id in some])
            for match_id, text in zip(some, texts, strict=True):
                if text is not None:
                    found[match_id] = Match.model_validate_json(text)
        return found

    async def upcoming(self, today: date, limit: int, after: int | None = None) -> list[Match]:
        """Matches on `today` or later, soonest first (then by id); with `after`, those that follow it.

        An `after` that is not (or no longer) stored gives an empty list.
        """
        with store_errors():
            members: Any = await self._client.zrangebyscore(INDEX, today.toordinal(), "+inf", withscores=True)
            order = [int(member) for member, _ in sorted(members, key=lambda pair: (pair[1], int(pair[0])))]
            if after is not None:
                order = order[order.index(after) + 1 :] if after in order else []
            wanted = order[:limit]
            texts = await self._client.mget([match_key(match_id) for match_id in wanted]) if wanted else []
        return [Match.model_validate_json(text) for text in texts if text is not None]
