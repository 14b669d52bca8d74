"""Which models a worker serves."""

from __future__ import annotations

from tandem.backplane.settings import Settings
from worker.model_loading import served

REGISTERED = {"match-outcome": ["champion", "challenger"], "spam": ["champion"], "draft": []}


def test_by_default_all_that_have_the_alias() -> None:
    """A registered model without the alias is not served."""
    assert served(Settings(), REGISTERED) == [("match-outcome", "champion"), ("spam", "champion")]
    assert served(Settings(model_alias="challenger"), REGISTERED) == [("match-outcome", "challenger")]


def test_the_setting_names_models_and_aliases() -> None:
    """In its order, each once; an item without an alias means the alias of the settings."""
    given = Settings(served_models=" spam , match-outcome@challenger,spam@champion")
    assert served(given, {}) == [("spam", "champion"), ("match-outcome", "challenger")]
