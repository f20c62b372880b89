"""What a copy of a message keeps of its publisher's headers: all that can be sent again, and never too much."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from bus.envelope import DEEPEST, FOREIGN_BYTES, LEFT_OUT_HEADER, foreign_headers
from bus.tolerant_decoding import install

FRAME_BYTES = 131_072
OWN_AT_MOST = 50_000
"""Twenty errors of three hundred characters each, six bytes a character at worst, and the rest."""

scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20)
    | st.just(Decimal("-12.34"))
    | st.just(datetime(2026, 1, 2, tzinfo=UTC))
)
names = st.text("abcdefgh", min_size=1, max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


def nested(levels: int) -> object:
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@given(st.dictionaries(names, values, max_size=5))
def test_ordinary_headers_are_kept_as_they_were_and_can_be_sent_and_read_again(headers: dict[str, Any]) -> None:
    install()
    kept = foreign_headers(headers)
    assert kept == headers
    assert decode.field_table(encode.field_table(kept))[1] == headers
    assert foreign_headers(kept) == kept


@given(st.dictionaries(names, st.integers(0, 140_000).map("x".__mul__), max_size=6))
def test_headers_never_outgrow_a_frame_and_the_small_ones_stay(headers: dict[str, str]) -> None:
    kept = foreign_headers(headers)
    left_out = str(kept.pop(LEFT_OUT_HEADER, "")).split(", ") if LEFT_OUT_HEADER in kept else []
    assert len(encode.field_table(kept)) <= FOREIGN_BYTES + 4
    assert sorted([*kept, *left_out]) == sorted(headers)
    assert all(len(headers[out]) >= max(map(len, kept.values()), default=0) for out in left_out)


def test_the_largest_headers_of_all_leave_room_for_ours_in_one_frame() -> None:
    assert FOREIGN_BYTES + OWN_AT_MOST < FRAME_BYTES


def test_what_nests_too_deeply_to_be_written_is_left_out_by_name() -> None:
    headers = {"deep": nested(DEEPEST), "deeper": nested(DEEPEST + 1), "deepest": nested(400), "flat": 1}
    kept = foreign_headers(headers)
    assert kept == {"deep": headers["deep"], "flat": 1, LEFT_OUT_HEADER: "deeper, deepest"}
    assert foreign_headers(kept) == kept


@pytest.mark.parametrize("name", ["CC", "BCC"])
def test_a_copy_goes_to_no_further_keys_that_its_publisher_named(name: str) -> None:
    assert foreign_headers({name: ["5000.worker"], "mine": 1}) == {"mine": 1}


def test_many_long_names_of_what_is_left_out_do_not_themselves_fill_the_frame() -> None:
    kept = foreign_headers({f"{n:0120}": "x" * FOREIGN_BYTES for n in range(100)})
    assert len(kept[LEFT_OUT_HEADER]) == 1_000
