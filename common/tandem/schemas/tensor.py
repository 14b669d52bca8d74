"""One row of an MLflow tensor: a number (or text), or lists in lists of the declared shape and dtype."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tandem.schemas.column_types import MAX_ITEMS, SignatureError
from tandem.schemas.data_types import TENSOR_TYPES, DataType
from tandem.schemas.problem import FieldError, Loc, field_error

ANY_LENGTH = -1


@dataclass(frozen=True, slots=True)
class Tensor:
    """`shape` is that of one row, without the -1 in front that stands for the rows; -1 is any length."""

    data_type: DataType
    shape: tuple[int, ...]

    def faults(self, value: object, loc: Loc) -> Iterator[FieldError]:
        """Every item that is not of the dtype, every list that is not of the shape or its siblings' shape."""
        return self._faults(value, loc, self._lengths(value))

    def _lengths(self, value: object) -> tuple[int, ...]:
        """The shape, with the first list's length wherever any length will do."""
        lengths = []
        for declared in self.shape:
            length = len(value) if isinstance(value, list) else 0
            value = value[0] if isinstance(value, list) and value else None
            lengths.append(length if declared == ANY_LENGTH else declared)
        return tuple(lengths)

    def _faults(self, value: object, loc: Loc, lengths: tuple[int, ...]) -> Iterator[FieldError]:
        if not lengths:
            if (fault := self.data_type.check(value)) is not None:
                yield field_error(loc, fault)
        elif not isinstance(value, list):
            yield field_error(loc, "must be an array")
        elif len(value) != lengths[0]:
            yield field_error(loc, f"must have {lengths[0]} items")
        elif len(value) > MAX_ITEMS:
            yield field_error(loc, f"must have at most {MAX_ITEMS} items")
        else:
            for index, item in enumerate(value):
                yield from self._faults(item, (*loc, index), lengths[1:])

    def json_schema(self) -> dict[str, Any]:
        """The same as JSON Schema (2020-12), but for the equal lengths of siblings, which it cannot say."""
        schema = self.data_type.json_schema
        for length in reversed(self.shape):
            low, high = (0, MAX_ITEMS) if length == ANY_LENGTH else (length, length)
            schema = {"type": "array", "items": schema, "minItems": low, "maxItems": high}
        return schema


def tensor_type(spec: Mapping[str, Any]) -> Tensor:
    """The tensor of one input's `tensor-spec`; raises SignatureError for a dtype that JSON cannot carry."""
    tensor = spec["tensor-spec"]
    dtype = str(tensor["dtype"])
    # numpy writes fixed-width text as <U12.
    data_type = TENSOR_TYPES.get("str" if dtype.lstrip("<>|=").startswith("U") else dtype)
    if data_type is None:
        raise SignatureError(f"the signature has a tensor of the unknown dtype {dtype!r}")
    shape = tuple(int(length) for length in tensor["shape"])
    return Tensor(data_type, shape[1:] if shape[:1] == (ANY_LENGTH,) else shape)
