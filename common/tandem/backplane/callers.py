"""Who calls: which API key is whose, and how a caller's name reaches the function that answers.

The secret of API keys is a JSON object of the keys' SHA-256 in hex, never of keys. A key has 256 random bits,
so that nothing slower than SHA-256 is needed to keep it from being guessed:

    {"<sha256>": "alice", "<sha256>": {"caller": "bob", "disabled": true}}

Whoever stands in front checks the key (the authorizer of the API, or the local gateway) and tells the name:

- API Gateway in the event, where no caller can write;
- the gateway to a function of its own process in the scope's state;
- the gateway to a function elsewhere in a header, which it lets no caller write. A function believes it only
  where BEHIND_GATEWAY says that nobody else reaches it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.backplane.errors import InvalidJson, NotAllowed, NotAuthenticated
from tandem.backplane.strict_json import parse_strict

ANONYMOUS = ""
"""The caller's name where nobody asks for keys."""
KEY_HEADER = b"x-api-key"
CALLER_HEADER = b"x-tandem-caller"
MAX_KEYS = 1_000
MAX_KEY_LENGTH = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KeyOwner:
    """Whose a key is, and whether it counts."""

    caller: str
    disabled: bool = False


class ApiKeys:
    """The keys that count at present."""

    def __init__(self, owners: Mapping[str, KeyOwner]) -> None:
        self._owners = dict(owners)

    def caller(self, key: str | None) -> str:
        """The name of the caller with this key; raises NotAuthenticated, or NotAllowed if it is disabled."""
        if not key or len(key) > MAX_KEY_LENGTH:
            raise NotAuthenticated("Send a key in the header X-Api-Key.")
        digest, found = digest_of(key), None
        for known, owner in self._owners.items():
            # All of them, each in constant time: how long it takes tells nothing of what would have fitted.
            if hmac.compare_digest(known, digest):
                found = owner
        if found is None:
            raise NotAuthenticated("This key is not known.")
        if found.disabled:
            raise NotAllowed("This key has been disabled.")
        return found.caller


def read_api_keys(text: str) -> ApiKeys:
    """The keys in the secret's text; raises ValueError where it is anything but what is described above."""
    try:
        value = parse_strict(text.encode())
    except (InvalidJson, UnicodeError):
        raise ValueError("not JSON") from None
    if not isinstance(value, dict) or len(value) > MAX_KEYS:
        raise ValueError("not an object of at most so many keys")
    return ApiKeys({_checked(digest): _owner(owner) for digest, owner in value.items()})


def _checked(digest: str) -> str:
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError("not the SHA-256 of a key")
    return digest


def _owner(value: Any) -> KeyOwner:
    given = {"caller": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not {"caller"} <= given.keys() <= {"caller", "disabled"}:
        raise ValueError("not a caller")
    owner = KeyOwner(given["caller"], given.get("disabled", False))
    if not is_caller(owner.caller) or not isinstance(owner.disabled, bool):
        raise ValueError("not a caller")
    return owner


def is_caller(name: Any) -> bool:
    """Whether `name` can be a caller's: up to 64 letters, digits, `.`, `_` and `-`."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def new_key() -> str:
    """A key that nobody has yet."""
    return "tandem_" + secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """What the secret has of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def caller_of(scope: Mapping[str, Any], *, behind_gateway: bool) -> str:
    """The name of whoever made the request in `scope`, ANONYMOUS where nobody asked for a key."""
    told = scope.get("state", {}).get("caller")
    if told is not None:
        return str(told)
    if "aws.event" in scope:
        return _caller_of_event(scope["aws.event"])
    names = [value for name, value in scope["headers"] if name == CALLER_HEADER]
    return names[0].decode("latin-1") if behind_gateway and len(names) == 1 else ANONYMOUS


def _caller_of_event(event: Any) -> str:
    """From what the authorizer said; a route without one, which is health, knows nobody."""
    found = event
    for name in ("requestContext", "authorizer", "lambda", "caller"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if is_caller(found) else ANONYMOUS
