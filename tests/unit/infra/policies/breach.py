"""Breaking a template in memory, to see whether a policy tells."""

import copy
from collections.abc import Callable
from typing import Any

from tests.unit.infra.cloudformation import Resources

Policy = Callable[[Resources], list[str]]
Place = tuple[str | int, ...]

ABSENT = object()
PROPERTIES = "Properties"
STATEMENT: Place = (PROPERTIES, "Policies", 0, "PolicyDocument", "Statement", 0)
CONTAINER: Place = (PROPERTIES, "ContainerDefinitions", 0)


def broken(resources: Resources, place: Place, value: Any) -> Resources:
    """A copy in which the value at a place is another, or gone."""
    whole: Any = copy.deepcopy(resources)
    below = whole
    for step in place[:-1]:
        below = below[step]
    if value is ABSENT:
        del below[place[-1]]
    else:
        below[place[-1]] = value
    return dict(whole)
