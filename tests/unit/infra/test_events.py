"""The sample events are what API Gateway sends for the routes of the template."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.cloudformation import ROOT, functions, routes

FILES = sorted((ROOT / "infra" / "events").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    """One event."""
    event: dict[str, Any] = json.loads(path.read_text())
    return event


def known_routes() -> dict[str, str]:
    """The function behind each route key."""
    return {
        f"{method} {path}": name
        for name, properties in functions().items()
        for method, path in routes(properties)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_event_takes_a_route_of_its_function(path: Path) -> None:
    """Route key, path, method and path parameters say the same, and the file is named for its function."""
    event = read(path)
    http = event["requestContext"]["http"]
    method, route = event["routeKey"].split(" ")
    name = known_routes()[event["routeKey"]]
    kebab = "".join(f"-{c.lower()}" if c.isupper() else c for c in name.removesuffix("Function")).lstrip("-")
    asked_first = event.get("type") == "REQUEST"  # the authorizer's event, of any function's route
    assert path.stem.startswith("authorizer" if asked_first else kebab)
    assert event["version"] == "2.0"
    assert event["requestContext"]["routeKey"] == event["routeKey"]
    assert (http["method"], http["path"]) == (method, event["rawPath"])
    assert event["rawPath"] == route.format(**event.get("pathParameters", {}))


def test_every_route_has_an_event() -> None:
    """Whoever wants to try a route by hand finds an event to begin with; either form of the path will do."""
    tried = {read(path)["routeKey"].rstrip("/") for path in FILES}
    assert tried == {route.rstrip("/") for route in known_routes()}
