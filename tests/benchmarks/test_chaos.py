"""The pure parts of benchmarks/chaos.py: what is drawn, and how it is judged. Storms themselves are run by hand."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chaos_storm.recovery import SeenResult, Sign, recoveries, signs_of, signs_of_results
from benchmarks.chaos_storm.report import Report, markdown, read_report
from benchmarks.chaos_storm.run_log import Run, RunLog, overlaps, read_runs
from benchmarks.chaos_storm.schedule import (
    BROKER,
    LONG_BLACKHOLE_SECONDS,
    MODEL,
    PUBLISHER,
    Done,
    Fault,
    FaultKind,
    draw_schedule,
)
from benchmarks.chaos_storm.verdict import Cause, Copies, Verdict, judge
from benchmarks.chaos_storm.workload import ENDINGS, Course, Order, draw_orders
from schemas import TaskResult, TaskStatus

HOSTS = ("h1", "h2", "h3")

seeds = st.integers(0, 10_000)


def order(task_id: str, course: Course = Course.FINE) -> Order:
    return Order(task_id, 0.0, "swift", course, 4, 0.1, 0, wants_reply=False, cancel_after=None)


def result(task_id: str, status: TaskStatus = TaskStatus.COMPLETED, *, redelivered: bool = False) -> TaskResult:
    return TaskResult(task_id=task_id, status=status, redelivered=redelivered)


def verdict_on(*results: TaskResult, copies: Copies | None = None, course: Course = Course.FINE) -> Verdict:
    return judge([order("a", course)], results, copies or Copies(), ())


@given(seeds, st.floats(30, 600))
def test_a_seed_gives_the_same_schedule_again_with_each_kind_of_fault(seed: int, seconds: float) -> None:
    faults = draw_schedule(seed, seconds, HOSTS)
    assert faults == draw_schedule(seed, seconds, HOSTS)
    assert {fault.kind for fault in faults} == set(FaultKind)


@given(seeds, st.floats(30, 600))
def test_each_schedule_is_in_order_healed_in_time_and_has_one_long_black_hole_on_a_host(
    seed: int, seconds: float
) -> None:
    faults = draw_schedule(seed, seconds, HOSTS)
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(fault.at + fault.seconds <= seconds for fault in faults)
    (long_one,) = [fault for fault in faults if fault.seconds == LONG_BLACKHOLE_SECONDS]
    assert long_one.target in HOSTS


def test_other_seeds_give_other_schedules_and_orders() -> None:
    assert len({tuple(draw_schedule(seed, 120, HOSTS)) for seed in range(10)}) == 10
    assert len({tuple(order.course for order in draw_orders(seed, 50, 10)) for seed in range(10)}) == 10


@given(seeds, st.integers(1, 300))
def test_a_seed_gives_the_same_orders_again_spread_over_the_whole_time(seed: int, tasks: int) -> None:
    orders = draw_orders(seed, tasks, 100)
    assert orders == draw_orders(seed, tasks, 100)
    assert len({one.id for one in orders}) == tasks
    assert [one.at for one in orders] == sorted(one.at for one in orders)
    assert orders[-1].at <= 100
    assert all(one.task().id == one.id for one in orders)


def test_each_course_is_among_two_thousand_orders_and_has_its_endings() -> None:
    assert {one.course for one in draw_orders(1, 2000, 100)} == set(Course) == set(ENDINGS)


def test_a_task_with_one_result_as_expected_is_no_problem() -> None:
    verdict = verdict_on(result("a"), result("probe-h1"))
    assert list(verdict.problems(())) == []
    assert verdict.statuses == {"completed": 1}


def test_a_task_without_a_result_is_lost() -> None:
    verdict = verdict_on()
    assert verdict.lost == ("a",)
    assert list(verdict.problems(())) == ["task a has no result"]


def test_a_second_result_is_a_problem_unless_one_of_the_two_is_marked() -> None:
    unmarked = verdict_on(result("a"), result("a"))
    assert list(unmarked.problems(())) == ["task a has 2 results (completed, completed), none marked: ran again"]
    marked = verdict_on(result("a", redelivered=True), result("a"))
    assert list(marked.problems(())) == []
    assert len(marked.duplicates) == 1


def test_results_that_differ_in_their_status_are_told_apart() -> None:
    verdict = verdict_on(result("a"), result("a", TaskStatus.CANCELLED, redelivered=True), course=Course.CANCELLED)
    (duplicate,) = verdict.duplicates
    assert duplicate.is_contradictory
    assert list(verdict.problems(())) == []


def test_an_ending_that_the_course_does_not_allow_is_a_problem() -> None:
    verdict = verdict_on(result("a", TaskStatus.FAILED))
    assert list(verdict.problems({"a"})) == ["task a (fine) ended as failed: None"]


def test_a_failed_task_without_a_dead_letter_is_a_problem() -> None:
    verdict = verdict_on(result("a", TaskStatus.FAILED), course=Course.PERMANENT)
    assert list(verdict.problems(())) == ["task a failed or was rejected, and is in no dead-letter queue"]
    assert list(verdict.problems({"a"})) == []


@pytest.mark.parametrize(
    ("copies", "cause"),
    [
        (Copies(), Cause.RAN_AGAIN),
        (Copies(tasks=Counter({"a": 2})), Cause.TASK_REPEATED),
        (Copies(retries=Counter({("a", 2): 2})), Cause.RETRY_REPEATED),
        (Copies(retries=Counter({("b", 2): 2})), Cause.RAN_AGAIN),
        (Copies(returns=Counter({("a", "m1"): 2})), Cause.MOVED_TWICE),
        (Copies(returns=Counter({("a", "m1"): 1, ("a", "m2"): 1})), Cause.RAN_AGAIN),
    ],
)
def test_the_cause_of_a_second_result_is_read_from_what_was_published(copies: Copies, cause: Cause) -> None:
    verdict = verdict_on(result("a"), result("a", redelivered=True).model_copy(update={"attempt": 2}), copies=copies)
    assert [duplicate.cause for duplicate in verdict.duplicates] == [cause]


def test_a_result_that_was_published_twice_is_known_by_being_the_same_but_for_its_mark() -> None:
    first = result("a")
    verdict = verdict_on(first, first.model_copy(update={"redelivered": True}))
    assert [duplicate.cause for duplicate in verdict.duplicates] == [Cause.RESULT_REPEATED]


def test_runs_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs", "h1.1")
    with pytest.raises(ValueError, match="meant"), log.run("a", 2):
        raise ValueError("meant")
    unfinished = RunLog(tmp_path / "runs", "h2.1").run("b", 1)
    unfinished.__enter__()
    first, second = read_runs(tmp_path / "runs")
    assert (first.task_id, first.attempt, first.host, first.how) == ("a", 2, "h1", "ValueError")
    assert first.ended is not None
    assert (second.life, second.ended) == ("h2.1", None)
    assert read_runs(tmp_path / "none") == []


def test_two_runs_of_a_task_at_once_are_found_only_within_one_process() -> None:
    first = Run("a", 1, "h1.1", started=1.0, ended=3.0)
    second = Run("a", 1, "h1.1", started=2.0, ended=4.0)
    elsewhere = Run("a", 1, "h1.2", started=2.0, ended=4.0)
    later = Run("a", 1, "h1.1", started=4.0, ended=5.0)
    other = Run("b", 1, "h1.1", started=2.0, ended=3.0)
    assert overlaps([second, first, elsewhere, later, other]) == [(first, second)]


def test_a_run_whose_process_was_killed_is_over_with_that_process() -> None:
    killed = Run("a", 1, "h1.1", started=1.0)
    assert overlaps([killed, Run("a", 1, "h1.2", started=2.0, ended=3.0)]) == []
    assert len(overlaps([killed, Run("a", 1, "h1.1", started=2.0, ended=3.0)])) == 1


def test_a_recovery_lasts_until_the_next_sign_of_the_part_that_was_hit() -> None:
    fault = Fault(FaultKind.HOST_KILL, 1.0, 0.0, "h1")
    signs = [Sign(12.0, frozenset({BROKER, "h1"})), Sign(11.0, frozenset({"h2"})), Sign(9.0, frozenset({"h1"}))]
    assert recoveries([Done(fault, 10.0, 10.0)], signs) == {FaultKind.HOST_KILL: [2.0]}
    assert recoveries([Done(fault, 13.0, 13.0)], signs) == {}


def test_a_result_speaks_for_the_host_that_ran_its_attempt_and_for_the_model_it_asked() -> None:
    runs = [Run("a", 1, "h1.1", started=1.0), Run("a", 1, "h2.1", started=3.0), Run("a", 2, "h3.1", started=1.0)]
    seen = [SeenResult(2.0, result("a")), SeenResult(4.0, result("a")), SeenResult(5.0, result("b", TaskStatus.FAILED))]
    assert [sign.parts for sign in signs_of_results(seen, runs, {"a", "b"})] == [
        {BROKER, MODEL, "h1"},
        {BROKER, MODEL, "h2"},
        {BROKER},
    ]
    assert list(signs_of(PUBLISHER, [1.0])) == [Sign(1.0, frozenset({PUBLISHER}))]


def a_report(seed: int, *problems: str) -> Report:
    return Report(
        seed=seed,
        tasks=10,
        hosts=3,
        seconds=60.0,
        statuses={"completed": 9, "failed": 1},
        lost=(),
        marked={Cause.RAN_AGAIN.value: 1},
        unmarked={},
        contradictory=0,
        runs={"1": 9, "10": 1},
        faults={"host_kill": 2},
        recovery={"host_kill": [1.0, 3.0]},
        replies=(1, 2),
        dead_letters=1,
        problems=problems,
    )


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    report = a_report(1, "h1 did not end")
    (tmp_path / "report.json").write_text(report.to_json())
    assert json.loads(read_report(tmp_path / "report.json").to_json()) == json.loads(report.to_json())
    assert not report.is_good


def test_reports_are_merged_into_one_table_in_the_order_of_their_seeds() -> None:
    lines = markdown([a_report(2, "h1 did not end"), a_report(1)]).splitlines()
    assert lines[2] == "| 1 | 10 | 2 | 9 | 1 | 0 | 0 | 0 | 0 | 1 | 0 | 10 | kept |"
    assert lines[3].endswith("| broken |")
    assert lines[-1] == "| host_kill | 4 | 2.0 s | 3.0 s |"
