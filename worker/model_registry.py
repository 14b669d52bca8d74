"""The models in this process's memory, looked up by name and alias."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tandem.backplane.errors import ModelNotFound
from tandem.backplane.model_cards import card_field
from tandem.schemas.model_card import ModelCard

if TYPE_CHECKING:
    from worker.model import LoadedModel

    LoadVersion = Callable[[str, str, str], LoadedModel]

OTHER_VERSIONS = 2
"""Versions kept in memory beside the served ones, for replays that name one."""


class ModelRegistry:
    """The loaded models, and why others are not."""

    def __init__(
        self,
        models: Iterable["LoadedModel"] = (),
        failures: Mapping[str, str] | None = None,
        load_version: "LoadVersion | None" = None,
    ) -> None:
        self._models = {card_field(model.card.model_name, model.card.alias): model for model in models}
        self._load_version = load_version
        self._others: dict[tuple[str, str], LoadedModel] = {}
        self._loading = threading.Lock()
        self.failures = dict(failures or {})
        """`name@alias` to what went wrong."""

    @property
    def cards(self) -> list[ModelCard]:
        """The cards of the loaded models."""
        return [model.card for model in self._models.values()]

    def get(self, model_name: str, alias: str, version: str | None = None) -> "LoadedModel":
        """The loaded model; raises ModelNotFound.

        With a `version` that is not the served one, that version, loaded now if it has to be; raises
        ModelError where it cannot be. For replays: it takes as long as loading takes.
        """
        try:
            served = self._models[card_field(model_name, alias)]
        except KeyError:
            raise ModelNotFound(f"This worker serves no model of this name at the alias {alias!r}.") from None
        if version is None or version == served.card.model_version or self._load_version is None:
            return served
        with self._loading:
            other = self._others.get((model_name, version))
            if other is None:
                other = self._load_version(model_name, alias, version)
                while len(self._others) >= OTHER_VERSIONS:
                    self._others.pop(next(iter(self._others)))
                self._others[model_name, version] = other
        return other
