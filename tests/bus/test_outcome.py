from datetime import UTC, datetime

import pytest

from bus.errors import NotNowError, PermanentError, RejectedError, RetryableError
from bus.inflight import Entry
from bus.message import Message
from bus.outcome import (
    Buried,
    Finished,
    HandedBack,
    TriedAgain,
    outcome_of_error,
    outcome_of_expiry,
    outcome_of_result,
)
from bus.retry import Failure, RetryPolicy
from schemas import TaskError, TaskMessage, TaskResult, TaskStatus, Usage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUNGS = (1_000, 2_000)
ONCE = RetryPolicy(max_attempts=2, jitter=0)


@pytest.fixture
def entry() -> Entry:
    task = TaskMessage(id="t", agent="worker", prompt="x", parent_id="p", metadata={"a": 1, "b": 1}, deadline=NOON)
    return Entry(task, 1, Message(b"{}"), [], queue_wait=2.0, redelivered=True, anonymous=False)


def result(status: TaskStatus = TaskStatus.COMPLETED, **fields: object) -> TaskResult:
    return TaskResult.model_validate({"task_id": "whatever the handler says", "status": status, **fields})


def test_a_result_is_completed_with_what_the_consumer_knows(entry: Entry) -> None:
    said = result(result=1, metadata={"b": 2}, usage=Usage(tokens_in=3, queue_wait=1.0))
    outcome = outcome_of_result(entry, said, 1.5)
    assert isinstance(outcome, Finished)
    ended = outcome.result
    assert (ended.task_id, ended.agent, ended.attempt, ended.parent_id) == ("t", "worker", 1, "p")
    assert (ended.redelivered, ended.processing_time, ended.metadata) == (True, 1.5, {"a": 1, "b": 2})
    assert ended.usage == Usage(tokens_in=3, queue_wait=3.0)


def test_a_handler_s_own_time_is_kept(entry: Entry) -> None:
    outcome = outcome_of_result(entry, result(processing_time=9.0), 1.5)
    assert isinstance(outcome, Finished)
    assert outcome.result.processing_time == 9.0


@pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.EXPIRED, TaskStatus.CANCELLED])
def test_what_was_not_refused_or_failed_is_finished(entry: Entry, status: TaskStatus) -> None:
    outcome = outcome_of_result(entry, result(status), 1.0)
    assert isinstance(outcome, Finished)
    assert outcome.result.status is status


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (TaskError(code="c", message="m", retryable=True), Failure("c", "m", retryable=True)),
        ("a sentence", Failure("failed", "a sentence", retryable=False)),
        (None, Failure("failed", "the agent reported a failure without saying why", retryable=False)),
    ],
)
def test_a_reported_failure_is_buried_with_its_reason(
    entry: Entry, error: TaskError | str | None, failure: Failure
) -> None:
    outcome = outcome_of_result(entry, result(TaskStatus.FAILED, error=error), 1.0)
    assert isinstance(outcome, Buried)
    assert (outcome.failure, outcome.result.status) == (failure, TaskStatus.FAILED)


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (PermanentError("x"), "permanent", TaskStatus.FAILED),
        (RejectedError("x"), "rejected", TaskStatus.REJECTED),
        (ZeroDivisionError(), "permanent", TaskStatus.FAILED),
    ],
)
def test_an_error_for_good_is_buried(entry: Entry, error: Exception, reason: str, status: TaskStatus) -> None:
    outcome = outcome_of_error(entry, error, 0.5, ONCE, RUNGS)
    assert isinstance(outcome, Buried)
    assert (outcome.reason, outcome.result.status, outcome.result.processing_time) == (reason, status, 0.5)
    assert outcome.result.metadata == entry.task.metadata


def test_a_retryable_error_is_tried_again_until_the_attempts_are_used_up(entry: Entry) -> None:
    busy = RetryableError("busy")
    assert outcome_of_error(entry, busy, 0.5, ONCE, RUNGS) == TriedAgain(1_000, Failure("retryable", "busy", True))  # noqa: FBT003 - Failure's third field
    entry.attempt = 2
    last = outcome_of_error(entry, busy, 0.5, ONCE, RUNGS)
    assert isinstance(last, Buried)
    assert last.reason == "exhausted"
    assert isinstance(last.result.error, TaskError)
    assert last.result.error.retryable


def test_not_now_is_handed_back(entry: Entry) -> None:
    assert outcome_of_error(entry, NotNowError("open"), 0.5, ONCE, RUNGS) == HandedBack("open")


@pytest.mark.parametrize(("seconds", "when"), [(0.0, "before"), (1.0, "during")])
def test_an_expired_task_says_when_its_deadline_passed(entry: Entry, seconds: float, when: str) -> None:
    outcome = outcome_of_expiry(entry, seconds)
    assert isinstance(outcome, Finished)
    assert outcome.result.status is TaskStatus.EXPIRED
    assert isinstance(outcome.result.error, TaskError)
    assert outcome.result.error.message == f"the deadline 2026-11-22T12:00:00Z passed {when} the work"
