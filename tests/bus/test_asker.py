"""Who asks for a task, and how its copies bear those who wait beside their own message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.asker import ASKERS_BYTES, Asker, asker_of, fitting, read_askers, written
from bus.message import Message

ONE, OTHER = Asker("one", "t"), Asker("other", "t")
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
askers = st.lists(st.builds(Asker, texts, texts), max_size=60)


@pytest.mark.parametrize(
    ("message", "asker"),
    [
        (Message(b"", reply_to="one"), ONE),
        (Message(b"", reply_to="one", correlation_id="mine"), Asker("one", "mine")),
        (Message(b"", correlation_id="mine"), None),
    ],
)
def test_who_asks_names_a_queue_and_is_answered_under_the_own_id_or_the_tasks(
    message: Message, asker: Asker | None
) -> None:
    assert asker_of(message, "t") == asker


@given(askers)
def test_what_a_copy_bears_is_read_as_it_was_written_and_has_a_bound(found: list[Asker]) -> None:
    kept = fitting(found)
    assert read_askers(written(kept).decode()) == kept
    assert set(kept) <= set(found)
    assert len(written(kept)) <= ASKERS_BYTES


def test_the_first_ones_are_borne_each_once() -> None:
    assert fitting([ONE, OTHER, ONE]) == (ONE, OTHER)
    many = [Asker(f"queue-{number}", "t") for number in range(1_000)]
    kept = fitting(many)
    assert 30 <= len(kept) < 1_000
    assert list(kept) == many[: len(kept)]


@pytest.mark.parametrize(
    "value", [None, 7, b"[]", "", "[", "{}", '[{"reply_to": "one"}]', "[7]", "\ud800", " " * ASKERS_BYTES + "[]"]
)
def test_what_none_of_us_has_written_counts_as_absent(value: object) -> None:
    assert read_askers(value) == ()
