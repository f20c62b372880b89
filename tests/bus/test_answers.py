"""What is remembered of results and of those who wait for them, and how much of it."""

import pytest

from bus.answers import REMEMBERED, WAITING_MOST, Answers, Asker, other_asker
from bus.message import Message
from schemas import TaskResult, TaskStatus, now

ONE, OTHER = Asker("one", "t"), Asker("other", "t")


def result_of(key: str, text: str = "") -> TaskResult:
    return TaskResult(task_id=key, status=TaskStatus.COMPLETED, result=text, timestamp=now())


def kept(answers: Answers, *keys: str) -> list[bool]:
    return [answers.result(key) is not None for key in keys]


def size_of(result: TaskResult) -> int:
    return len(result.model_dump_json())


def test_a_result_is_kept_whole_with_its_time_and_those_who_were_told() -> None:
    answers, result = Answers(), result_of("a", "ä")
    answers.keep("a", result, frozenset([ONE]))
    assert (answers.result("a"), answers.ended_at("a")) == (result, result.timestamp)
    assert (answers.has_told("a", ONE), answers.has_told("a", OTHER), answers.has_told("b", ONE)) == (
        True,
        False,
        False,
    )
    assert (answers.result("b"), answers.ended_at("b")) == (None, None)


def test_the_oldest_results_make_room_and_are_still_known_to_exist() -> None:
    results = {key: result_of(key, "x" * 500) for key in "abc"}
    answers = Answers(kept_bytes=sum(map(size_of, results.values())) - 1)
    for key, result in results.items():
        answers.keep(key, result, frozenset([ONE]))
    assert kept(answers, *"abc") == [False, True, True]
    assert (answers.ended_at("a"), answers.has_told("a", ONE)) == (results["a"].timestamp, True)


def test_one_that_is_too_large_drives_no_other_out() -> None:
    small, large = result_of("small"), result_of("large", "x" * 5_000)
    answers = Answers(kept_bytes=size_of(large) - 1)
    for result in (small, large):
        answers.keep(result.task_id, result, frozenset())
    assert kept(answers, "small", "large") == [True, False]
    assert answers.ended_at("large") == large.timestamp


def test_a_result_that_is_kept_again_takes_its_own_place() -> None:
    first, second = result_of("a", "x" * 500), result_of("a", "y" * 500)
    answers = Answers(kept_bytes=size_of(first))
    for result in (first, second, first, second):
        answers.keep("a", result, frozenset())
    assert answers.result("a") == second


def test_those_who_wait_are_forgotten_once_they_are_told() -> None:
    answers = Answers()
    for asker in (ONE, OTHER, ONE):
        answers.expect("a", asker)
    assert (answers.expected("a"), answers.expected("b")) == ((ONE, OTHER), ())
    answers.keep("a", result_of("a"), frozenset([ONE, OTHER]))
    assert answers.expected("a") == ()


def test_only_so_many_wait_for_one_task_the_latest_ones() -> None:
    answers = Answers()
    askers = [Asker(str(number), "t") for number in range(WAITING_MOST + 1)]
    for asker in askers:
        answers.expect("a", asker)
    assert answers.expected("a") == tuple(askers[1:])


def test_only_so_many_tasks_are_remembered_the_latest_ones() -> None:
    answers = Answers()
    for number in range(REMEMBERED + 1):
        answers.expect(f"waits-{number}", ONE)
        answers.keep(f"ended-{number}", result_of("t"), frozenset())
    assert [bool(answers.expected(key)) for key in ("waits-0", "waits-1")] == [False, True]
    assert [answers.ended_at(key) is None for key in ("ended-0", "ended-1")] == [True, False]


@pytest.mark.parametrize(
    ("reply_to", "correlation_id", "asker"),
    [
        ("one", None, None),
        ("one", "t", None),
        ("other", None, OTHER),
        ("one", "mine", Asker("one", "mine")),
        (None, "mine", None),
    ],
)
def test_only_who_asks_beside_the_message_of_a_copy_has_to_be_remembered(
    reply_to: str | None, correlation_id: str | None, asker: Asker | None
) -> None:
    copied, message = Message(b"", reply_to="one"), Message(b"", reply_to=reply_to, correlation_id=correlation_id)
    assert other_asker(copied, message, "t") == asker
