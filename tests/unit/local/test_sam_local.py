"""How the built template is made to ask the composition's AWS."""

import json
from pathlib import Path

import yaml

from local.sam_local import ENDPOINT, SIGNERS, VARIABLES, answered_here, options
from tests.unit.infra.cloudformation import template


def test_every_function_is_told_where_aws_is(tmp_path: Path) -> None:
    """Those of Globals, the authorizer, which is not of them, and, of S3, those that sign addresses."""
    built = tmp_path / "template.yaml"
    before = template()
    built.write_text(yaml.safe_dump(before))
    s3 = "http://127.0.0.1:4566"
    answered_here(built, s3)
    after = yaml.safe_load(built.read_text())
    for document in (before, after):
        told = (
            document["Globals"]["Function"],
            document["Resources"]["AuthorizerFunction"]["Properties"],
        )
        for function in told:
            variables = function["Environment"]["Variables"]
            assert (document is after) == (ENDPOINT.items() <= variables.items())
            for name in ENDPOINT:
                variables.pop(name, None)
    for name in SIGNERS:
        variables = after["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables.pop("AWS_ENDPOINT_URL_S3") == s3
    assert after == before


def test_every_variable_set_is_one_of_the_template(tmp_path: Path) -> None:
    """SAM ignores without a word what a template does not have."""
    options(tmp_path / "template.yaml", "network")
    written = json.loads((tmp_path / "variables.json").read_text())
    assert written == {"Parameters": VARIABLES}
    whole = template()
    resources = [one["Properties"] for one in whole["Resources"].values() if "Function" in one["Type"]]
    declared = {
        name
        for function in [whole["Globals"]["Function"], *resources]
        for name in function.get("Environment", {}).get("Variables", {})
    }
    assert set(VARIABLES) <= declared
