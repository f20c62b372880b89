import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from bus.tolerant_decoding import install, tolerant_short_text, tolerant_table, tolerant_timestamp


@given(st.integers(0, 2**64 - 1))
def test_any_timestamp_is_read_or_absent(seconds: int) -> None:
    consumed, moment = tolerant_timestamp(struct.pack(">Q", seconds))
    assert consumed == 8
    assert moment is None or moment.tzinfo is not None


@given(st.binary(max_size=255), st.binary(max_size=5))
def test_any_short_text_is_read_to_its_end(raw: bytes, rest: bytes) -> None:
    consumed, text = tolerant_short_text(bytes([len(raw)]) + raw + rest)
    assert consumed == 1 + len(raw)
    assert raw.decode(errors="replace").startswith(text)
    assert len(text.encode()) <= 255


@given(st.binary(max_size=40), st.binary(max_size=5))
def test_any_table_is_read_or_empty_and_passed_over(raw: bytes, rest: bytes) -> None:
    consumed, table = tolerant_table(struct.pack(">I", len(raw)) + raw + rest)
    assert consumed == 4 + len(raw)
    assert isinstance(table, dict)


def test_a_good_table_is_read_as_ever() -> None:
    assert tolerant_table(encode.field_table({"a": 1, "b": {"c": "d"}}))[1] == {"a": 1, "b": {"c": "d"}}


@pytest.mark.parametrize("times", [1, 2])
def test_it_can_be_installed_more_than_once(times: int) -> None:
    for _ in range(times):
        install()
    assert decode.METHODS["timestamp"] is tolerant_timestamp
    assert decode.TABLE_MAPPING[b"T"] is tolerant_timestamp
    assert decode.TABLE_MAPPING[b"F"] is tolerant_table


@given(st.floats(allow_nan=False))
def test_a_float_is_written_as_exactly_as_it_was_read(number: float) -> None:
    install()
    assert decode.field_table(encode.field_table({"f": number, "l": [number]}))[1] == {"f": number, "l": [number]}


def test_other_values_are_written_as_ever() -> None:
    before = encode.field_table({"a": 1, "b": "c", "d": True})
    install()
    assert encode.field_table({"a": 1, "b": "c", "d": True}) == before
