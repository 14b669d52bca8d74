"""Decides whether a newly registered model becomes the one that is served."""

import mlflow
from mlflow.exceptions import MlflowException

from models.football.registration import ModelVersion, registry_errors

JUDGED_BY = "yardstick_difference"
"""Log-loss beside the yardstick's on the same matches: comparable where the matches of two models differ."""
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""What MLflow answers for an unknown model, and for an alias that a model does not have."""


def champion(name: str, alias: str, tracking_uri: str) -> ModelVersion | None:
    """The version that `alias` points to, or None; raises RegistryUnavailable."""
    with registry_errors():
        client = mlflow.MlflowClient(tracking_uri)
        try:
            found = client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise
    return ModelVersion(name, str(found.version), str(found.run_id))


def _objection(client: mlflow.MlflowClient, new: ModelVersion, old: ModelVersion) -> str | None:
    """Why `new` should not take the place of `old`, or None."""
    new_run, old_run = client.get_run(new.run_id).data, client.get_run(old.run_id).data
    new_made_up = new_run.tags.get("made_up") == "true"
    old_made_up = old_run.tags.get("made_up") == "true"
    if old_made_up and not new_made_up:
        return None
    if new_made_up and not old_made_up:
        return "it is trained on a made-up league, and the one in place is not"
    if JUDGED_BY not in old_run.metrics:
        return "the one in place was not judged by the same yardstick"
    worse_by = new_run.metrics[JUDGED_BY] - old_run.metrics[JUDGED_BY]
    if worse_by > 0:
        return f"it is worse than version {old.version} by {worse_by:.4f} in log-loss beside the yardstick"
    return None


def promote(new: ModelVersion, alias: str, tracking_uri: str, *, regardless: bool) -> str | None:
    """Point `alias` at `new` unless the version in place is better; gives the objection that stopped it."""
    client = mlflow.MlflowClient(tracking_uri)
    old = champion(new.name, alias, tracking_uri)
    if old is not None and not regardless and (objection := _objection(client, new, old)):
        return objection
    client.set_registered_model_alias(new.name, alias, new.version)
    return None
