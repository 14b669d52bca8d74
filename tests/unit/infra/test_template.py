"""The SAM template and the code that it deploys agree."""

import importlib
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tandem.backplane.settings import Settings
from tests.unit.infra.cloudformation import ROOT, TEMPLATE, functions, routes, template

API_SECONDS = 30
HEALTH = {"/health/live", "/health/ready", "/healthcheck"}
FOLDERS = {
    "PredictSyncFunction": "predict_sync",
    "PredictAsyncFunction": "predict_async",
    "TaskStatusFunction": "task_status",
}


def module_of(name: str) -> Any:
    """The module that a function's handler lies in."""
    return importlib.import_module(f"functions.{FOLDERS[name]}.app")


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything an app answers."""
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def both_forms(path: str) -> set[str]:
    """A path without and with its trailing slash."""
    return {path.rstrip("/"), path.rstrip("/") + "/"}


def test_the_three_functions_are_their_folders() -> None:
    """Each logical id deploys its folder, whose app.py has the handler that is named."""
    assert {name: p["CodeUri"] for name, p in functions().items()} == {
        name: f"../functions/{folder}" for name, folder in FOLDERS.items()
    }
    for name, properties in functions().items():
        file, _, attribute = properties["Handler"].partition(".")
        assert (ROOT / "functions" / FOLDERS[name] / f"{file}.py").is_file()
        assert callable(getattr(module_of(name), attribute))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_api_routes_to_a_function_what_the_function_answers(name: str) -> None:
    """No route is missing in the API and none leads to a 404; health is answered by one function for all."""
    answered = routes_of(module_of(name).app)
    if name != "TaskStatusFunction":
        answered = {(method, path) for method, path in answered if path.rstrip("/") not in HEALTH}
    assert set(routes(functions()[name])) == answered


def test_every_route_stands_once_in_each_form() -> None:
    """With and without the trailing slash, for the same method and function, and in no function twice."""
    count = Counter(route for properties in functions().values() for route in routes(properties))
    assert set(count.values()) == {1}
    for properties in functions().values():
        known = set(routes(properties))
        assert known == {(method, form) for method, path in known for form in both_forms(path)}


def test_the_timeouts_nest() -> None:
    """The application gives up before its function, and the function before the API."""
    for name, properties in functions().items():
        application = float(properties["Environment"]["Variables"]["SYNC_TIMEOUT_SECONDS"])
        assert API_SECONDS > properties["Timeout"] > application, name
        for event in properties["Events"].values():
            assert event["Properties"].get("TimeoutInMillis", API_SECONDS * 1000) == API_SECONDS * 1000


def test_every_variable_is_a_setting() -> None:
    """A misspelt variable would silently leave its setting at the default."""
    known = {field.upper() for field in Settings.model_fields}
    for properties in functions().values():
        assert set(properties["Environment"]["Variables"]) <= known


def test_no_function_and_no_log_is_without_a_limit() -> None:
    """Concurrency is reserved for each function, each has its own log group, and no log is kept for ever."""
    resources = template()["Resources"]
    log_groups = {name for name, r in resources.items() if r["Type"] == "AWS::Logs::LogGroup"}
    assert all("RetentionInDays" in resources[name]["Properties"] for name in log_groups)
    used = [properties["LoggingConfig"]["LogGroup"]["Ref"] for properties in functions().values()]
    assert len(set(used)) == len(FOLDERS)
    assert set(used) <= log_groups
    assert all(properties["ReservedConcurrentExecutions"] > 0 for properties in functions().values())


def test_the_api_is_throttled_and_keeps_an_access_log() -> None:
    """The stage is the default one, so that paths carry no prefix; it has limits and writes a log."""
    api = template()["Resources"]["Api"]["Properties"]
    assert api["StageName"] == "$default"
    assert api["AccessLogSettings"]["DestinationArn"] == {"GetAtt": "ApiLogs.Arn"}
    assert api["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert api["DefaultRouteSettings"]["ThrottlingBurstLimit"] > 0


def test_addresses_with_credentials_are_not_shown_and_have_no_default() -> None:
    """Broker and store come from whoever deploys, and no console shows them."""
    for name in ("BrokerUrl", "RedisUrl"):
        parameter = template()["Parameters"][name]
        assert parameter["NoEcho"] is True
        assert "Default" not in parameter


def test_the_template_lints() -> None:
    """cfn-lint finds nothing, warnings included."""
    cfn_lint = Path(sysconfig.get_path("scripts")) / "cfn-lint"
    done = subprocess.run([cfn_lint, TEMPLATE], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
