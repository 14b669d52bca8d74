"""What an operator asks: how much waits in which queue, who takes it, who lives and with which models."""

from tandem.backplane.light_start import collect_again

import asyncio

from tandem.backplane.edge import edge
from tandem.backplane.health import add_health_routes
from tandem.backplane.http import create_app, route
from tandem.backplane.lambda_handler import mangum_handler
from tandem.backplane.queue_depths import read_queues
from tandem.schemas.model_card import WorkerHeartbeat
from tandem.schemas.operations import QueuesAnswer, WorkerModel, WorkersAnswer, WorkerStatus
from tandem.schemas.task_answer import rfc3339

app = create_app("Tandem: operations", "What an operator asks.")
handler = mangum_handler(app)


@route(app, "GET", "/monitoring/celery/queues", response_model=QueuesAnswer, tags=["operations"])
async def queues() -> QueuesAnswer:
    """Depth and consumers of each queue, what waits to be tried again, and the dead letters."""
    return await asyncio.to_thread(read_queues, edge().settings)


@route(app, "GET", "/monitoring/celery/workers", response_model=WorkersAnswer, tags=["operations"])
async def workers() -> WorkersAnswer:
    """The live workers, each with the models and versions in its memory."""
    catalog = await edge().catalog.read()
    beats = sorted(catalog.workers, key=lambda beat: beat.node)
    return WorkersAnswer(workers=[_status(beat) for beat in beats])


def _status(beat: WorkerHeartbeat) -> WorkerStatus:
    models = []
    for name, version in sorted(beat.models.items()):
        model_name, _, alias = name.rpartition("@")
        models.append(WorkerModel(model_name=model_name, alias=alias, model_version=version))
    return WorkerStatus(
        node=beat.node,
        pool=beat.pool,
        concurrency=beat.concurrency,
        models=models,
        seen_at=rfc3339(beat.seen_ms),
    )


add_health_routes(app)
collect_again()
