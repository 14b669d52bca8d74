"""A fresh process that does what Lambda does once: import a function, and have it answer one event.

`python answer.py MODULE EVENT_FILE` prints the status of the answer; whoever started it has the clock.
"""

import importlib
import json
import os
import sys
from pathlib import Path


class Context:
    """What Lambda tells of a call, as far as anybody asks."""

    aws_request_id = "bench"
    function_name = "bench"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Plenty."""
        return 30_000


if __name__ == "__main__":
    handler = importlib.import_module(sys.argv[1]).handler
    event = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    sys.stdout.write(f"{handler(event, Context())['statusCode']}\n")
    sys.stdout.flush()
    os._exit(0)  # Lambda freezes a process, it does not end it
