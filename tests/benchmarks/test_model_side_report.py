"""How benchmarks/model_side.py judges what it has measured."""

import inspect
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.core.request_queue import RequestQueue
from benchmarks.model_race.figures import Passage, Run, longest_request, percentile, standstill, waits
from benchmarks.model_race.report import DEFAULT_LANE_BOUND, Arm, Heat, Report, tables
from schemas import Priority


def passage(model: str, asked: float, began: float, ended: float, priority: Priority = Priority.NORMAL) -> Passage:
    return Passage(model, priority, asked, began, ended)


def a_run(seconds: float, *passages: Passage, writing: float = 1.0) -> Run:
    alone = Passage("a", Priority.NORMAL, 0, 0, 1, reading=1.0, writing=writing)
    return Run(seconds, 2, 10, passages or (alone,))


def a_heat(limit: float = 10, grouped: float = 10.5, as_they_came: float = 40) -> Heat:
    seconds = {Arm.LIMIT: limit, Arm.GROUPED: grouped, Arm.AS_THEY_CAME: as_they_came}
    return {arm: a_run(seconds.get(arm, 15)) for arm in Arm}


def test_standing_still_counts_only_while_no_request_of_the_same_model_runs() -> None:
    assert standstill([]) == 0.0
    first, second, third = passage("a", 0, 0, 2), passage("a", 0, 2, 4), passage("b", 1, 4.5, 6)
    assert standstill([third, first, second]) == 3.5
    assert standstill([first, second]) == 0.0
    assert standstill([first, passage("a", 0, 7, 8)]) == 5.0, "it counts from the end of the one before"
    assert standstill([passage("a", 0, 0, 9), passage("a", 0, 1, 2), passage("a", 0, 9, 10)]) == 0.0


def test_a_wait_counts_from_the_start_of_the_run_to_the_slot() -> None:
    passages = [passage("a", 1, 2, 5, Priority.HIGH), passage("b", 1, 3, 4)]
    assert waits(passages, Priority.HIGH) == [2]
    assert waits(passages, Priority.LOW) == []
    assert longest_request(passages) == 3
    assert longest_request([]) == 0.0


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_one_of_the_values_and_so_many_do_not_exceed_it(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) == 0.0


def test_the_bound_of_a_host_as_it_is_is_the_queue_s_own() -> None:
    assert inspect.signature(RequestQueue).parameters["lane_bound"].default == DEFAULT_LANE_BOUND


def test_ratios_are_taken_heat_by_heat_and_their_median_counts() -> None:
    without_fcfs: Heat = {arm: run for arm, run in a_heat(10, 10.4).items() if arm is not Arm.AS_THEY_CAME}
    report = Report([a_heat(10, 10.5, 42), without_fcfs, a_heat(20, 21, 84), a_heat(10, 30, 30)], 2, 4.0)
    assert report.over_limit == pytest.approx(1.05)
    assert len(report.runs(Arm.AS_THEY_CAME)) == 3
    assert report.gain == pytest.approx(4.0)
    assert report.problems() == []


def test_work_of_others_that_slows_the_model_in_one_arm_only_does_not_count() -> None:
    slowed = {**a_heat(), Arm.GROUPED: a_run(21, writing=3.0)}
    report = Report([slowed], 2, 4.0)
    assert report.ratios(Arm.GROUPED, Arm.LIMIT) == [pytest.approx(2.1)]
    assert report.over_limit == pytest.approx(1.05)
    assert report.gain == pytest.approx(40 / 10.5)


def test_prompts_read_again_are_no_work_that_all_runs_have_in_common() -> None:
    read = [Passage(model, Priority.NORMAL, 0, 0, 1, reading, 0.5) for model, reading in [("a", 2), ("a", 3), ("b", 1)]]
    assert Run(9.0, 3, 10, read).common_work == pytest.approx(3 + 1 + 3 * 0.5)


def test_a_run_is_idle_while_no_request_has_a_slot() -> None:
    overlapping = passage("a", 0, 0.5, 3), passage("a", 0, 1, 2)
    assert a_run(4.5, *overlapping, passage("b", 0, 3.25, 4)).idle == pytest.approx(0.5 + 0.25 + 0.5)
    assert a_run(3, *overlapping).idle == pytest.approx(0.5)


def test_too_little_gain_and_too_long_a_makespan_are_problems() -> None:
    slow, late = Report([a_heat(as_they_came=20)], 2, 4.0).problems(), Report([a_heat(grouped=12)], 2, 4.0).problems()
    assert [text.partition(":")[0] for text in slow] == ["1.90 times the throughput of first come, first served"]
    assert [text.partition(":")[0] for text in late] == ["1.20 times the makespan of the sorted loop"]


@pytest.mark.parametrize(("arm", "bound"), [(Arm.GROUPED, DEFAULT_LANE_BOUND), (Arm.BOUNDED, 4.0)])
def test_a_model_may_wait_for_its_bound_and_what_ran_then_and_no_longer(arm: Arm, bound: float) -> None:
    ran = Passage("a", Priority.NORMAL, 0, 0, 3, reading=1.0, writing=1.0)
    in_time = {**a_heat(), arm: a_run(10.5, ran, passage("b", 0, bound + 3, bound + 4))}
    too_late = {**a_heat(), arm: a_run(10.5, ran, passage("b", 0, bound + 4, bound + 5))}
    assert Report([in_time], 2, 4.0).problems() == []
    (problem,) = Report([a_heat(), too_late], 2, 4.0).problems()
    assert problem.startswith(f"{arm}: a model waited {bound + 4:.1f} s, with a bound of {bound:g} s")


def test_a_report_can_be_read_by_people_and_by_machines() -> None:
    report = Report([a_heat(), a_heat(grouped=12.5)], 2, 4.0)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(*tables(report))
    text = console.export_text()
    assert all(arm.value in text for arm in Arm)
    assert "not so" in text
    read = json.loads(report.to_json())
    assert read["over_limit"] == pytest.approx(1.15)
    assert read["problems"] == report.problems()
    assert read["heats"][0]["grouped"]["seconds"] == 10.5
