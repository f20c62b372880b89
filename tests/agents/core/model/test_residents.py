from typing import Any

import pytest

from agents.core.model.lane import Lane
from agents.core.model.residents import LOOK_SECONDS, WARM_SECONDS, Residents, Seen

A, B = Lane("a:latest"), Lane("b:latest")
WIDE = Lane("a:latest", (("num_ctx", 8192),))


def resident(*lanes: Lane) -> Residents:
    """Residents that have seen an answer of each lane, at the second of its position."""
    residents = Residents()
    for second, lane in enumerate(lanes):
        residents.note_answer(lane, float(second))
    return residents


def ps(name: str, context: int | None = 4096) -> dict[str, Any]:
    return {"name": name} if context is None else {"name": name, "context_length": context}


def test_only_the_lane_that_answered_last_and_lately_is_warm() -> None:
    residents = resident(A, B)
    assert residents.is_warm(B, 1 + WARM_SECONDS)
    assert not residents.is_warm(B, 2 + WARM_SECONDS)
    assert not residents.is_warm(A, 1)
    assert not resident().is_warm(A, 0)


def test_after_a_timeout_nothing_is_warm_but_the_last_lane_is_known() -> None:
    residents = resident(A)
    residents.note_timeout()
    assert not residents.is_warm(A, 0)
    assert residents.last == A


def test_a_look_is_of_use_only_after_two_models_and_while_one_of_them_waits_for_the_other() -> None:
    assert not resident(A, A).may_look(100)
    residents = resident(A, B)
    assert residents.may_look(1)
    assert residents.has_use_for_look(["a:latest"])
    assert not residents.has_use_for_look(["b:latest", "c:latest", ""])


def test_a_second_look_has_time_unless_another_lane_has_answered() -> None:
    residents = resident(A, B)
    residents.begin_look(10)
    assert not residents.may_look(1000)  # one is under way
    residents.end_look([])
    assert not residents.may_look(9 + LOOK_SECONDS)
    assert residents.may_look(10 + LOOK_SECONDS)
    residents.note_answer(B, 11)
    assert not residents.may_look(11)
    residents.note_answer(A, 12)
    assert residents.may_look(12)


@pytest.mark.parametrize(
    ("models", "lanes", "together"),
    [
        ([ps("a:latest"), ps("B")], {A, B}, True),
        ([ps("a:latest")], {A}, False),
        ([ps("a:latest"), ps("other:1")], {A}, False),
        ([], set(), False),
        ([{"name": ""}, {"model": "a"}, {"name": 7}], set(), False),
    ],
)
def test_a_look_tells_which_of_our_lanes_are_in_memory(
    models: list[dict[str, Any]], lanes: set[Lane], *, together: bool
) -> None:
    residents = resident(A, B)
    residents.begin_look(10)
    assert residents.end_look(models) == Seen(frozenset(lanes), together)


@pytest.mark.parametrize(
    ("context", "lanes"), [(8192, {WIDE, B}), (None, {WIDE, B}), (4096, {B})], ids=["ours", "untold", "another's"]
)
def test_a_model_that_somebody_loaded_with_another_context_is_none_of_our_lanes(
    context: int | None, lanes: set[Lane]
) -> None:
    residents = resident(A, B, WIDE)
    residents.begin_look(10)
    assert residents.end_look([ps("a:latest", context), ps("b:latest")]).lanes == lanes


def test_a_lane_that_started_during_the_look_may_have_thrown_the_others_out() -> None:
    residents = resident(A, B)
    residents.note_start(Lane("c:latest"))  # before the look
    residents.begin_look(10)
    residents.note_start(Lane("c:latest"))
    assert residents.end_look([ps("a:latest"), ps("b:latest")]) == Seen(frozenset({A, B}), together=False)
    residents.begin_look(50)
    residents.note_start(A)
    assert residents.end_look([ps("a:latest"), ps("b:latest")]).together


def test_what_is_in_memory_is_what_the_server_says_with_the_options_of_our_lanes() -> None:
    residents = resident(B, WIDE)
    assert residents.in_memory == ["a:latest num_ctx=8192"]  # b may have gone for it
    residents.note_memory([ps("a:latest", 8192), ps("b:latest"), ps("other"), {"name": " "}, {}], 2)
    assert residents.in_memory == ["a:latest num_ctx=8192", "b:latest", "other:latest"]
    residents.note_answer(B, 3)
    assert residents.in_memory == ["a:latest num_ctx=8192", "b:latest", "other:latest"]
    residents.note_memory([], 4)
    assert residents.in_memory == []


def test_a_model_that_was_loaded_with_other_options_is_told_without_ours() -> None:
    residents = resident(WIDE)
    residents.note_memory([ps("a:latest", 2048)], 1)
    assert residents.in_memory == ["a:latest"]


def test_what_answered_during_a_look_is_in_memory_whatever_the_look_says() -> None:
    residents = resident(A)
    residents.note_answer(B, 5)
    residents.note_memory([ps("a:latest")], 5)
    assert residents.in_memory == ["a:latest", "b:latest"]
