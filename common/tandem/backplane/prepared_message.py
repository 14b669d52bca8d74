"""A task's message for py-amqp, whose constant headers have been made into bytes once and for all.

Making some twenty headers into an AMQP table was two thirds of what a publish costs. py-amqp still makes
every byte: here the tables of the constant and of the task's own headers are only put together.
"""

from collections.abc import Mapping
from struct import pack, unpack_from
from typing import Any

from amqp.basic_message import Message
from amqp.serialization import dumps

from tandem.backplane.message import CONSTANT_HEADERS

_TYPE, _ENCODING = "application/json", "utf-8"
_LENGTH_BYTES = 4
_TABLE_AT = 2 + len(dumps("ss", (_TYPE, _ENCODING)))
"""Where the headers begin in the properties: after the flags, the content type and the encoding."""
_CONSTANT: bytes = dumps("F", (CONSTANT_HEADERS,))[_LENGTH_BYTES:]


def prepared(body: bytes, headers: Mapping[str, Any], **properties: Any) -> Message:
    """The message; `properties` are AMQP's, without content type and encoding, which are those of JSON."""
    known = {"content_type": _TYPE, "content_encoding": _ENCODING, **properties}
    if all(headers.get(name, _CONSTANT) == value for name, value in CONSTANT_HEADERS.items()):
        own = {name: value for name, value in headers.items() if name not in CONSTANT_HEADERS}
        return _Prepared(body, application_headers=own, **known)
    return Message(body, application_headers=dict(headers), **known)


class _Prepared(Message):
    """A message that is given its own headers only."""

    def _serialize_properties(self) -> bytes:
        made: bytes = super()._serialize_properties()  # type: ignore[misc]
        own = _TABLE_AT + _LENGTH_BYTES
        (length,) = unpack_from(">I", made, _TABLE_AT)
        return b"".join((made[:_TABLE_AT], pack(">I", length + len(_CONSTANT)), _CONSTANT, made[own:]))
