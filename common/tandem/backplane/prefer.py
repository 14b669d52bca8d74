"""The Prefer header (RFC 7240): how long a caller waits, and what it wants when the wait is over.

Without `respond-async` a wait ends in an answer or in a 504; with it, in an answer or in a 202. A preference
that is not known, or has a value that makes no sense, is passed over, as the RFC asks.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# One element of the list: anything up to a comma that is not inside quotes.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++')
# A name, with a value perhaps; parameters of their own, after a semicolon, no preference known here has.
_PREFERENCE = re.compile(
    r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*+"|[^\s;"]*))?\s*(?:;|\Z)"""
)
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Waiting:
    """How one request is answered: within `seconds`, else with a 202 (`respond_async`) or a 504."""

    seconds: float
    respond_async: bool = False
    wait_given: bool = False

    def applied(self, *, accepted: bool) -> dict[str, str]:
        """The `Preference-Applied` header of an answer that is (`accepted`) or is not a 202."""
        honoured = []
        if accepted and self.respond_async:
            honoured.append("respond-async")
        if self.wait_given:
            honoured.append(f"wait={self.seconds:g}")
        return {"Preference-Applied": ", ".join(honoured)} if honoured else {}


def waiting_of(headers: Iterable[str], longest_seconds: float) -> Waiting:
    """What the values of all `Prefer` headers of a request ask for, within the longest wait allowed."""
    asked: dict[str, str] = {}
    for name, value in _preferences(headers):
        asked.setdefault(name, value)  # the first of two counts
    respond_async = "respond-async" in asked
    wait = asked.get("wait", "")
    if _SECONDS.fullmatch(wait):
        return Waiting(min(float(wait), longest_seconds), respond_async, wait_given=True)
    return Waiting(0.0 if respond_async else longest_seconds, respond_async)


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names in lower case and values without quotes; an element that is not well-formed is passed over."""
    for header in headers:
        for element in _ELEMENT.findall(header):
            if (found := _PREFERENCE.match(element)) is not None:
                value = found[2] or ""
                yield found[1].lower(), re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
