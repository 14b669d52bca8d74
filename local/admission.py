"""Who may pass the gateway: what the API's authorizer is on AWS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tandem.backplane.callers import ANONYMOUS, CALLER_HEADER, KEY_HEADER, ApiKeys, read_api_keys
from tandem.backplane.secrets import Secret

if TYPE_CHECKING:
    from starlette.types import Scope

OWN_HEADERS = {KEY_HEADER, CALLER_HEADER}
"""A key goes no further than here, and who a caller is said to be begins here."""


class Admission:
    """Asks for keys where `secret_name` names a secret of them; without one everybody passes, nameless."""

    def __init__(self, secret_name: str) -> None:
        self._keys: Secret[ApiKeys] | None = Secret(secret_name, read_api_keys) if secret_name else None

    async def admit(self, scope: Scope, *, is_open: bool) -> Scope:
        """The scope as the function gets it, with its caller's name; an `is_open` route asks for no key.

        Raises NotAuthenticated, NotAllowed or SecretUnavailable.
        """
        caller = ANONYMOUS if is_open or self._keys is None else await self._caller(self._keys, scope)
        headers = [header for header in scope["headers"] if header[0].lower() not in OWN_HEADERS]
        if caller != ANONYMOUS:
            headers.append((CALLER_HEADER, caller.encode()))
        return {**scope, "headers": headers, "state": {**scope.get("state", {}), "caller": caller}}

    async def _caller(self, secret: Secret[ApiKeys], scope: Scope) -> str:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == KEY_HEADER]
        keys = secret.at_hand()
        if keys is None:
            keys = await asyncio.to_thread(secret.get)
        return keys.caller(",".join(given))  # several are none, as for API Gateway
