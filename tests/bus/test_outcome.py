from datetime import timedelta

import pytest

from bus.envelope import Envelope
from bus.errors import NotNowError, PermanentError, RejectedError, RetryableError
from bus.inflight import Entry
from bus.outcome import (
    Buried,
    Finished,
    HandedBack,
    Outcome,
    TriedAgain,
    outcome_of_cancel,
    outcome_of_error,
    outcome_of_expiry,
    outcome_of_result,
    without_result,
)
from bus.retry import Failure, RetryPolicy
from schemas import PastAttempt, RetryRules, TaskError, TaskResult, TaskStatus, Usage
from tests.support.entries import NOON, entry_of, past_attempt

RUNGS = (1_000, 2_000)
ONCE = RetryPolicy(max_attempts=2, jitter=0)
LATER = NOON + timedelta(hours=1)
HISTORY = (past_attempt(),)
BUSY = RetryableError("busy")


@pytest.fixture
def entry() -> Entry:
    return entry_of(redelivered=True, parent_id="p", metadata={"a": 1, "b": 1}, deadline=LATER)


def outcome_of(entry: Entry, error: Exception, policy: RetryPolicy = ONCE) -> Outcome:
    return outcome_of_error(entry, error, 0.5, policy, RUNGS, host="host-1", moment=NOON)


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
    assert ended.history == ()


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
    outcome = outcome_of(entry, error)
    assert isinstance(outcome, Buried)
    assert (outcome.reason, outcome.result.status, outcome.result.processing_time) == (reason, status, 0.5)
    assert outcome.result.metadata == entry.task.metadata


def test_an_error_that_may_pass_is_tried_again_with_what_happened_in_the_history(entry: Entry) -> None:
    failure = Failure("retryable", "busy", retryable=True)
    past = PastAttempt(
        number=1,
        host="host-1",
        error=TaskError(code="retryable", message="busy", retryable=True),
        ended_at=NOON,
        seconds=0.5,
    )
    assert outcome_of(entry, BUSY) == TriedAgain(1_000, 1.0, failure, Envelope(2, history=(past,)))


def test_the_last_attempt_is_the_end() -> None:
    last = outcome_of(entry_of(Envelope(2, history=HISTORY)), BUSY)
    assert isinstance(last, Buried)
    assert (last.reason, last.result.attempt, last.result.history) == ("exhausted", 2, HISTORY)
    assert last.result.error == TaskError(code="retryable", message="busy", retryable=True)


def test_a_task_s_own_rules_win() -> None:
    entry = entry_of(Envelope(2), max_attempts=9, retry=RetryRules(base=1.5, on=("permanent",)))
    again = outcome_of(entry, PermanentError("never"))
    assert isinstance(again, TriedAgain)
    assert (again.rung_ms, again.seconds, again.failure.retryable) == (2_000, 6.0, True)
    given_up = outcome_of(entry, BUSY)
    assert isinstance(given_up, Buried)
    assert given_up.reason == "permanent"


@pytest.mark.parametrize(
    ("retry_after", "rung_ms", "not_before"), [(2.0, 2_000, None), (2.5, 2_000, 2.5), (10**9, 2_000, 86_400.0)]
)
def test_a_wait_beyond_the_last_rung_goes_along_as_a_moment(
    retry_after: float, rung_ms: int, not_before: float | None
) -> None:
    again = outcome_of(entry_of(), RetryableError("busy", retry_after=retry_after))
    assert isinstance(again, TriedAgain)
    assert (again.rung_ms, again.seconds) == (rung_ms, not_before or rung_ms / 1000)
    assert again.envelope.not_before == (None if not_before is None else NOON + timedelta(seconds=not_before))


@pytest.mark.parametrize(
    ("left", "error"),
    [
        (1.0, BUSY),
        (0.5, BUSY),
        (2.0, RetryableError("busy", retry_after=1.1)),
        (10.0, RetryableError("busy", retry_after=10)),
    ],
)
def test_an_attempt_that_could_only_begin_after_the_deadline_is_not_waited_for(
    left: float, error: RetryableError
) -> None:
    outcome = outcome_of(entry_of(Envelope(1, history=HISTORY), deadline=NOON + timedelta(seconds=left)), error)
    assert isinstance(outcome, Finished)
    ended = outcome.result
    assert (ended.status, ended.attempt, ended.history, ended.processing_time) == (TaskStatus.EXPIRED, 1, HISTORY, 0.5)
    assert isinstance(ended.error, TaskError)
    assert ended.error.code == "expired"
    assert ended.error.message.startswith("no attempt fits before the deadline 2026-11-22T12:00:")
    assert ended.error.message.endswith("Z; the last one failed: busy")


@pytest.mark.parametrize(("left", "wait"), [(1.1, 0.0), (10.1, 10.0)])
def test_an_attempt_that_can_begin_before_the_deadline_is_made(left: float, wait: float) -> None:
    entry = entry_of(deadline=NOON + timedelta(seconds=left))
    assert isinstance(outcome_of(entry, RetryableError("busy", retry_after=wait)), TriedAgain)


def test_not_now_is_handed_back(entry: Entry) -> None:
    assert outcome_of(entry, NotNowError("open")) == HandedBack("open")


@pytest.mark.parametrize(
    ("seconds", "reason", "told"),
    [
        (0.0, None, "cancelled before the work"),
        (1.5, "changed my mind", "cancelled during the work: changed my mind"),
    ],
)
def test_a_cancelled_task_says_when_and_why(entry: Entry, seconds: float, reason: str | None, told: str) -> None:
    outcome = outcome_of_cancel(entry, reason, seconds)
    assert isinstance(outcome, Finished)
    assert (outcome.result.status, outcome.result.processing_time) == (TaskStatus.CANCELLED, seconds)
    assert outcome.result.error == TaskError(code="cancelled", message=told)
    assert (outcome.result.redelivered, outcome.result.metadata) == (True, entry.task.metadata)


def test_a_result_that_cannot_be_told_leaves_a_failure_in_its_place() -> None:
    told = without_result(result(result="x" * 9, attempt=2), "result_too_large", "it is too large")
    assert (told.status, told.result, told.attempt) == (TaskStatus.FAILED, None, 2)
    assert told.error == TaskError(code="result_too_large", message="it is too large")


@pytest.mark.parametrize(("seconds", "when"), [(0.0, "before"), (1.0, "during")])
def test_an_expired_task_says_when_its_deadline_passed(entry: Entry, seconds: float, when: str) -> None:
    outcome = outcome_of_expiry(entry, seconds)
    assert isinstance(outcome, Finished)
    assert outcome.result.status is TaskStatus.EXPIRED
    assert isinstance(outcome.result.error, TaskError)
    assert outcome.result.error.message == f"the deadline 2026-11-22T13:00:00Z passed {when} the work"


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "the handler returned NoneType, not TaskResult"),
        ({"status": "completed"}, "the handler returned dict, not TaskResult"),
        (result().model_copy(update={"result": object()}), "the handler's result cannot be written as JSON: "),
    ],
)
def test_what_is_no_result_is_a_failure_of_the_handler(entry: Entry, returned: object, told: str) -> None:
    outcome = outcome_of_result(entry, returned, 1.5)  # type: ignore[arg-type]  # what a careless handler returns
    assert isinstance(outcome, Buried)
    assert (outcome.reason, outcome.failure.code) == ("permanent", "invalid_result")
    assert outcome.failure.message.startswith(told)
