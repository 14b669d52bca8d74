"""The functions' log: a line of JSON per record, on standard output, where containers and Lambda look."""

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = "tandem"


class JsonFormatter(logging.Formatter):
    """A record as one line: time, level, logger and message, then the members of `extra={"fields": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str) -> None:
    """Log what is ours from `level` on; may be called again."""
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level)
    logging.getLogger("mangum").setLevel(logging.WARNING)  # its line a request says less than ours
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        logger.propagate = False
