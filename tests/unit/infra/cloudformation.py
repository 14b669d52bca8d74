"""The template as tests read it: plain YAML, with CloudFormation's own tags as one-key mappings."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "infra" / "template.yaml"


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, taught the tags that begin with an exclamation mark."""


def _intrinsic(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


def template() -> dict[str, Any]:
    """`infra/template.yaml`."""
    loaded: dict[str, Any] = yaml.load(TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506  a SafeLoader
    return loaded


def functions() -> dict[str, dict[str, Any]]:
    """Every function's properties by its logical id, the Globals' below its own."""
    whole = template()
    common = whole["Globals"]["Function"]
    return {
        name: common | resource["Properties"]
        for name, resource in whole["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def routes(properties: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of every event of a function."""
    return [
        (event["Properties"]["Method"], event["Properties"]["Path"])
        for event in properties["Events"].values()
    ]
