"""Every row there is, in the order in which they are run."""

from tests.faults.rows_broker import BROKER_ROWS
from tests.faults.rows_callers import CALLER_ROWS
from tests.faults.rows_models import MODEL_ROWS
from tests.faults.rows_network import NETWORK_ROWS
from tests.faults.rows_store import STORE_ROWS
from tests.faults.rows_worker import WORKER_ROWS

ROWS = {
    row.name: row
    for row in [*WORKER_ROWS, *BROKER_ROWS, *NETWORK_ROWS, *STORE_ROWS, *CALLER_ROWS, *MODEL_ROWS]
}
