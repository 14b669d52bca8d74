"""How many rows of a chunk to predict in one go: what a model does in a twentieth of a second.

A waiting caller behind a chunk waits for one such slice and not for the chunk. A model that nobody has timed
begins with one row; a slice may be twice as long as the longest so far. One that takes far longer than
expected means that the rows have changed: what was learned is forgotten, and it begins with one row again.
"""

from worker.batch_cost import BatchCost

SLICE_SECONDS = 0.05
"""What the rows of a slice may be expected to add to the call itself."""
SURPRISE = 2.0
MAX_ROWS = 2_500
MODELS_KNOWN = 256


class SliceSize:
    """What has been learned of one model."""

    def __init__(self) -> None:
        self._cost = BatchCost()
        self._longest = 0

    def rows(self) -> int:
        """How many rows the next slice may have."""
        return min(max(1, 2 * self._longest), self._cost.rows_adding(SLICE_SECONDS, MAX_ROWS))

    def learn(self, rows: int, seconds: float) -> None:
        """Take in one slice."""
        if self._longest and seconds > SURPRISE * self._cost.of(rows) + SLICE_SECONDS:
            self._cost, self._longest = BatchCost(), 0
            return
        self._cost.learn(rows, seconds)
        self._longest = max(self._longest, rows)


_sizes: dict[tuple[str, str], SliceSize] = {}


def slice_size_of(model_name: str, version: str) -> SliceSize:
    """What this process has learned of a version of a model."""
    if len(_sizes) > MODELS_KNOWN:
        _sizes.clear()  # what was learned is soon learned again
    return _sizes.setdefault((model_name, version), SliceSize())
