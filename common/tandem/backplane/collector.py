"""Python's garbage collector rests while a function is imported: a module for importing before all others.

Nearly all that importing makes is kept for good, and Python would look through it some hundred times, at last
through all of it: a tenth of a cold start. Later it would do so again, at any request.
"""

import gc

gc.disable()


def collect_again() -> None:
    """For the end of a function's module: collect from here on, and leave what is there by now alone."""
    gc.freeze()
    gc.enable()
