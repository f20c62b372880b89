"""What is remembered of results and of those who wait for them, and how much of it."""

from bus.answers import REMEMBERED, WAITING_MOST, Answers
from bus.asker import Asker
from bus.shelf import Shelf
from schemas import TaskResult, TaskStatus, now

ONE, OTHER = Asker("one", "t"), Asker("other", "t")


def result_of(key: str, text: str = "") -> TaskResult:
    return TaskResult(task_id=key, status=TaskStatus.COMPLETED, result=text, timestamp=now())


def kept(answers: Answers, *keys: str) -> list[bool]:
    return [answers.result(key) is not None for key in keys]


def size_of(result: TaskResult) -> int:
    return len(result.model_dump_json())


def test_a_result_is_kept_whole_with_its_time_and_those_who_were_told() -> None:
    answers, result = Answers("agent", Shelf()), result_of("a", "ä")
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
    answers = Answers("agent", Shelf(sum(map(size_of, results.values())) - 1))
    for key, result in results.items():
        answers.keep(key, result, frozenset([ONE]))
    assert kept(answers, *"abc") == [False, True, True]
    assert (answers.ended_at("a"), answers.has_told("a", ONE)) == (results["a"].timestamp, True)


def test_one_that_is_too_large_drives_no_other_out() -> None:
    small, large = result_of("small"), result_of("large", "x" * 5_000)
    answers = Answers("agent", Shelf(size_of(large) - 1))
    for result in (small, large):
        answers.keep(result.task_id, result, frozenset())
    assert kept(answers, "small", "large") == [True, False]
    assert answers.ended_at("large") == large.timestamp


def test_a_result_that_is_kept_again_takes_its_own_place() -> None:
    first, second = result_of("a", "x" * 500), result_of("a", "y" * 500)
    answers = Answers("agent", Shelf(size_of(first)))
    for result in (first, second, first, second):
        answers.keep("a", result, frozenset())
    assert answers.result("a") == second


def test_those_who_wait_are_forgotten_once_they_are_told() -> None:
    answers = Answers("agent", Shelf())
    for asker in (ONE, OTHER, ONE):
        answers.expect("a", asker)
    assert (answers.expected("a"), answers.expected("b")) == ((ONE, OTHER), ())
    answers.keep("a", result_of("a"), frozenset([ONE, OTHER]))
    assert answers.expected("a") == ()


def test_those_whom_a_copy_bears_are_not_waited_for_here() -> None:
    answers = Answers("agent", Shelf())
    for asker in (ONE, OTHER):
        answers.expect("a", asker)
    answers.hand_over("a", (ONE,))
    assert answers.expected("a") == (OTHER,)
    answers.hand_over("a", (OTHER,))
    answers.hand_over("b", (OTHER,))
    assert (answers.expected("a"), answers.expected("b")) == ((), ())


def test_only_so_many_wait_for_one_task_the_latest_ones() -> None:
    answers = Answers("agent", Shelf())
    askers = [Asker(str(number), "t") for number in range(WAITING_MOST + 1)]
    for asker in askers:
        answers.expect("a", asker)
    assert answers.expected("a") == tuple(askers[1:])


def test_only_so_many_tasks_are_remembered_the_latest_ones() -> None:
    answers = Answers("agent", Shelf())
    for number in range(REMEMBERED + 1):
        answers.expect(f"waits-{number}", ONE)
        answers.keep(f"ended-{number}", result_of("t"), frozenset())
    assert [bool(answers.expected(key)) for key in ("waits-0", "waits-1")] == [False, True]
    assert [answers.ended_at(key) is None for key in ("ended-0", "ended-1")] == [True, False]


def test_agents_share_one_bound_and_never_an_answer() -> None:
    one, other = result_of("t", "one"), result_of("t", "other")
    shelf = Shelf(size_of(one) + size_of(other) - 1)
    first, second = Answers("first", shelf), Answers("second", shelf)
    first.keep("t", one, frozenset())
    assert second.result("t") is None
    second.keep("t", other, frozenset())
    assert (first.result("t"), second.result("t")) == (None, other)
