"""Body bytes to a JSON value, or a 400: RFC 8259, and nothing that two readers could read in two ways.

Python's scanner takes NaN, Infinity, duplicate keys, lone surrogates and 1e999; pydantic-core's takes most of
them too. The worker, the store and the caller's own reader would each make something else of such a body, so
it is refused here. The scan stays in C: the checks run on the bytes, and the exact ones only where a cheap
pattern says that they could find something. Most bodies are read by pydantic-core and found to have no key
twice by counting; Python's scanner has the rest, which is three times slower.
"""

import json
import math
import re
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic_core import from_json

from tandem.backplane.errors import InvalidJson

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_DEPTH = 32
"""Arrays and objects inside one another."""
MAX_DIGITS = 309
"""Digits of one integer: what the largest double has."""

_CONTAINERS = frozenset({dict, list})
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
# The closing quote is optional, so that every opening one matches and the search stays linear.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")


def parse_strict(body: bytes) -> Any:
    """The value of the JSON text `body`; raises InvalidJson naming the rule broken, never the text."""
    _check_depth(body)
    extreme = _may_hold_extremes(body)
    if not extreme:
        with suppress(ValueError):  # for the slower reader below to say what is wrong, and whether it is
            value = from_json(body, allow_inf_nan=False)
            if _members(value) == body.count(b":"):
                return value  # a key that comes twice would be one member and two colons
    text = _text_of(body)
    try:
        value = (_BOUNDED_NUMBERS if extreme else _PLAIN).decode(text)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} (line {error.lineno}, column {error.colno}).") from None
    except RecursionError:
        raise InvalidJson(f"It is nested more than {MAX_DEPTH} deep.") from None
    if b"\\u" in body and _SURROGATE_ESCAPE.search(body) is not None:
        _check_surrogates(value)
    return value


def parse_number(text: str) -> int | float:
    """The JSON number that `text` is, all of it; raises InvalidJson where it is none, or out of bounds."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise InvalidJson("It is not a number.")
    return _bounded_int(text) if found.lastindex is None else _bounded_float(text)


def _members(value: Any) -> int:
    """How many members the objects in a value have, counted one depth of it after the other."""
    found = 0
    level = [value]
    while level:
        objects = [one for one in level if type(one) is dict]
        found += sum(map(len, objects))
        insides: list[Collection[Any]] = [one for one in level if type(one) is list]
        insides += map(dict.values, objects)
        if _CONTAINERS.isdisjoint(map(type, chain.from_iterable(insides))):
            break
        level = [one for one in chain.from_iterable(insides) if type(one) in _CONTAINERS]
    return found


def _text_of(body: bytes) -> str:
    if not body or body.isspace():
        raise InvalidJson("The body is empty.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidJson(f"It is not UTF-8, at byte {error.start}.") from None
    if text.startswith("\ufeff"):
        raise InvalidJson("It begins with a byte order mark.")
    return text


def _check_depth(body: bytes) -> None:
    """Refuse nesting over the bound before the recursive scanner sees it.

    Each pass over the brackets alone takes away the innermost pairs, so as many passes as the depth leave
    nothing; brackets inside strings can spoil that, and only then are the strings cut out first.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    if _pairs_left(body) and _pairs_left(_STRING.sub(b"", body)):
        raise InvalidJson(f"It is nested more than {MAX_DEPTH} deep, or its brackets do not match.")


def _pairs_left(body: bytes) -> bool:
    brackets = body.translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"()", b"")
    return bool(brackets)


def _may_hold_extremes(body: bytes) -> bool:
    """Whether a number could be over a bound: that takes an exponent of three digits, or 200 digits."""
    shape = body.translate(_NUMBER_SHAPE, b"+-")
    return b"e000" in shape or b"0" * 200 in shape


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InvalidJson("An object has the same key twice.")
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not a JSON number.")


def _bounded_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise InvalidJson("A number is too large for a double.")
    if value == 0.0 and any(digit in "123456789" for digit in re.split("[eE]", digits)[0]):
        raise InvalidJson("A number is too close to zero for a double.")
    return value


def _bounded_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise InvalidJson(f"An integer has more than {MAX_DIGITS} digits.")
    return int(digits)


def _check_surrogates(value: Any) -> None:
    """Refuse half a surrogate pair: no UTF-8 text, and so no answer or message, can hold one."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidJson("A string holds half of a surrogate pair.") from None


_PLAIN = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_refuse_constant)
_BOUNDED_NUMBERS = json.JSONDecoder(
    object_pairs_hook=_object_of,
    parse_constant=_refuse_constant,
    parse_float=_bounded_float,
    parse_int=_bounded_int,
)
