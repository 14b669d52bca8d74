"""The application's templates and the code that they deploy agree."""

import importlib
import re
import tomllib
from collections import Counter
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from tandem.backplane.bulk import LEAST_ROWS
from tandem.backplane.callers import read_api_keys
from tandem.backplane.errors import NotAuthenticated
from tandem.backplane.settings import Settings
from tests.unit.infra.cloudformation import ROOT, application, functions, of_type, routes, template

HEALTH = {"/health/live", "/health/ready", "/healthcheck"}
FOLDERS = {
    "PredictSyncFunction": "predict_sync",
    "PredictAsyncFunction": "predict_async",
    "TaskStatusFunction": "task_status",
    "OperationsFunction": "operations",
    "UploadsFunction": "uploads",
}
SETTINGS = {field.upper() for field in Settings.model_fields}


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


def test_each_function_is_its_folder() -> None:
    """Each logical id deploys its folder, whose app.py has the handler; no folder is left out."""
    deployed = {name: properties["CodeUri"] for name, properties in functions().items()}
    assert deployed == {name: f"../functions/{folder}" for name, folder in FOLDERS.items()}
    authorizer = template()["Resources"]["AuthorizerFunction"]["Properties"]
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == {*FOLDERS.values(), authorizer["Code"].removeprefix("../functions/")}
    for name, properties in functions().items():
        assert properties["Handler"] == "app.handler"
        assert callable(module_of(name).handler)


def test_the_authorizer_has_the_handler_that_is_named() -> None:
    """functions/authorizer/app.py, which is no HTTP application."""
    assert callable(importlib.import_module("functions.authorizer.app").handler)


def test_the_secret_of_keys_lets_nobody_in_at_first() -> None:
    """What the stack puts in is what the authorizer can read, and holds no key."""
    made = template()["Resources"]["ApiKeysSecret"]["Properties"]["SecretString"]
    with pytest.raises(NotAuthenticated):
        read_api_keys(made).caller("tandem_whatever")


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


def test_every_variable_of_a_function_is_known_to_the_code() -> None:
    """A misspelt variable would silently leave its setting at the default."""
    for name, function in of_type(application(), "AWS::Lambda::Function").items():
        assert set(function["Environment"]["Variables"]) <= SETTINGS, name


def test_every_variable_of_a_worker_is_a_setting() -> None:
    """And what a worker cannot do without is there."""
    (container,) = of_type(application(), "AWS::ECS::TaskDefinition")["WorkerTask"]["ContainerDefinitions"]
    given = {variable["Name"] for variable in [*container["Environment"], *container["Secrets"]]}
    assert given <= SETTINGS
    assert given >= {"BROKER_URL", "REDIS_URL", "MLFLOW_TRACKING_URI", "SERVED_MODELS", "MODEL_ALIAS"}


def test_function_and_worker_are_told_the_same() -> None:
    """A setting that both know must have one value, or a task is accepted for a model that nobody serves."""
    told = functions()["PredictSyncFunction"]["Environment"]["Variables"]
    (container,) = of_type(application(), "AWS::ECS::TaskDefinition")["WorkerTask"]["ContainerDefinitions"]
    handed_down = template()["Resources"]["Workers"]["Properties"]["Parameters"]
    for variable in container["Environment"]:
        if variable["Name"] in told:
            assert told[variable["Name"]] == handed_down[variable["Value"]["Ref"]], variable["Name"]


@pytest.mark.parametrize(
    ("resource", "name"), [("Workers", "workers.yaml"), ("Operations", "operations.yaml")]
)
def test_a_nested_stack_gets_its_parameters(resource: str, name: str) -> None:
    """No more and no fewer than it declares; else the whole deployment would be rolled back."""
    given = template()["Resources"][resource]["Properties"]
    assert given["TemplateURL"] == name
    assert set(given["Parameters"]) == set(template(name)["Parameters"])


def test_a_new_revision_publishes_every_function() -> None:
    """By itself SAM publishes no version for a parameter's new value, and the alias stays behind."""
    for name, properties in functions().items():
        assert properties["AutoPublishAlias"] == "live", name
        assert properties["AutoPublishCodeSha256"] == {"Ref": "Revision"}, name


def test_a_chunk_weighs_as_many_messages_as_it_has_rows_at_least() -> None:
    """Or a batch of 50,000 rows, which is 20 messages, would never call a second worker."""
    policy = template("workers.yaml")["Resources"]["BacklogScaling"]["Properties"]
    metrics = policy["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]["Metrics"]
    assert f"+{LEAST_ROWS}*(FILL(bulk_high,0)" in metrics[-1]["Expression"]


def test_the_api_is_throttled_and_keeps_an_access_log() -> None:
    """The stage is the default one, so that paths carry no prefix; it has limits and writes a log."""
    api = template()["Resources"]["Api"]["Properties"]
    assert api["StageName"] == "$default"
    assert api["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= api["DefaultRouteSettings"].keys()


def test_no_origin_is_allowed_but_those_that_are_named() -> None:
    """CORS knows no wildcard, neither by default nor by what the parameter takes."""
    origins = template()["Parameters"]["AllowedOrigins"]
    assert "*" not in origins["Default"]
    assert re.fullmatch(origins["AllowedPattern"], "https://a.example,https://b.example")
    assert re.fullmatch(origins["AllowedPattern"], "*") is None
    assert re.fullmatch(origins["AllowedPattern"], "https://*.example") is None


def test_a_page_may_ask_what_there_is_to_ask() -> None:
    """CORS lets through the methods of the routes, and the headers that the contract names."""
    cors = template()["Resources"]["Api"]["Properties"]["CorsConfiguration"]
    assert set(cors["AllowMethods"]) == {
        method for properties in functions().values() for method, _ in routes(properties)
    }
    contract = (ROOT / "docs" / "02-the-contract.md").read_text()
    assert "X-Api-Key" in cors["AllowHeaders"]
    for header in ("Prefer", "Idempotency-Key", "If-None-Match"):
        assert header in cors["AllowHeaders"]
        assert f"`{header}" in contract


@pytest.mark.parametrize("name", ["BrokerSecretArn", "StoreSecretArn"])
def test_an_address_with_credentials_is_a_secrets_name(name: str) -> None:
    """Whoever deploys gives the secret's name, for which there is no default; its value is no parameter."""
    parameter = template()["Parameters"][name]
    assert "Default" not in parameter
    assert re.fullmatch(parameter["AllowedPattern"], "amqps://user:word@host:5671//") is None


def test_every_parameter_is_told_of() -> None:
    """Whoever deploys finds each in the chapter's table."""
    chapter = (ROOT / "docs" / "07-aws.md").read_text()
    assert {name for name in template()["Parameters"] if f"`{name}`" not in chapter} == set()


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_each_stage_can_be_deployed_by_its_name(stage: str) -> None:
    """`sam deploy --config-env` finds it; the template knows the name, and nested stacks may expand."""
    given = tomllib.loads((ROOT / "samconfig.toml").read_text())[stage]["deploy"]["parameters"]
    assert given["stack_name"] == f"tandem-{stage}"
    assert {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"} == set(given["capabilities"].split())
    assert stage in template()["Parameters"]["Stage"]["AllowedValues"]
