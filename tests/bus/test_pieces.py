"""Events in any order, some lost, some twice: the text is told in order, and what is void or missing is said."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.pieces import HELD_MOST, HOLD, Advance, Begun, Gap, Piece, Pieces, Restart, Step
from schemas import EventKind, TaskError, TaskEvent, TaskResult, TaskStatus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def event(kind: EventKind, attempt: int = 1, host: str = "h", at: float = 0.0, **data: Any) -> TaskEvent:
    moment = NOON + timedelta(seconds=at)
    return TaskEvent(task_id="t", agent="a", kind=kind, host=host, attempt=attempt, timestamp=moment, data=data)


def started(attempt: int = 1, host: str = "h", at: float = 0.0) -> TaskEvent:
    return event(EventKind.STARTED, attempt, host, at)


def chunk(sequence: Any, attempt: int = 1, host: str = "h", at: float = 0.0, text: Any = None) -> TaskEvent:
    told = f"{attempt}{host}{sequence} " if text is None else text
    return event(EventKind.CHUNK, attempt, host, at, text=told, sequence=sequence)


def retrying(attempt: int = 1, **data: Any) -> TaskEvent:
    return event(EventKind.RETRYING, attempt, **data)


def result(value: object = None, attempt: int = 1) -> TaskResult:
    return TaskResult(task_id="t", status=TaskStatus.COMPLETED, result=value, attempt=attempt)


NONE = result()


def told(*events: TaskEvent, end: TaskResult = NONE) -> list[Step]:
    pieces = Pieces()
    return [step for news in events for step in pieces.feed(news)] + pieces.end(end)


def piece(sequence: int, attempt: int = 1, host: str = "h") -> Piece:
    return Piece(f"{attempt}{host}{sequence} ", attempt)


def test_pieces_are_told_as_they_come() -> None:
    accepted = event(EventKind.ACCEPTED)
    assert told(accepted, started(), chunk(0), chunk(1)) == [Begun(1, "h"), piece(0), piece(1)]


def test_a_retry_makes_the_text_void_and_tells_why_and_how_late() -> None:
    error = {"code": "timeout", "message": "slow"}
    steps = told(started(), chunk(0), retrying(delay=5.0, next_attempt=2, error=error), started(2), chunk(0, 2))
    restart = Restart(2, TaskError(code="timeout", message="slow"), 5.0)
    assert steps == [Begun(1, "h"), piece(0), restart, Begun(2, "h"), piece(0, 2)]


def test_what_a_retried_attempt_still_says_is_passed_over() -> None:
    steps = told(chunk(0), retrying(next_attempt=2), chunk(1), retrying(next_attempt=2), started(2), chunk(0, 2))
    assert steps == [Begun(1, "h"), piece(0), Restart(2), Begun(2, "h"), piece(0, 2)]


def test_a_run_on_another_host_makes_the_text_of_a_lost_one_void() -> None:
    steps = told(started(), chunk(0), started(host="i"), chunk(1), chunk(0, host="i"))
    assert steps == [Begun(1, "h"), piece(0), Restart(1), Begun(1, "i"), piece(0, host="i")]


def test_a_second_run_on_the_same_host_begins_anew() -> None:
    steps = told(started(), chunk(0), started(at=9), chunk(0, at=9), chunk(1, at=9))
    assert steps == [Begun(1, "h"), piece(0), Restart(1), Begun(1, "h"), piece(0), piece(1)]


def test_what_an_earlier_run_on_the_same_host_wrote_is_not_taken_for_the_later_one_s() -> None:
    late = (chunk(0, at=1, text="old"), chunk(1, at=2, text="old"), started(at=0.5))
    steps = told(started(at=0), chunk(0, at=1), started(at=9), *late, chunk(0, at=9), chunk(1, at=10))
    assert steps == [Begun(1, "h"), piece(0), Restart(1), Begun(1, "h"), piece(0), piece(1)]


def test_a_run_whose_start_was_lost_may_be_told_out_of_order() -> None:
    assert told(chunk(1, at=2), chunk(0, at=1)) == [Begun(1, "h"), piece(0), piece(1)]


def test_the_clock_of_another_host_says_nothing_of_when_a_run_began() -> None:
    slow = (chunk(0, host="i", at=1), chunk(1, host="i", at=2))
    assert told(started(at=100), *slow) == [Begun(1, "h"), Begun(1, "i"), piece(0, host="i"), piece(1, host="i")]


def test_a_run_that_wrote_nothing_leaves_nothing_void() -> None:
    assert told(started(), started(host="i")) == [Begun(1, "h"), Begun(1, "i")]


def test_a_lost_start_and_a_lost_retry_are_made_up_for() -> None:
    steps = told(chunk(0), chunk(0, 2), chunk(1, 2))
    assert steps == [Begun(1, "h"), piece(0), Restart(2), Begun(2, "h"), piece(0, 2), piece(1, 2)]


def test_what_comes_twice_is_told_once() -> None:
    twice = [started(), chunk(0), chunk(1)] * 2
    assert told(*twice) == [Begun(1, "h"), piece(0), piece(1)]


def test_a_late_piece_is_waited_for() -> None:
    assert told(started(), chunk(0), chunk(2), chunk(1)) == [Begun(1, "h"), piece(0), piece(1), piece(2)]


def test_a_lost_piece_is_waited_for_no_longer_than_the_bound() -> None:
    pieces = Pieces()
    late = HOLD.total_seconds() + 0.1
    assert pieces.feed(chunk(1)) == [Begun(1, "h")]
    assert pieces.feed(chunk(2, at=late)) == [Gap(1), piece(1), piece(2)]
    assert pieces.feed(chunk(0, at=late)) == []
    assert pieces.feed(chunk(3, at=late)) == [piece(3)]


def test_each_gap_has_the_whole_bound() -> None:
    pieces = Pieces()
    late = HOLD.total_seconds() + 0.1
    pieces.feed(chunk(1))
    assert pieces.feed(chunk(3, at=late)) == [Gap(1), piece(1)]
    assert pieces.feed(chunk(4, at=late + 0.5)) == []
    assert pieces.feed(chunk(5, at=2 * late)) == [Gap(1), piece(3), piece(4), piece(5)]


def test_no_more_pieces_wait_than_a_listener_prefetches() -> None:
    pieces = Pieces()
    waiting = [pieces.feed(chunk(number)) for number in range(1, HELD_MOST)]
    assert waiting == [[Begun(1, "h")], *[[]] * (HELD_MOST - 2)]
    assert pieces.feed(chunk(HELD_MOST))[:2] == [Gap(1), piece(1)]


def test_what_still_waits_at_the_result_is_told_with_its_gaps() -> None:
    steps = told(started(), chunk(1), chunk(4))
    assert steps == [Begun(1, "h"), Gap(1), piece(1), Gap(2), piece(4)]


@pytest.mark.parametrize(
    "odd",
    [
        chunk("0"),
        chunk(-1),
        chunk(True),  # noqa: FBT003 - the value under test
        chunk(0, text=7),
        event(EventKind.CHUNK),
    ],
    ids=lambda odd: str(odd.data),
)
def test_a_chunk_that_is_none_is_passed_over(odd: TaskEvent) -> None:
    assert told(odd) == []


@pytest.mark.parametrize("data", [{"error": 7, "delay": "soon", "next_attempt": "x"}, {"error": {"code": 1}}])
def test_a_retry_that_tells_nonsense_is_a_restart_all_the_same(data: dict[str, Any]) -> None:
    assert told(retrying(3, **data)) == [Restart(4)]


@pytest.mark.parametrize("shape", [lambda text: text, lambda text: {"response": text}], ids=["text", "response"])
def test_the_end_that_a_result_has_overtaken_is_told_from_it(shape: Callable[[str], object]) -> None:
    steps = told(started(), chunk(0), end=result(shape("1h0 and so on")))
    assert steps == [Begun(1, "h"), piece(0), Piece("and so on", 1)]
    assert told(end=result(shape("all of it"), 2)) == [Piece("all of it", 2)]
    assert told(chunk(0), end=result(shape("1h0 "))) == [Begun(1, "h"), piece(0)]


@pytest.mark.parametrize(
    "value", [{"response": "1h0 x", "more": 1}, ["1h0 x"], "something else", None, {"response": 1}]
)
def test_a_result_that_is_not_the_text_tells_nothing_of_its_end(value: object) -> None:
    assert told(chunk(0), end=result(value)) == [Begun(1, "h"), piece(0)]


def test_a_result_of_an_attempt_that_nobody_saw_makes_the_text_void() -> None:
    assert told(chunk(0), end=result("1h0 x", 2)) == [Begun(1, "h"), piece(0), Restart(2), Piece("1h0 x", 2)]


chunks = st.builds(chunk, st.integers(0, 12), st.integers(1, 3), st.sampled_from("hi"), st.floats(0, 5))
events = chunks | st.builds(started, st.integers(1, 3), st.sampled_from("hi"), st.floats(0, 5))


@given(st.lists(events | st.builds(retrying, st.integers(1, 3)), max_size=60))
def test_whatever_comes_the_text_of_a_run_is_in_order_and_each_jump_is_told(given_events: list[TaskEvent]) -> None:
    attempt, host, expected = 0, "", 0
    for step in told(*given_events):
        match step:
            case Restart():
                assert step.attempt >= attempt
                host, expected = "", 0
            case Begun():
                assert step.attempt >= attempt
                assert expected == 0, "text is void only after a restart"
                attempt, host = step.attempt, step.host
            case Gap():
                expected += step.count
            case Piece():
                assert step == piece(expected, attempt, host)
                expected += 1


@given(st.permutations(range(20)))
def test_pieces_of_one_moment_are_told_in_order_however_they_come(order: list[int]) -> None:
    steps = told(*map(chunk, order))
    assert steps == [Begun(1, "h"), *map(piece, range(20))]


@pytest.mark.parametrize(
    ("data", "step"),
    [
        ({"fraction": 0.5, "message": "half"}, Advance(0.5, "half")),
        ({"fraction": 1, "message": None}, Advance(1, None)),
        ({"message": "reading"}, Advance(None, "reading")),
        ({"fraction": 7, "message": "x"}, Advance(None, "x")),
        ({"fraction": "half", "message": 3}, None),
        ({}, None),
    ],
)
def test_progress_is_told_as_far_as_it_can_be_read(data: dict[str, Any], step: Step | None) -> None:
    assert Pieces().feed(event(EventKind.PROGRESS, **data)) == ([] if step is None else [step])


def test_progress_leaves_the_text_as_it_is_and_that_of_an_earlier_attempt_is_not_told() -> None:
    progress = event(EventKind.PROGRESS, attempt=1, fraction=0.5)
    steps = told(started(), chunk(0), progress, chunk(1), retrying(), progress)
    assert steps[1:4] == [piece(0), Advance(0.5, None), piece(1)]
    assert Advance not in map(type, steps[4:])
