"""Features of matches that a message names by id alone: read from the match store, refused when too old."""

from collections.abc import Sequence
from typing import Any

import redis

from tandem.backplane.errors import MatchNotFound, StaleFeatures, TandemError
from tandem.backplane.match_store import match_key
from tandem.backplane.settings import Settings
from tandem.backplane.store import store_errors
from tandem.schemas.match import Match


class StoredFeatures:
    """Reads the match store for the worker; raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def of(self, match_ids: Sequence[int]) -> list[dict[str, Any] | TandemError]:
        """The features of each match, or MatchNotFound or StaleFeatures in its place."""
        if not match_ids:
            return []
        with store_errors():
            texts: Any = self._client.mget([match_key(match_id) for match_id in match_ids])
        return [self._features(text) for text in texts]

    def _features(self, text: bytes | None) -> dict[str, Any] | TandemError:
        if text is None:
            return MatchNotFound("No features are stored for this match.")
        match = Match.model_validate_json(text)
        if (self._settings.today - match.as_of).days > self._settings.max_feature_age_days:
            return StaleFeatures(f"The stored features of this match are of {match.as_of.isoformat()}.")
        return dict(match.features)
