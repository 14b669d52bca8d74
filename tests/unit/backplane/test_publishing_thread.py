"""What a caller is told of a message that was sent twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tandem.backplane.errors import BrokerUnavailable, QueueFull, TandemError
from tandem.backplane.message import Message
from tandem.backplane.publishing_thread import Job, PublishingThread
from tandem.backplane.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.backplane.broker import BrokerConnection


class Connection:
    """The broker's end: breaks off so often, then refuses whatever comes."""

    is_trusted = True
    used_at = 0.0

    def __init__(self, breaks: int) -> None:
        self.breaks = breaks

    def publish(self, messages: Sequence[Message]) -> dict[str, TandemError]:
        """Take messages, or break off when they may have been taken."""
        self.breaks -= 1
        if self.breaks >= 0:
            raise BrokerUnavailable
        return {message.task_id: QueueFull("It is full.") for message in messages}

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(("breaks", "told"), [(0, QueueFull), (1, BrokerUnavailable)])
def test_what_may_have_been_taken_before_is_not_told_refused(
    monkeypatch: pytest.MonkeyPatch, breaks: int, told: type[TandemError]
) -> None:
    """Refused is certain: its record is taken back, and an earlier copy would run without one."""
    thread = PublishingThread(Settings(), lambda _connection: False)
    connection = Connection(breaks)

    def connected(_: PublishingThread) -> BrokerConnection:
        return connection  # type: ignore[return-value]  # as much of one as is needed

    monkeypatch.setattr(PublishingThread, "_connected", connected)

    async def outcome() -> type[BaseException]:
        loop = asyncio.get_running_loop()
        job = Job(Message("id", "ml", b"[]", {}, durable=True), loop, loop.create_future())
        await asyncio.to_thread(thread._settle, [job])
        with pytest.raises(TandemError) as error:
            await job.done
        return error.type

    assert asyncio.run(outcome()) is told
