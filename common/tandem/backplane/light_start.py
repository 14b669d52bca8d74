"""What makes a function start and run lighter: a module for importing before all others.

**Garbage.** Nearly all that importing makes is kept for good. Python would look through it some hundred times
meanwhile, at last through all of it, which is a tenth of a cold start; and then again and again: a gateway
under load once a second, for 60 ms in which all its callers waited.

**FastAPI's own models** describe OpenAPI. Nobody asks a function that starts for its document, and pydantic
builds them when somebody does.
"""

import gc

gc.disable()

from pydantic import BaseModel  # noqa: E402

BaseModel.model_config["defer_build"] = True
try:
    import fastapi  # noqa: F401
finally:
    del BaseModel.model_config["defer_build"]

OLDEST = 1_000
"""Of how many collections of what is younger one looks through the oldest, too; Python's own is 10."""


def collect_again() -> None:
    """For the end of a function's module: what is there by now counts as old, what comes is collected."""
    gc.freeze()
    gc.unfreeze()  # to the oldest generation; without the two, all of it would be looked through as new
    gc.set_threshold(*gc.get_threshold()[:2], OLDEST)
    gc.enable()
