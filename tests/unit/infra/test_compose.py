"""compose.yaml keeps its promises for every service, also for those added later."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tandem.backplane.settings import Settings
from tests.unit.infra.cloudformation import ROOT
from worker.celery_config import SOFT_SHUTDOWN_SECONDS

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NOT_SETTINGS = re.compile(
    r"API_KEYS|PGPASSWORD|(RABBITMQ|POSTGRES|MLFLOW|AWS)_\w+|MODEL_BUCKET|GIT_PYTHON_REFRESH|\w+_URL"
)


def dockerfile(service: dict[str, Any]) -> str:
    """The text of the Dockerfile of a service that is built here."""
    path: str = service["build"]["dockerfile"]
    return (ROOT / path).read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_confined(name: str) -> None:
    """Memory and log are bounded, only volumes and /tmp can be written to, and no privilege is gained."""
    service = SERVICES[name]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "mem_limit" in service
    assert "max-size" in service["logging"]["options"]
    assert service["restart"] in {"unless-stopped", "no"}


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service["restart"] != "no"])
def test_every_service_that_stays_has_a_health_check(name: str) -> None:
    """In compose.yaml, or in its Dockerfile; and it is given time to stop in order."""
    service = SERVICES[name]
    assert "healthcheck" in service or "HEALTHCHECK" in dockerfile(service)
    assert "stop_grace_period" in service


def seconds(text: str) -> float:
    """A duration of compose's."""
    return float(text.removesuffix("s"))


@pytest.mark.parametrize("name", ["predict-sync", "predict-async", "task-status", "gateway"])
def test_a_stop_ends_no_request_half_way(name: str) -> None:
    """Whoever waits is answered before the server gives up, and the server gives up before it is killed."""
    grace = re.search(r"--timeout-graceful-shutdown\D*(\d+)", dockerfile(SERVICES[name]))
    assert grace
    longest = Settings.model_fields["sync_timeout_seconds"].default
    assert longest < float(grace[1]) < seconds(SERVICES[name]["stop_grace_period"])


def test_a_stop_ends_no_task_half_way() -> None:
    """The worker has the time that its own soft shutdown takes."""
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > SOFT_SHUTDOWN_SECONDS


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_runs_as_root(name: str) -> None:
    """The user is named by compose.yaml or by the Dockerfile's last stage."""
    service = SERVICES[name]
    if "build" in service:
        last_stage = dockerfile(service).rpartition("\nFROM ")[2]
        assert re.search(r"^USER (?!root|0)", last_stage, re.MULTILINE)
    else:
        assert service["user"] not in {"root", "0"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_known(name: str) -> None:
    """A misspelt variable would silently leave its setting at the default."""
    known = {field.upper() for field in Settings.model_fields}
    unknown = set(SERVICES[name].get("environment", {})) - known
    assert {variable for variable in unknown if not NOT_SETTINGS.fullmatch(variable)} == set()


def test_every_setting_can_be_given_to_the_processes_it_concerns() -> None:
    """A new setting that compose.yaml does not pass on could not be set there at all."""
    known = {field.upper() for field in Settings.model_fields}
    assert set(SERVICES["worker"]["environment"]) >= known
    assert set(SERVICES["task-status"]["environment"]) >= known - {"MLFLOW_TRACKING_URI", "SERVED_MODELS"}


def test_nothing_listens_to_the_outside() -> None:
    """Every published port is bound to the loopback address, for there is no authentication here."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_function_has_its_container() -> None:
    """And the gateway knows where; the authorizer's part is the gateway's own."""
    folders = {path.parent.name for path in ROOT.glob("functions/*/app.py")} - {"authorizer"}
    built = {
        name: service["build"].get("args", {}).get("FUNCTION")
        for name, service in SERVICES.items()
        if "build" in service
    }
    assert set(built.values()) - {None} == folders
    for folder in folders:
        address = SERVICES["gateway"]["environment"][f"{folder.upper()}_URL"]
        assert built[address.removeprefix("http://").removesuffix(":8000")] == folder


def test_profiles_add_to_what_runs_without_them() -> None:
    """Nothing that `docker compose up` starts waits for a service that only a profile has."""
    plain = {name for name, service in SERVICES.items() if "profiles" not in service}
    for name in plain:
        assert set(SERVICES[name].get("depends_on", {})) <= plain


def test_prometheus_names_runbooks_that_are_there() -> None:
    """Whoever is woken by an alert finds what to do."""
    alerts = yaml.safe_load((ROOT / "infra/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/07-aws.md").read_text(), re.MULTILINE)
    anchors = {"docs/07-aws.md#" + heading.lower().replace(" ", "-") for heading in headings}
    assert {alert["annotations"]["runbook"] for alert in alerts} <= anchors


DOCKERFILES = sorted(path for path in ROOT.rglob("*Dockerfile") if ".venv" not in path.parts)


def test_every_dockerfile_is_one_of_compose() -> None:
    """What is never built here would be found broken by whoever deploys it."""
    built = {ROOT / service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
    assert set(DOCKERFILES) == built


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dockerfile_needs_nothing_but_the_base_image(path: Path) -> None:
    """One public base image, no frontend to be fetched; packages as locked, or of one Debian."""
    text = path.read_text()
    own_stages = set(re.findall(r"^FROM \S+ AS (\w+)", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - own_stages
    assert "# syntax" not in text
    if bases != {"debian:trixie-slim"}:
        assert bases == {"python:3.13-slim"}
        assert "--frozen" in text
        assert not re.search(r"pip install .*\w==\d", text), "a version that the lock does not know"
