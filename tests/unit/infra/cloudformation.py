"""The templates as tests read them: plain dictionaries, CloudFormation's tags in their long form."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.templates import expanded

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
TEMPLATE = INFRA / "template.yaml"
NESTED = ("workers.yaml", "operations.yaml")
Resources = dict[str, dict[str, Any]]


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, taught the tags that begin with an exclamation mark."""


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: str(value).split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


def template(name: str = "template.yaml") -> dict[str, Any]:
    """One of the templates of `infra/`, as it is written."""
    text = (INFRA / name).read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    return loaded


@cache
def application() -> Resources:
    """Every resource of the application as CloudFormation gets to see it, those of its nested stacks too."""
    whole: Resources = dict(expanded()["Resources"])
    for name in NESTED:
        nested = template(name)["Resources"]
        assert not whole.keys() & nested.keys(), "a name that stands twice"
        whole |= nested
    return whole


def of_type(resources: Resources, kind: str) -> Resources:
    """Properties by logical id of the resources of one type."""
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    """Every function that the API routes to: its properties by its logical id, the Globals' below its own."""
    whole = template()
    common = whole["Globals"]["Function"]
    return {
        name: common | properties
        for name, properties in of_type(whole["Resources"], "AWS::Serverless::Function").items()
    }


def routes(properties: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of every event of a function."""
    return [
        (event["Properties"]["Method"], event["Properties"]["Path"])
        for event in properties["Events"].values()
    ]
