"""pydantic's findings as the contract's field errors: where and what, never the value."""

from collections.abc import Iterable, Mapping
from typing import Any

from tandem.schemas.problem import FieldError, field_error

_VALUE_ERROR = "Value error, "
_MESSAGES = {
    "extra_forbidden": "is not a known field",
    "missing": "is required",
    "model_type": "must be a JSON object",
    "dict_type": "must be an object",
}


def field_errors_of(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """The field errors of `ValidationError.errors()`."""
    return [field_error(tuple(error["loc"]), _message_of(error)) for error in errors]


def _message_of(error: Mapping[str, Any]) -> str:
    return _MESSAGES.get(error["type"], str(error["msg"]).removeprefix(_VALUE_ERROR))
