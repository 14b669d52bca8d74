"""What a batch costs, learned as it runs: about `a` seconds a row and `b` seconds a call.

The rule a·n + b is BentoML's (adaptive batching); here it bounds a batch by the time its callers have left.
"""

DECAY = 0.98
"""How much of what was learned is kept at each new batch."""
LEAST_SPREAD = 1e-9


class BatchCost:
    """Least squares of seconds over rows, forgetting slowly."""

    def __init__(self) -> None:
        self._largest = 0
        self._weight = self._rows = self._seconds = self._rows_rows = self._rows_seconds = 0.0

    def learn(self, rows: int, seconds: float) -> None:
        """Take in one batch."""
        self._largest = max(self._largest, rows)
        self._weight = self._weight * DECAY + 1
        self._rows = self._rows * DECAY + rows
        self._seconds = self._seconds * DECAY + seconds
        self._rows_rows = self._rows_rows * DECAY + rows * rows
        self._rows_seconds = self._rows_seconds * DECAY + rows * seconds

    def per_row(self) -> float:
        """Expected seconds that one more row adds; 0 while every batch has had the same size."""
        spread = self._weight * self._rows_rows - self._rows * self._rows
        if spread <= LEAST_SPREAD * self._weight * max(self._rows_rows, 1.0):
            return 0.0
        return max(0.0, (self._weight * self._rows_seconds - self._rows * self._seconds) / spread)

    def of(self, rows: int) -> float:
        """Expected seconds of a batch of `rows`; 0 before anything was learned."""
        if self._weight == 0:
            return 0.0
        mean = self._seconds / self._weight
        per_row = self.per_row()
        if per_row == 0.0:
            return mean
        return max(0.0, mean - per_row * self._rows / self._weight) + per_row * rows

    def rows_adding(self, seconds: float, most: int) -> int:
        """Rows that are expected to add `seconds` to the call itself; at least one, at most `most`.

        And at most twice as many as have run together before, so that what a row costs is known in time.
        """
        most = min(most, max(1, 2 * self._largest))
        per_row = self.per_row()
        return most if per_row * most <= seconds else max(1, int(seconds / per_row))

    def rows_within(self, seconds: float, most: int) -> int:
        """Rows that are expected to be done within `seconds`; at least one, at most `most`."""
        least, too_many = 1, most + 1
        while too_many - least > 1:
            middle = (least + too_many) // 2
            if self.of(middle) <= seconds:
                least = middle
            else:
                too_many = middle
        return least
