import math

import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from schemas import (
    NO_USAGE,
    AgentReport,
    BreakerReport,
    EventKind,
    HostReport,
    PoolReport,
    Report,
    TaskError,
    TaskEvent,
    TaskResult,
    TaskStatus,
    Usage,
    now,
)
from tests.support.messages import results, usages

REPORTS: list[Report] = [
    BreakerReport(host="h", name="n", state="open", consecutive_failures=1, trip_count=2, time_until_retry=3.5),
    PoolReport(
        host="h", slots=1, active=0, waiting=0, waiting_by_priority={"high": 1}, loaded_lane=None, stats={"requests": 1}
    ),
    AgentReport(host="h", agent="a", consumer="consuming", prefetch=1, held=0, health={"ok": True}),
    HostReport(host="h", version="1", agents=["a"], state="running", uptime=1.0, memory_bytes=2, cpu_percent=3.0),
]


@given(results)
def test_a_result_survives_its_way_over_the_wire(result: TaskResult) -> None:
    assert TaskResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.kind.value)
def test_a_report_is_read_as_its_own_kind(report: Report) -> None:
    adapter: TypeAdapter[Report] = TypeAdapter(Report)
    read = adapter.validate_json(report.model_dump_json())
    assert (type(read), read) == (type(report), report)


def test_a_host_of_an_older_version_tells_no_interval() -> None:
    told = REPORTS[-1].model_dump(exclude={"interval"})
    assert HostReport.model_validate(told).interval is None
    assert HostReport.model_validate({**told, "interval": 30}).interval == 30.0
    with pytest.raises(ValidationError):
        HostReport.model_validate({**told, "interval": -1})


def test_an_event_survives_its_way_over_the_wire() -> None:
    event = TaskEvent(task_id="t", agent="a", kind=EventKind.CHUNK, host="h", data={"text": "hel", "sequence": 0})
    assert TaskEvent.model_validate_json(event.model_dump_json()) == event


def test_a_result_needs_an_id_and_a_status_alone() -> None:
    result = TaskResult(task_id="t", status=TaskStatus.COMPLETED)
    assert (result.result, result.processing_time, result.attempt, result["error"]) == (None, 0.0, 1, None)


def test_an_error_may_be_a_sentence_or_a_code_with_one() -> None:
    told = TaskResult.model_validate({"task_id": "t", "status": "failed", "error": {"code": "c", "message": "m"}})
    assert told.error == TaskError(code="c", message="m")
    assert TaskResult(task_id="t", status=TaskStatus.FAILED, error="m").error == "m"


def test_what_json_cannot_say_is_null() -> None:
    result = TaskResult(task_id="t", status=TaskStatus.COMPLETED, result=[math.nan, math.inf])
    assert '"result":[null,null]' in result.model_dump_json()


@pytest.mark.parametrize(
    ("field", "value"), [("status", "done"), ("processing_time", -1), ("attempt", 0), ("task_id", "ü"), ("agent", "A")]
)
def test_an_invalid_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=rf"{field}\n"):
        TaskResult.model_validate({"task_id": "t", "status": "failed", field: value})


ABSURD = [10**400, 2**54, -1, math.inf, math.nan]


@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize("field", ["attempt", "processing_time", *(f"usage {name}" for name in Usage.model_fields)])
def test_a_number_in_a_result_that_nobody_can_add_up_is_an_invalid_field(field: str, number: float) -> None:
    outer, _, inner = field.partition(" ")
    value = {inner: number} if inner else number
    with pytest.raises(ValidationError, match=inner or outer):
        TaskResult.model_validate({"task_id": "t", "status": "failed", outer: value})


def numbers_of(report: Report) -> list[str]:
    """Return the fields that hold a number, given or not."""
    shape = type(report).model_json_schema()["properties"]
    kinds = {name: str(field.get("type", field.get("anyOf"))) for name, field in shape.items()}
    return [name for name, kind in kinds.items() if "integer" in kind or "number" in kind]


@pytest.mark.parametrize("number", [10**400, -1, math.inf, math.nan])
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.kind.value)
def test_a_number_in_a_report_that_nobody_can_add_up_is_an_invalid_field(report: Report, number: float) -> None:
    fields = numbers_of(report)
    assert fields
    for field in fields:
        with pytest.raises(ValidationError, match=field):
            type(report).model_validate(report.model_dump() | {field: number})


@given(usages, usages)
def test_usages_add_up_field_by_field(one: Usage, other: Usage) -> None:
    both = one.plus(other)
    assert both == other.plus(one)
    assert both.tokens_in == one.tokens_in + other.tokens_in
    assert both.plus(Usage()) == both
    assert both.plus(NO_USAGE) is NO_USAGE.plus(both) is both


@pytest.mark.parametrize(
    ("tokens", "seconds", "speed"), [(12, 1.5, 8.0), (0, 1.0, 0.0), (5, 0.0, 0.0), (2**53, 1.0, float(2**53))]
)
def test_tokens_per_second_follow_from_tokens_and_time(tokens: int, seconds: float, speed: float) -> None:
    usage = Usage(tokens_out=tokens, generation_time=seconds)
    assert usage.tokens_per_second == speed
    assert usage.plus(usage).tokens_per_second == pytest.approx(speed if tokens < 2**53 else speed / 2)


def test_tokens_per_second_are_written_and_computed_anew_when_read() -> None:
    written = Usage(tokens_out=12, generation_time=1.5).model_dump_json()
    assert '"tokens_per_second":8.0' in written
    assert Usage.model_validate_json(written) == Usage(tokens_out=12, generation_time=1.5)
    foreign = Usage.model_validate({"tokens_out": 1, "tokens_per_second": "fast", "x_new": 1})
    assert (foreign.tokens_per_second, foreign.model_extra) == (0.0, {"x_new": 1})


def test_a_result_tells_the_server_that_answered() -> None:
    told = TaskResult(task_id="t", status=TaskStatus.COMPLETED, server="http://one:11434")
    assert TaskResult.model_validate_json(told.model_dump_json()).server == "http://one:11434"
    assert TaskResult(task_id="t", status=TaskStatus.COMPLETED).server is None


def test_now_is_in_utc() -> None:
    assert now().utcoffset() is not None
    assert now().isoformat().endswith("+00:00")
