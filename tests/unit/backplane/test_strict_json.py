"""Strict JSON: what RFC 8259 allows is read as the standard library reads it, all else is refused."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.backplane.errors import InvalidJson
from tandem.backplane.strict_json import MAX_DEPTH, MAX_DIGITS, parse_number, parse_strict

SECRET = "s3cr3t"

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**MAX_DIGITS) + 1, max_value=10**MAX_DIGITS - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(value=VALUES, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_what_the_standard_library_writes_is_read_back(
    *, value: Any, ensure_ascii: bool, indent: int | None
) -> None:
    """Values survive, to the type and to the last bit, however the text is laid out."""
    body = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode()
    assert repr(parse_strict(body)) == repr(value)


@given(st.binary(max_size=40) | st.text('[]{}",:0123456789eE+-.truefalsn \\u\n', max_size=40).map(str.encode))
def test_any_bytes_are_a_value_or_invalid_json(body: bytes) -> None:
    """Nothing else ever comes out, and what is a value is the standard library's value, finite throughout."""
    try:
        value = parse_strict(body)
    except InvalidJson:
        return
    assert repr(json.loads(body)) == repr(value)
    assert "inf" not in repr(value)
    assert "nan" not in repr(value)


@given(
    depth=st.integers(1, MAX_DEPTH),
    kinds=st.text("[{", min_size=MAX_DEPTH, max_size=MAX_DEPTH),
    brackets_in_a_string=st.booleans(),
)
def test_nesting_up_to_the_bound_is_read(*, depth: int, kinds: str, brackets_in_a_string: bool) -> None:
    """As many arrays and objects inside one another as the bound says; brackets in a string do not count."""
    inner = '"' + "[" * 100 + '\\"{"' if brackets_in_a_string else "1"
    for kind in kinds[:depth]:
        inner = f"[{inner}]" if kind == "[" else f'{{"a": {inner}}}'
    assert parse_strict(inner.encode()) == json.loads(inner)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("closed", [True, False])
def test_deeper_nesting_is_refused(depth: int, opening: str, closing: str, *, closed: bool) -> None:
    """Whether or not the brackets are ever closed, and without an overflow of any stack."""
    body = opening * depth + "1" + closing * depth * closed
    with pytest.raises(InvalidJson):
        parse_strict(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"NaN",
        b"[Infinity]",
        b'{"a": -Infinity}',
        b"1e999",
        b"-1e999",
        b"1" + b"0" * 308 + b"e10",
        b"9" * 400 + b".5",
        b"1e-400",
        b"9" * (MAX_DIGITS + 1),
        b"-" + b"9" * 4_301,
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "\\u0061": 2}}]',
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'["\\udc00\\ud800"]',
        b"{} {}",
        b"[1,]",
        b"{'a': 1}",
        b"{a: 1}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x1",
        b"tru",
        b'"\n"',
        b'"\\x41"',
        b'"s3cr3t',
        b'{"s3cr3t": s3cr3t}',
        b'{"s3cr3t": 1, "s3cr3t": 2}',
        b"// s3cr3t\n1",
        b"\x00{}",
        "\u00a0{}".encode(),
        "{}".encode("utf-16"),
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    """With a sentence that says why and repeats nothing of the body."""
    with pytest.raises(InvalidJson) as refused:
        parse_strict(body)
    assert refused.value.detail
    assert SECRET not in refused.value.detail


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b"0e999", 0.0),
        (b"0.0e-999", 0.0),
        (b"-0.0", -0.0),
        (b"5e-324", 5e-324),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b"9" * MAX_DIGITS, 10**MAX_DIGITS - 1),
        (b"0." + b"1" * 500, 0.1111111111111111),
        (b'{"e000": 1, "E+999": 2}', {"e000": 1, "E+999": 2}),
        (b'{"a": {"a": 1}, "b": [{"a": 2}]}', {"a": {"a": 1}, "b": [{"a": 2}]}),
    ],
)
def test_what_looks_like_a_fault_and_is_none_is_read(body: bytes, value: Any) -> None:
    """The bounds refuse no number, escape or key that is within them."""
    read = parse_strict(body)
    assert read == value
    assert not isinstance(value, float) or math.copysign(1, read) == math.copysign(1, value)


NUMBERS = ["0", "-0", "7", "-7", "1.50", "1e5", "1E-5", "-0.0", "7" * 309, "1e308"]
NO_NUMBERS = [
    "",
    " 1",
    "1 ",
    "+1",
    "01",
    ".5",
    "5.",
    "1e",
    "0x1",
    "1_0",
    "NaN",
    "Infinity",
    "true",
    '"1"',
    "1\n",
]
OUT_OF_BOUNDS = ["1e309", "1e-400", "7" * 310]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_alone_is_what_it_is_in_a_body(text: str) -> None:
    """The same value of the same type."""
    assert repr(parse_number(text)) == repr(parse_strict(text.encode()))


@pytest.mark.parametrize("text", NO_NUMBERS + OUT_OF_BOUNDS)
def test_what_is_no_number_of_json_is_refused(text: str) -> None:
    """Whatever Python would take it for."""
    with pytest.raises(InvalidJson):
        parse_number(text)
