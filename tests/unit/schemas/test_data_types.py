"""Scalar columns: what fits exactly passes, whatever a conversion would change is refused."""

import base64
import math
import struct
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tandem.schemas.data_types import COLUMN_TYPES, MAX_STRING_LENGTH, TENSOR_TYPES

FLOAT32_MAX = 3.4028234663852886e38


def fits(kind: str, value: Any) -> bool:
    """Whether a column of this type takes the value."""
    return (COLUMN_TYPES.get(kind) or TENSOR_TYPES[kind]).check(value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", True),
        ("boolean", False),
        ("integer", 2**31 - 1),
        ("integer", -(2**31)),
        ("integer", 2.0),
        ("long", 2**63 - 1),
        ("long", -(2**63)),
        ("long", -0.0),
        ("float", 0.1),
        ("float", 1),
        ("float", FLOAT32_MAX),
        ("float", 2**24),
        ("float", 2**30),
        ("double", 1.7976931348623157e308),
        ("double", 5e-324),
        ("double", 2**53),
        ("double", 2**60),
        ("string", ""),
        ("string", "x" * MAX_STRING_LENGTH),
        ("string", "\N{GRINNING FACE}\x00"),
        ("binary", ""),
        ("binary", "YWJj"),
        ("datetime", "2026-04-25"),
        ("datetime", "2026-04-25T14:00"),
        ("datetime", "2026-04-25T14:00:00Z"),
        ("datetime", "2026-04-25 14:00:00.125+02:00"),
        ("datetime", "2024-02-29"),
        ("uint8", 255),
        ("int8", -128),
        ("float16", 65504.0),
        ("bool", True),
        ("str", "x"),
    ],
)
def test_what_fits_exactly_passes(kind: str, value: Any) -> None:
    """Including the two widenings that lose nothing."""
    assert fits(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", "false"),
        ("boolean", 0),
        ("boolean", 1.0),
        ("integer", 2.5),
        ("integer", 2**31),
        ("integer", 2**40),
        ("integer", True),
        ("integer", "2"),
        ("long", 2.5),
        ("long", 2**63),
        ("long", -(2**63) - 1),
        ("long", 9.3e18),
        ("long", float(2**60)),
        ("long", math.nan),
        ("long", math.inf),
        ("float", 1e300),
        ("float", -3.5e38),
        ("float", 1e-300),
        ("float", 2**24 + 1),
        ("float", True),
        ("double", "1.5"),
        ("double", True),
        ("double", 2**53 + 1),
        ("double", 10**400),
        ("double", math.nan),
        ("double", -math.inf),
        ("string", 1),
        ("string", b"x"),
        ("string", "x" * (MAX_STRING_LENGTH + 1)),
        ("binary", "YWJj="),
        ("binary", "YW Jj"),
        ("binary", "Y"),
        ("binary", "é"),
        ("datetime", 1777125600),
        ("datetime", "2026-02-30"),
        ("datetime", "2026-04-25T24:00:00"),
        ("datetime", "2026-04-25T14:00:60"),
        ("datetime", "2026-04-25T14:00:00.1234567"),
        ("datetime", "2026-04-25T14:00:00+99:00"),
        ("datetime", "1600-01-01"),
        ("datetime", "9999-12-31"),
        ("datetime", "20260425"),
        ("datetime", "\uff12026-04-25"),
        ("uint8", -1),
        ("uint8", 256),
        ("float16", 65536.0),
        ("float16", 2049),
    ]
    + [(kind, bad) for kind in COLUMN_TYPES for bad in (None, [], {}, [1], {"a": 1})],
)
def test_whatever_would_be_changed_is_refused(kind: str, value: Any) -> None:
    """Among them every case in which MLflow's own server answers 200 with an altered value."""
    assert not fits(kind, value)


@given(st.sampled_from(["integer", "long", "int8", "uint64"]), st.integers() | st.floats())
def test_an_integer_column_holds_what_it_takes(kind: str, value: float) -> None:
    """Taken exactly when the value is whole and has the very same value in the column's own type."""
    code = {"integer": "<i", "long": "<q", "int8": "<b", "uint64": "<Q"}[kind]
    assume(not (isinstance(value, float) and abs(value) > 2**53))
    try:
        held = struct.unpack(code, struct.pack(code, int(value)))[0] == value
    except (struct.error, ValueError, OverflowError):
        held = False
    assert fits(kind, value) is held


@given(st.integers())
def test_an_integer_for_a_double_is_taken_when_it_is_exact(value: int) -> None:
    """Widening is allowed where nothing is lost."""
    try:
        exact = float(value) == value
    except OverflowError:
        exact = False
    assert fits("double", value) is exact


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_column_never_makes_infinity_or_zero_of_a_number(value: float) -> None:
    """What it takes stays finite, and stays a number other than zero."""
    if fits("float", value):
        (held,) = struct.unpack("<f", struct.pack("<f", value))
        assert math.isfinite(held)
        assert (held == 0) is (value == 0)


@given(st.binary(max_size=200))
def test_base64_of_any_bytes_is_binary(data: bytes) -> None:
    """The column takes exactly what encodes bytes."""
    assert fits("binary", base64.b64encode(data).decode())


@given(
    st.datetimes(datetime(1678, 1, 2), datetime(2261, 12, 30)),  # noqa: DTZ001  the zones come beside it
    st.none() | st.integers(-23 * 60, 23 * 60),
    st.sampled_from([None, "hours", "minutes", "seconds", "milliseconds", "microseconds"]),
)
def test_every_iso_date_and_time_is_taken(
    moment: datetime, minutes_east: int | None, timespec: str | None
) -> None:
    """As Python writes them, to whatever precision but hours alone, with and without an offset."""
    if minutes_east is not None:
        moment = moment.replace(tzinfo=timezone(timedelta(minutes=minutes_east)))
    text = moment.date().isoformat() if timespec is None else moment.isoformat(timespec=timespec)
    assert fits("datetime", text) is (timespec != "hours")


@given(st.sampled_from(sorted(COLUMN_TYPES)), st.text(min_size=8) | st.floats() | st.integers())
def test_a_message_never_repeats_the_value(kind: str, value: Any) -> None:
    """It says what the column takes."""
    message = COLUMN_TYPES[kind].check(value)
    assert message is None or message == COLUMN_TYPES[kind].check(value)
    assert message is None or message.startswith("must ")
    assert message is None or not isinstance(value, str) or value not in message
