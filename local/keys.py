"""`python -m local keys new NAME`: a new API key for a caller, and what the secret gets to know of it."""

from __future__ import annotations

import json
import sys

from tandem.backplane.callers import digest_of, is_caller, new_key

USAGE = "usage: python -m local keys new NAME  (up to 64 letters, digits, '.', '_' and '-')"


def main(arguments: list[str]) -> int:
    """Print a key, which nobody can see ever again, and its member of the secret's JSON object."""
    command, name = [*arguments, "", ""][:2]
    if command != "new" or not is_caller(name) or arguments[2:]:
        print(USAGE, file=sys.stderr)
        return 2
    key = new_key()
    print(f"for {name}: {key}")
    print(f"for the secret: {json.dumps(digest_of(key))}: {json.dumps(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
