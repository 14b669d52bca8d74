"""Python's garbage collector rests while a function is imported: a module for importing before all others.

Nearly all that importing makes is kept for good, and Python would look through it some hundred times, at last
through all of it: a tenth of a cold start.
"""

import gc

gc.disable()


def collect_again() -> None:
    """For the end of a function's module: what is there by now counts as old, what comes is collected."""
    gc.freeze()
    gc.unfreeze()  # to the oldest generation; without the two, all of it would be looked through as new
    gc.enable()
