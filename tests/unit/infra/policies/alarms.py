"""Alarms lead somewhere, and what they and the scaling measure is there."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tandem.backplane.metrics import ERRORS, NAMESPACE, SOURCES, TIMEOUTS, embedded_metrics
from tandem.backplane.settings import Settings
from tandem.backplane.topology import BULK_QUEUES, DEAD, PREDICTION_QUEUES
from tests.unit.infra.cloudformation import ROOT, Resources, of_type

WORK = {*PREDICTION_QUEUES, *BULK_QUEUES}
MOST_METRICS = 10
RUNBOOK = re.compile(r"Runbook: docs/07-aws\.md#([a-z0-9-]+)$")


def anchors() -> set[str]:
    """The chapter's headings as links name them."""
    text = (ROOT / "docs" / "07-aws.md").read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def aimless_alarms(resources: Resources) -> list[str]:
    """Each alarm does something, and its description ends in a paragraph of the runbook that exists."""
    known = anchors()
    faults = []
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        paragraph = RUNBOOK.search(alarm.get("AlarmDescription", ""))
        if paragraph is None:
            faults.append(f"{name} names no runbook")
        elif paragraph[1] not in known:
            faults.append(f"{name} names {paragraph[1]}, which docs/07-aws.md has not")
        if not alarm.get("AlarmActions"):
            faults.append(f"{name} tells nobody")
        if "TreatMissingData" not in alarm:
            faults.append(f"{name} does not say what silence means")
    return faults


def _queues(value: Any) -> Iterator[str]:
    """Every queue that is a dimension of a metric below a value."""
    if isinstance(value, dict):
        if value.get("Name") == "Queue":
            yield value["Value"]
        for below in value.values():
            yield from _queues(below)
    elif isinstance(value, list):
        for below in value:
            yield from _queues(below)


def unknown_queues(resources: Resources) -> list[str]:
    """Each metric names a queue of the topology; what measures work measures every queue of work."""
    faults = []
    for name, one in resources.items():
        named = set(_queues(one))
        faults += [f"{name} measures {queue}" for queue in named - {*WORK, DEAD}]
        if named and named not in (WORK, {DEAD}):
            faults.append(f"{name} leaves out {sorted(WORK - named)}")
    return faults


def full_queues(resources: Resources) -> list[str]:
    """Somebody is told when the fullest queue holds half of what it may."""
    half = Settings.model_fields["queue_max_length"].default / 2
    told_at = resources["BacklogDepthAlarm"]["Properties"]["Threshold"]
    return [] if told_at == half else [f"told at {told_at}, not at {half:g}"]


def large_alarms(resources: Resources) -> list[str]:
    """CloudWatch takes ten metrics and expressions an alarm."""
    return [
        f"{name} has {len(alarm['Metrics'])}"
        for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items()
        if len(alarm.get("Metrics", [])) > MOST_METRICS
    ]


def unwatched_deployments(resources: Resources) -> list[str]:
    """Each deployment of a function is rolled back on an alarm, and goes by canary in production."""
    faults = []
    for name, group in of_type(resources, "AWS::CodeDeploy::DeploymentGroup").items():
        if not group.get("AlarmConfiguration", {}).get("Alarms"):
            faults.append(f"{name} is rolled back on no alarm")
        if "Canary" not in str(group["DeploymentConfigName"].get("Fn::If", [""])[1:2]):
            faults.append(f"{name} goes to everybody at once")
    functions = set(of_type(resources, "AWS::Lambda::Function")) - {"AuthorizerFunction"}
    return faults + [f"{name} has no alias" for name in functions if f"{name}Aliaslive" not in resources]


OWN_STATUSES = {500, 502, 503, 504}
"""What an answer of ours is where something of ours is at fault (docs/02-the-contract.md)."""
OF_EVERY_FUNCTION = {"DefectAlarm", "UnavailableAlarm"}


def _emitted() -> set[tuple[str, frozenset[str]]]:
    """Every metric that a function writes, with the names of its dimensions."""
    return {
        (metric["Name"], frozenset(dimensions))
        for method, route in [*SOURCES, ("GET", "/health/live")]
        for status in (200, *OWN_STATUSES)
        for written in embedded_metrics("f", method, route, status=status, seconds=1, now_ms=0)["_aws"][
            "CloudWatchMetrics"
        ]
        if written["Namespace"] == NAMESPACE
        for metric in written["Metrics"]
        for dimensions in written["Dimensions"]
    }


def _own_metrics(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and dimensions of every metric of our namespace below a value, a dashboard's too."""
    if isinstance(value, dict):
        if value.get("Namespace") == NAMESPACE:
            yield value["MetricName"], {one["Name"]: one["Value"] for one in value.get("Dimensions", [])}
        for below in value.values():
            yield from _own_metrics(below)
    elif isinstance(value, list):
        if value[:1] == [NAMESPACE]:
            yield value[1], dict(zip(value[2::2], value[3::2], strict=True))
        for below in value:
            yield from _own_metrics(below)
    elif isinstance(value, str) and value.startswith('{"widgets"'):
        yield from _own_metrics(json.loads(value))


def unknown_metrics(resources: Resources) -> list[str]:
    """What is measured of the functions is what they write: namespace, names, dimensions and their values."""
    emitted = _emitted()
    values = {"code": {str(status) for status in OWN_STATUSES}, "source": set(SOURCES.values())}
    faults = []
    for name, one in resources.items():
        for metric, dimensions in _own_metrics(one):
            if (metric, frozenset(dimensions)) not in emitted:
                faults.append(f"{name} measures {metric} by {sorted(dimensions)}, which nobody writes")
            faults += [
                f"{name} measures {metric} of the {dimension} {dimensions[dimension]}"
                for dimension, known in values.items()
                if dimension in dimensions and dimensions[dimension] not in known
            ]
    return faults


def unwatched_errors(resources: Resources) -> list[str]:
    """Somebody is told of each status of ours; of what every function may answer, for each function."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    watched = [
        (name, metric, str(dimensions["function"]), dimensions.get("code"))
        for name, alarm in alarms.items()
        for metric, dimensions in _own_metrics(alarm)
    ]
    told = {int(code) for _, metric, _, code in watched if metric == ERRORS and code}
    told |= {504 for _, metric, *_ in watched if metric == TIMEOUTS}
    functions = set(of_type(resources, "AWS::Lambda::Function")) - {"AuthorizerFunction"}
    return [f"nobody is told of {status}" for status in sorted(OWN_STATUSES - told)] + [
        f"{name} leaves out {function}"
        for name in sorted(OF_EVERY_FUNCTION)
        for function in sorted(functions)
        if not any(name == alarm and function in of for alarm, _, of, _ in watched)
    ]
