"""Write `infra/rabbitmq/definitions.json` from the topology; a test compares the two."""

import json
from pathlib import Path

from tandem.backplane.settings import Settings
from tandem.backplane.topology import definitions

PATH = Path(__file__).parent.parent / "infra" / "rabbitmq" / "definitions.json"


def text() -> str:
    """The document as it is committed: the topology with the default length limit."""
    length = Settings.model_fields["queue_max_length"].default
    return json.dumps(definitions(length), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
    print(f"wrote {PATH}")
