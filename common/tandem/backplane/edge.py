"""What a function is wired to: one set of adapters per process and event loop, made on first use."""

import asyncio
import os
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import redis.asyncio
from starlette.types import Scope

from tandem.backplane.callers import caller_of
from tandem.backplane.claim_check import ClaimCheck
from tandem.backplane.match_store import MatchStore
from tandem.backplane.model_cards import ModelCatalog
from tandem.backplane.publisher import Publisher
from tandem.backplane.replies import Replies
from tandem.backplane.settings import Settings, settings
from tandem.backplane.store import asynchronous_client, listening_client
from tandem.backplane.task_store import TaskStore
from tandem.backplane.upload_turn import UploadTurn


@dataclass(frozen=True)
class Edge:
    """The adapters of one event loop; `close` ends what they own."""

    settings: Settings
    client: redis.asyncio.Redis
    tasks: TaskStore
    matches: MatchStore
    catalog: ModelCatalog
    publisher: Publisher
    replies: Replies
    claim_check: ClaimCheck
    upload_turn: UploadTurn

    def caller(self, scope: Scope) -> str:
        """Whoever made the request in `scope`."""
        return caller_of(scope, behind_gateway=self.settings.behind_gateway)

    async def close(self) -> None:
        """Stop waiting and publishing, and close every connection."""
        await self.replies.close()
        await asyncio.to_thread(self.publisher.close)
        await asyncio.to_thread(self.claim_check.close)
        await self.client.aclose()


def wire(given: Settings) -> Edge:
    """Adapters for the running event loop; the caller closes them."""
    client = asynchronous_client(given.redis_url)
    tasks = TaskStore(client, given)
    return Edge(
        settings=given,
        client=client,
        tasks=tasks,
        matches=MatchStore(client),
        catalog=ModelCatalog(client),
        publisher=Publisher(given),
        replies=Replies(listening_client(given.redis_url), tasks),
        claim_check=ClaimCheck(given.payload_bucket),
        upload_turn=UploadTurn(),
    )


_edges: "WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, Edge]]" = WeakKeyDictionary()


def edge() -> Edge:
    """The adapters of the running event loop in this process (a forked child gets its own)."""
    loop = asyncio.get_running_loop()
    known = _edges.get(loop)
    if known is None or known[0] != os.getpid():
        _end_publishers_of_closed_loops()
        known = (os.getpid(), wire(settings()))
        _edges[loop] = known
    return known[1]


def _end_publishers_of_closed_loops() -> None:
    # Whoever closes a loop without `close_edge` leaves a thread behind; the rest cannot be closed any more.
    for reference in _edges.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            _edges.pop(loop)[1].publisher.close()


async def close_edge() -> None:
    """Close the adapters of the running event loop, if there are any."""
    known = _edges.pop(asyncio.get_running_loop(), None)
    if known is not None:
        await known[1].close()
