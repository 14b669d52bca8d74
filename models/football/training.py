"""Training from end to end: features, evaluation on the newest matches, final fit, registry, promotion."""

from collections.abc import Callable
from dataclasses import dataclass

from models.football.evaluation import goals_of, walk_forward
from models.football.features import FEATURES, features_of
from models.football.history import History
from models.football.outcome_model import feature_frame, fit
from models.football.promotion import promote
from models.football.registration import ModelVersion, register, registry_errors


@dataclass(frozen=True)
class Trained:
    """A model in the registry, how good it is, and why it is not the one served if it is not."""

    model: ModelVersion
    metrics: dict[str, float]
    objection: str | None


def train(
    history: History,
    *,
    name: str,
    alias: str,
    tracking_uri: str,
    regardless: bool,
    report: Callable[[str], None],
) -> Trained:
    """Train on every match played; `report` gets a line per step.

    `regardless`: promote even if the model in place is better. Raises InvalidResults, RegistryUnavailable.
    """
    report(f"features of {history.description}")
    frame = feature_frame(features_of(history.played))
    report(f"evaluation on the newest matches, {len(FEATURES)} features")
    evaluation = walk_forward(history.played, frame)
    report(f"final fit on all {len(frame)} matches, and registration of {name}")
    pipeline = fit(frame, goals_of(history.played))
    with registry_errors():
        model = register(
            name,
            tracking_uri=tracking_uri,
            history=history,
            frame=frame,
            pipeline=pipeline,
            evaluation=evaluation,
        )
        objection = promote(model, alias, tracking_uri, regardless=regardless)
    return Trained(model, evaluation.metrics(), objection)


def summary(trained: Trained, alias: str, *, made_up: bool) -> str:
    """What came of it, in three lines."""
    metrics, model = trained.metrics, trained.model
    league = " (a made-up league)" if made_up else ""
    place = f"now {alias}" if trained.objection is None else f"not promoted to {alias}: {trained.objection}"
    return (
        f"{model.name} version {model.version}{league}, {place}\n"
        f"  on {metrics['evaluated_matches']:.0f} newest matches: log-loss {metrics['log_loss']:.4f}, "
        f"accuracy {metrics['accuracy']:.3f}, Brier {metrics['brier']:.4f} "
        f"(class prior: log-loss {metrics['prior_log_loss']:.4f})\n"
        f"  yardstick: log-loss {metrics['yardstick_log_loss']:.4f}, "
        f"accuracy {metrics['yardstick_accuracy']:.3f}; difference {metrics['yardstick_difference']:+.4f}, "
        f"95 % interval {metrics['yardstick_difference_low']:+.4f} to "
        f"{metrics['yardstick_difference_high']:+.4f}"
    )
