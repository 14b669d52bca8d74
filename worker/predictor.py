"""Many messages' work done as one: one script starts them, one call per model, one script ends them.

A task that runs alone is a batch of one, so that there is a single path. Rows that make a model raise are
found by halving: they fail alone, the others of the batch succeed.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import redis

from tandem.backplane.errors import (
    InvalidRequest,
    ModelNotFound,
    ModelNotLoaded,
    PoisonTask,
    TandemError,
)
from tandem.backplane.model_cards import CARDS, card_field
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors
from tandem.backplane.task_attempts import Attempt, NotRun, TaskAttempts
from worker.model_answer import json_bytes
from worker.model_code import model_code
from worker.model_registry import ModelRegistry
from worker.retries import MAX_RETRIES, may_wait
from worker.store_patience import END_PATIENCE, START_PATIENCE, Result, patiently
from worker.stored_features import StoredFeatures
from worker.work import Ask, Work

if TYPE_CHECKING:
    from worker.model import LoadedModel

log = logging.getLogger(__name__)

Answer = bytes | TandemError
"""A task's end: the JSON of its result, or what went wrong."""


class Outcome(Enum):
    """What to do with the message."""

    ENDED = "ended"
    """Acknowledge it: the task has ended, now or before."""
    POISON = "poison"
    """Dead-letter it: its attempts were spent without an end, so whatever runs it dies."""
    RETRY = "retry"
    """Send it again, to be tried after a pause: what stopped it can pass."""


@dataclass
class _Row:
    """One runnable work on its way to an answer."""

    ask: Ask
    features: Mapping[str, Any]
    checked: str
    version: str | None = None
    answer: Answer | None = None


class Predictor:
    """Executes work with this process's models."""

    def __init__(self, registry: ModelRegistry, client: redis.Redis, settings: Settings) -> None:
        self._registry = registry
        self._client = client
        self._settings = settings
        self._attempts = TaskAttempts(client, settings)
        self._stored = StoredFeatures(client, settings)

    def execute(self, works: Sequence[Work]) -> list[Outcome]:
        """Run each work that should still run, and store how it ended. Outcomes in the order of `works`.

        Raises StoreUnavailable when the store stayed away: nothing may then be acknowledged.
        """
        starts = self._start(works)
        running = [
            (start, work) for start, work in zip(starts, works, strict=True) if isinstance(start, Attempt)
        ]
        answers = self.answers([work for _, work in running])
        ended, put_off = [], []
        for (attempt, work), answer in zip(running, answers, strict=True):
            if isinstance(answer, ModelNotLoaded) and work.retries < MAX_RETRIES and may_wait(work):
                put_off.append(attempt)
            else:
                ended.append((attempt, answer))
        if ended:
            self._patiently(lambda: self._attempts.finish(ended))
        if put_off:
            self._patiently(lambda: self._attempts.give_back(put_off))
        return [Outcome.RETRY if start in put_off else self._outcome(start) for start in starts]

    def _start(self, works: Sequence[Work]) -> list[Attempt | NotRun]:
        if any(work.retries for work in works):
            # It may have been the store that failed: a start that hangs there would count once it goes on.
            self._patiently(self._ask_store, START_PATIENCE)
        deliveries, mark = [work.delivery for work in works], uuid.uuid4().hex[:12]
        return self._patiently(lambda: self._attempts.start(deliveries, mark), START_PATIENCE)

    def _ask_store(self) -> None:
        with store_errors():
            self._client.ping()

    def _patiently(self, step: Callable[[], Result], share: float = END_PATIENCE) -> Result:
        return patiently(self._client, step, share * self._settings.task_time_limit_seconds)

    def _outcome(self, start: Attempt | NotRun) -> Outcome:
        if not isinstance(start, NotRun) or start.reason == "done":
            return Outcome.ENDED
        error = PoisonTask("The task was given up: every worker that ran it was lost.")
        self._patiently(lambda: self._attempts.fail(start.delivery, error))
        log.error("Task %s is poison: its attempts are spent", start.delivery.task_id)
        return Outcome.POISON

    def answers(self, works: Sequence[Work]) -> list[Answer]:
        """The end of each work, in order, without touching its lifecycle."""
        found: list[Answer | _Row] = [self._row(work) for work in works]
        self._fill_in_features([row for row in found if isinstance(row, _Row)])
        groups: dict[tuple[str, str, str | None], list[_Row]] = {}
        for row in found:
            if isinstance(row, _Row) and row.answer is None:
                alias = row.ask.alias or self._settings.model_alias
                groups.setdefault((row.ask.model, alias, row.version), []).append(row)
        for (name, alias, version), rows in groups.items():
            self._predict(name, alias, version, rows)
        return [_answer_of(item) for item in found]

    @staticmethod
    def _row(work: Work) -> "Answer | _Row":
        if isinstance(work.ask, InvalidRequest):
            return work.ask
        return _Row(work.ask, work.ask.features or {}, work.checked, work.model_version)

    def _fill_in_features(self, rows: Sequence[_Row]) -> None:
        asking = [row for row in rows if row.ask.features is None]
        match_ids = [row.ask.match_id for row in asking if row.ask.match_id is not None]
        stored = self._patiently(lambda: self._stored.of(match_ids))
        for row, features in zip(asking, stored, strict=True):
            row.checked = ""  # stored by whoever, perhaps for another version of the model
            if isinstance(features, TandemError):
                row.answer = features
            else:
                row.features = features

    def _predict(self, name: str, alias: str, version: str | None, rows: Sequence[_Row]) -> None:
        try:
            model = self._registry.get(name, alias, version)
        except ModelNotFound as error:
            for row in rows:
                row.answer = ModelNotLoaded() if self._is_served(name, alias) else error
            return
        except TandemError as error:
            for row in rows:
                row.answer = error
            return
        for row in rows:
            if row.checked != model.card.model_version:
                row.answer = _fault(model, row)
        fitting = [row for row in rows if row.answer is None]
        for row, prediction in zip(
            fitting, predict_each(model, [row.features for row in fitting]), strict=True
        ):
            row.answer = prediction if isinstance(prediction, TandemError) else _result(row, prediction)

    def _is_served(self, name: str, alias: str) -> bool:
        """Whether some worker has loaded what this one has not."""

        def known() -> bool:
            with store_errors():
                return bool(self._client.hexists(CARDS, card_field(name, alias)))

        return self._patiently(known)


def _fault(model: "LoadedModel", row: _Row) -> TandemError | None:
    try:
        model.check(row.features)
    except InvalidRequest as error:
        return error
    return None


def predict_each(
    model: "LoadedModel", rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any] | TandemError]:
    """The prediction of each row, or why that row has none; halves a batch that fails as a whole."""
    if not rows:
        return []
    try:
        with model_code():
            return list(model.predict_rows(rows))
    except TandemError as error:
        if len(rows) == 1:
            log.warning(
                "Model %s failed for a row: %s", model.card.model_name, error, exc_info=error.__cause__
            )
            return [error]
        half = len(rows) // 2
        return predict_each(model, rows[:half]) + predict_each(model, rows[half:])


def _result(row: _Row, prediction: Mapping[str, Any]) -> bytes:
    return json_bytes({"match_id": row.ask.match_id, "prediction": prediction})


def _answer_of(item: "Answer | _Row") -> Answer:
    if not isinstance(item, _Row):
        return item
    assert item.answer is not None  # noqa: S101  every row has been predicted or refused
    return item.answer
