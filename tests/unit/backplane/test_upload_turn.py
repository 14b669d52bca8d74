"""Uploads are read one after another; who waits for that is answered in bounded time."""

from __future__ import annotations

import asyncio

import pytest

from tandem.backplane import upload_turn
from tandem.backplane.errors import PayloadsUnavailable
from tandem.backplane.upload_turn import UploadTurn


def test_one_has_the_turn_at_a_time() -> None:
    """In the order in which they came, and a fault of one's own upload is not another's."""

    async def main() -> list[int]:
        turn, seen = UploadTurn(), list[int]()

        async def take(number: int) -> None:
            async with turn.taken():
                seen.append(number)
                await asyncio.sleep(0)
                seen.append(number)
                if number == 1:
                    raise ValueError

        outcomes = await asyncio.gather(*map(take, range(4)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None), type(None)]
        return seen

    assert asyncio.run(main()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_turn_that_does_not_come_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever gave up is not in the way of the next."""
    monkeypatch.setattr(upload_turn, "WAIT_SECONDS", 0.01)

    async def main() -> None:
        turn = UploadTurn()
        async with turn.taken():
            with pytest.raises(PayloadsUnavailable, match="Other uploads"):
                async with turn.taken():
                    pass
        async with turn.taken():
            pass

    asyncio.run(main())


def test_who_waited_for_a_bucket_that_is_away_does_not_ask_it_again() -> None:
    """Those who come afterwards do."""

    async def main() -> list[str]:
        turn, asked = UploadTurn(), list[str]()

        async def take(name: str) -> None:
            async with turn.taken():
                asked.append(name)
                await asyncio.sleep(0.01)
                raise PayloadsUnavailable

        outcomes = await asyncio.gather(*map(take, ["first", "waited", "waited too"]), return_exceptions=True)
        assert all(isinstance(outcome, PayloadsUnavailable) for outcome in outcomes)
        with pytest.raises(PayloadsUnavailable):
            await take("later")
        return asked

    assert asyncio.run(main()) == ["first", "later"]
