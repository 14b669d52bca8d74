"""Python's garbage collector leaves alone what a process imports: a module for importing before all others.

Nearly all that importing makes is kept for good. Python would look through it some hundred times meanwhile,
at last through all of it, which is a tenth of a cold start; and then again and again: a gateway under load
once a second, for 60 ms in which all its callers waited.
"""

import gc

gc.disable()


def collect_again() -> None:
    """For the end of importing: what is there by now is not looked at any more, what comes is collected."""
    gc.freeze()
    gc.enable()
