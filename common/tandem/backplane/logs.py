"""The functions' log: a line of JSON per record, on standard output, where containers and Lambda look."""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache

LOGGER = "tandem"


class JsonFormatter(logging.Formatter):
    """A record as one line: time, level, logger and message, then the members of `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def configure(level: str) -> None:
    """Log what is ours from `level` on; may be called again."""
    # What no line here says need not be asked for at each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level)
    logging.getLogger("mangum").setLevel(logging.WARNING)  # its line a request says less than ours
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.propagate = False
