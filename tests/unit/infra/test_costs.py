"""The sums of the chapter's cost tables can be worked out again, and count what the templates make."""

import re

import pytest

from tests.unit.infra.cloudformation import ROOT, Resources, application, of_type, template

CHAPTER = (ROOT / "docs" / "07-aws.md").read_text()
LAMBDA_GB_SECOND = 0.0000166667
LAMBDA_REQUEST, AUTHORIZER = 0.20, 0.02
API, LOG, TRACES = 1.00, 0.72, 0.25
OF_TARGET_TRACKING = 2 * 8
OF_RDS = 1


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading this is, bold type taken off."""
    table = CHAPTER.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table]


def number(cell: str) -> float:
    """1,095 as a number."""
    return float(cell.replace(",", ""))


MONTH = rows("what")
REQUESTS = rows("a million of")


@pytest.mark.parametrize("row", MONTH[:-1], ids=lambda row: row[0])
def test_a_line_is_price_times_quantity(row: list[str]) -> None:
    """For either stage."""
    _, price, *cells = row
    units, sums = cells[:2], cells[2:]
    assert sums == [f"{number(price) * number(unit):.1f}" for unit in units]


def test_the_month_adds_up() -> None:
    """The last line is the sum of those above."""
    for column in (-2, -1):
        assert MONTH[-1][column] == f"{sum(number(row[column]) for row in MONTH[:-1]):.1f}"


@pytest.mark.parametrize("row", REQUESTS, ids=lambda row: row[0])
def test_a_million_requests_are_worked_out(row: list[str]) -> None:
    """By the formula below the table."""
    _, megabytes, milliseconds, shown, together = row
    spent = number(megabytes) / 1024 * number(milliseconds) * 1000 * LAMBDA_GB_SECOND
    cost = spent + LAMBDA_REQUEST + AUTHORIZER
    assert shown == f"{cost:.2f}"
    assert together == f"{cost + API + LOG + TRACES:.2f}"


def metrics_of_alarms(resources: Resources) -> int:
    """What is paid for of alarms."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    return sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)


def test_what_is_counted_is_what_the_templates_make() -> None:
    """Alarms, secrets, keys and endpoints, of both stacks."""
    stacks = application(), template("platform.yaml")["Resources"]
    counted = {re.split("[:,;]", row[0])[0]: number(row[2]) for row in MONTH[:-1]}
    assert counted["metric of an alarm"] == sum(map(metrics_of_alarms, stacks)) + OF_TARGET_TRACKING
    secrets = sum(len(of_type(stack, "AWS::SecretsManager::Secret")) for stack in stacks)
    assert counted["secret"] == secrets + OF_RDS
    assert counted["key"] == sum(len(of_type(stack, "AWS::KMS::Key")) for stack in stacks)
    endpoints = of_type(stacks[1], "AWS::EC2::VPCEndpoint").values()
    zones = sum(len(one.get("SubnetIds", [])) for one in endpoints)
    assert counted["endpoint in a zone"] == zones * 730
