import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agents.exporter.bounded_names import BoundedNames
from agents.exporter.labels import Labels
from agents.exporter.task_metrics import TaskMetrics
from schemas import TaskResult, TaskStatus, Usage
from tests.support.metrics_page import MetricsPage

ASKED = Usage(queue_wait=4.0, slot_wait=2.0, load_time=0.2, tokens_in=10, tokens_out=3, model_calls=1)


def result(agent: str | None = "x", status: TaskStatus = TaskStatus.COMPLETED, **fields: object) -> TaskResult:
    return TaskResult.model_validate(
        {"task_id": "1", "status": status, "agent": agent, "processing_time": 1.5, **fields}
    )


def page_of(*results: TaskResult, labels: Labels | None = None, expected: tuple[str, ...] = ()) -> MetricsPage:
    registry = CollectorRegistry()
    metrics = TaskMetrics(registry, labels or Labels())
    for agent in expected:
        metrics.expect(agent)
    for told in results:
        metrics.count(told)
    return MetricsPage(generate_latest(registry).decode())


def test_results_are_counted_by_agent_and_status_with_their_times_and_retries() -> None:
    page = page_of(result(), result(usage=ASKED, model="m"), result("y", TaskStatus.FAILED, attempt=3), result("y"))
    assert page("sutazai_tasks_total", agent="x", status="completed") == 2
    assert page("sutazai_tasks_total", agent="y", status="failed") == 1
    assert page.of("sutazai_task_retries_total", "agent") == {"x": 0, "y": 2}
    assert page("sutazai_task_processing_seconds_sum", agent="x") == pytest.approx(3.0)
    assert page("sutazai_task_processing_seconds_bucket", agent="x", le="2.5") == 2
    assert page("sutazai_task_processing_seconds_bucket", agent="x", le="1.0") == 0
    assert page("sutazai_task_queue_wait_seconds_sum", agent="x") == 4


def test_a_task_that_ended_before_any_attempt_is_no_short_attempt() -> None:
    untouched = result(status=TaskStatus.EXPIRED, processing_time=0.0)
    stopped = result(status=TaskStatus.EXPIRED, processing_time=2.0)
    page = page_of(untouched, stopped, result(processing_time=0.0))
    assert page("sutazai_tasks_total", agent="x", status="expired") == 2
    assert page("sutazai_task_processing_seconds_count", agent="x") == 2
    assert page("sutazai_task_processing_seconds_sum", agent="x") == 2


def test_tokens_slot_waits_and_loads_count_for_the_model_that_was_asked_and_for_no_other() -> None:
    page = page_of(result(usage=ASKED, model="m"), result(usage=ASKED, model="m"), result(usage=Usage(), model="n"))
    assert page.of("sutazai_tokens_total", "direction") == {"in": 20, "out": 6}
    assert page.of("sutazai_slot_wait_seconds_sum", "model") == {"m": 4}
    assert page.of("sutazai_model_load_seconds_count", "model") == {"m": 2}


def test_an_expected_agent_begins_at_zero_so_that_its_first_failure_is_an_increase() -> None:
    page = page_of(expected=("x",))
    assert page.of("sutazai_tasks_total", "status") == dict.fromkeys([status.value for status in TaskStatus], 0)
    assert page("sutazai_task_retries_total", agent="x") == 0


def test_agents_and_models_beyond_the_bound_are_counted_as_other_and_no_moment_of_making_is_told() -> None:
    labels = Labels(agents=BoundedNames(1), models=BoundedNames(1))
    told = [result(name, usage=ASKED, model=name) for name in "xyz"]
    page = page_of(*told, result(None), labels=labels)
    assert page.of("sutazai_task_processing_seconds_count", "agent") == {"x": 1, "other": 3}
    assert page.of("sutazai_slot_wait_seconds_count", "model") == {"x": 1, "other": 2}
    assert not [sample.name for sample in page.samples if sample.name.endswith("_created")]
