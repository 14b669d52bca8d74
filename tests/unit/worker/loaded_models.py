"""Loaded models without MLflow: a pyfunc of the test's own behind a signature of one double, `x`."""

from __future__ import annotations

from typing import Any

from tandem.schemas.model_card import ModelCard
from worker.model import LoadedModel


def card(name: str = "m", version: str = "3", example: dict[str, Any] | None = None) -> ModelCard:
    """The card of such a model at `champion`."""
    return ModelCard(
        model_name=name,
        alias="champion",
        model_version=version,
        model_run_id="r",
        loaded_at="2026-04-25T00:00:00Z",
        loaded_by="w",
        metrics={},
        inputs=[{"type": "double", "name": "x", "required": True}],
        outputs=[],
        input_example=example,
    )


def loaded_model(
    pyfunc: Any,
    name: str = "m",
    version: str = "3",
    *,
    predicts_matches: bool = False,
    example: dict[str, Any] | None = None,
) -> LoadedModel:
    """`pyfunc` as a loaded model."""
    return LoadedModel(card(name, version, example), pyfunc, predicts_matches=predicts_matches)


class Doubler:
    """A pyfunc that doubles its column, remembers the sizes of its batches, and raises for negative rows."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, data: Any) -> Any:
        """Twice `x`."""
        self.batches.append(len(data))
        if (data["x"] < 0).any():
            raise RuntimeError("a secret value is negative")
        return data["x"].to_numpy() * 2
