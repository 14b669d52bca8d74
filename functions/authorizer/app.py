"""Whose an API key is: the Lambda authorizer of the HTTP API (payload 2.0, simple responses).

No HTTP application: the API itself answers whoever is refused (401 without a key, else 403), and keeps a
yes for as long as the template says. Where the keys cannot be read nobody is let in: the API answers 500, and
the function's own error count tells whoever is on call.
"""

import logging
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tandem.backplane import logs
from tandem.backplane.callers import ApiKeys, read_api_keys
from tandem.backplane.errors import NotAllowed, NotAuthenticated
from tandem.backplane.secrets import SECRET_NAME, Secret

log = logging.getLogger("tandem.authorizer")


@lru_cache(maxsize=1)
def _keys() -> Secret[ApiKeys]:
    logs.configure("INFO")
    # Not through the settings, whose library takes longer to import than all that is done here.
    name = os.environ.get("API_KEYS_SECRET", "")
    if re.fullmatch(SECRET_NAME, name) is None:
        raise SystemExit("authorizer: wrong setting: API_KEYS_SECRET names no secret")
    return Secret(name, read_api_keys)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _keys()  # so that a setting that is wrong ends the process at its start


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Say whether a request may pass, and as whose; raises SecretUnavailable."""
    # What the API found under the header's name, which `sam local` leaves among the headers as it was sent.
    key = (event.get("identitySource") or [None])[0]
    try:
        caller = _keys().get().caller(key)
    except (NotAuthenticated, NotAllowed) as refused:
        fields = {
            "request_id": event.get("requestContext", {}).get("requestId"),
            "route": event.get("routeKey"),
            "reason": refused.type,
        }
        log.info("refused", extra={"fields": fields})
        return {"isAuthorized": False}
    return {"isAuthorized": True, "context": {"caller": caller}}
