"""From the MLflow registry into memory: which models to serve, each loaded by version, warmed, and described.

MLflow is imported only when models are loaded, so that a main process which serves none starts at once.
"""

import logging
import math
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tandem.backplane.errors import ModelError
from tandem.backplane.model_cards import card_field
from tandem.backplane.settings import Settings
from tandem.schemas.model_card import ModelCard
from worker.direct_pyfunc import direct_where_safe
from worker.model_code import model_code
from worker.model_registry import ModelRegistry

if TYPE_CHECKING:
    from worker.model import LoadedModel

log = logging.getLogger(__name__)


def served(settings: Settings, registered: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """The (name, alias) pairs to serve: those of SERVED_MODELS, or all that have MODEL_ALIAS.

    `registered` gives every registered model's aliases.
    """
    if not settings.served_models.strip():
        return [
            (name, settings.model_alias) for name in registered if settings.model_alias in registered[name]
        ]
    pairs = []
    for item in settings.served_models.split(","):
        name, _, alias = item.strip().partition("@")
        pairs.append((name, alias or settings.model_alias))
    return list(dict.fromkeys(pairs))


def load_models(settings: Settings, loaded_by: str) -> ModelRegistry:
    """Load and warm every served model.

    A model that fails is logged and left out; raises ModelError when the registry cannot be read.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with model_code():
        import mlflow  # noqa: PLC0415  see the module's docstring

        mlflow.set_tracking_uri(settings.mlflow_tracking_uri)
        client = mlflow.MlflowClient()
        registered = {} if settings.served_models.strip() else _aliases(client)

    def load_version(name: str, alias: str, version: str) -> "LoadedModel":
        with model_code():
            return _load(client, settings, client.get_model_version(name, version), alias, loaded_by)

    models, failures = [], {}
    for name, alias in served(settings, registered):
        try:
            with model_code():
                # By version and not by alias, so that the card tells of exactly what was loaded.
                version = client.get_model_version_by_alias(name, alias)
                models.append(_load(client, settings, version, alias, loaded_by))
        except ModelError as error:
            cause = error.__cause__ or error
            failures[card_field(name, alias)] = f"{type(cause).__name__}: {cause}"
            log.error("Model %s at %s could not be loaded: %s", name, alias, cause, exc_info=cause)  # noqa: TRY400
    return ModelRegistry(models, failures, load_version)


def _aliases(client: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    token: str | None = None
    while token != "":
        page = client.search_registered_models(page_token=token)
        found.update((model.name, list(model.aliases)) for model in page)
        token = page.token or ""
    return found


def _load(client: Any, settings: Settings, version: Any, alias: str, loaded_by: str) -> "LoadedModel":
    import mlflow.pyfunc  # noqa: PLC0415

    from worker.input_example import example_row  # noqa: PLC0415  brings pandas
    from worker.model import LoadedModel  # noqa: PLC0415

    pyfunc = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    signature = pyfunc.metadata.signature
    if signature is None or not signature.inputs:
        raise ModelError("The model has no signature, so no request could be checked: log it with one.")
    inputs = signature.inputs.to_dict()
    card = ModelCard(
        model_name=version.name,
        alias=alias,
        model_version=str(version.version),
        model_run_id=version.run_id or "",
        loaded_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        loaded_by=loaded_by,
        metrics=_metrics(client, version.run_id),
        inputs=inputs,
        outputs=signature.outputs.to_dict() if signature.outputs else [],
        input_example=example_row(pyfunc.input_example, inputs),
    )
    called = direct_where_safe(pyfunc, inputs)
    model = LoadedModel(card, called, predicts_matches=version.name == settings.match_model)
    model.warm()
    log.info("Model %s at %s: version %s is loaded", version.name, alias, version.version)
    return model


def _metrics(client: Any, run_id: str | None) -> dict[str, float]:
    """The finite metrics of the run that made the model; none where the run is no more."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        metrics = client.get_run(run_id).data.metrics if run_id else {}
    except MlflowException:
        return {}
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
