"""Models in memory are found by name and alias, and other versions only where a replay names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tandem.backplane.errors import ModelNotFound
from tests.unit.worker.loaded_models import Doubler, loaded_model
from worker.model_registry import OTHER_VERSIONS, ModelRegistry

if TYPE_CHECKING:
    from worker.model import LoadedModel


def test_a_model_that_is_not_loaded_is_not_found() -> None:
    """By name and by alias."""
    registry = ModelRegistry([loaded_model(Doubler(), "spam")])
    assert registry.get("spam", "champion").card.model_name == "spam"
    for name, alias in [("churn", "champion"), ("spam", "challenger")]:
        with pytest.raises(ModelNotFound):
            registry.get(name, alias)


def test_another_version_is_loaded_once_and_a_few_are_kept() -> None:
    """The served version needs no loading; of the others the newest few stay in memory."""
    loads: list[str] = []

    def load(name: str, alias: str, version: str) -> LoadedModel:
        assert alias == "champion"
        loads.append(version)
        return loaded_model(Doubler(), name, version)

    registry = ModelRegistry([loaded_model(Doubler(), "spam", "3")], load_version=load)
    assert registry.get("spam", "champion", "3").card.model_version == "3"
    assert loads == []
    for version in ["1", "1", "2", "1"]:
        assert registry.get("spam", "champion", version).card.model_version == version
    assert loads == ["1", "2"]
    for version in map(str, range(10, 10 + OTHER_VERSIONS)):
        registry.get("spam", "champion", version)
    registry.get("spam", "champion", "1")
    assert loads[-1] == "1"
