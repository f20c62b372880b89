"""(how a handler ended, the task) -> outcome. Pure: the consumer publishes and settles what is decided here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bus.envelope import Envelope
from bus.inflight import Entry
from bus.retry import Failure, GiveUp, HandBack, Refuse, Retry, RetryPolicy, decide, failure_of
from schemas import NO_USAGE, PastAttempt, TaskError, TaskResult, TaskStatus, Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The task has its terminal result."""

    result: TaskResult


@dataclass(frozen=True, slots=True)
class Buried:
    """The task has its terminal result and cannot be done: a copy goes to the dead-letter queue as well."""

    result: TaskResult
    failure: Failure

    reason: str
    """Why it lies in the dead-letter queue: unreadable, rejected, permanent, exhausted (its attempts) or poison."""


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """The task goes to a rung of the ladder; `envelope` is that of its next attempt. `seconds` it waits at least."""

    rung_ms: int
    seconds: float
    failure: Failure
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Postponed:
    """The same attempt comes later: it goes to a rung of the ladder, with what is now known of it."""

    rung_ms: int
    envelope: Envelope
    reason: str


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The task returns to its queue as if it had not been delivered."""

    reason: str


Outcome = Finished | Buried | TriedAgain | Postponed | HandedBack


def outcome_of_result(entry: Entry, result: TaskResult, seconds: float) -> Outcome:
    """Return the outcome of a handler that returned. A failed result is buried, as a raised permanent error is."""
    fault = _fault_of(result)
    if fault is not None:
        return buried(entry, TaskStatus.FAILED, fault, seconds, "permanent")
    complete = result.model_copy(
        update={
            **_origin(entry),
            "processing_time": result.processing_time or seconds,
            "usage": (result.usage or NO_USAGE).plus(Usage(queue_wait=entry.queue_wait)),
            "metadata": {**entry.task.metadata, **result.metadata},
        }
    )
    if complete.status in (TaskStatus.FAILED, TaskStatus.REJECTED):
        reason = "rejected" if complete.status is TaskStatus.REJECTED else "permanent"
        return Buried(complete, _told_failure(complete.error), reason)
    return Finished(complete)


def outcome_of_error(
    entry: Entry,
    error: Exception,
    seconds: float,
    policy: RetryPolicy,
    rungs: tuple[int, ...],
    *,
    host: str,
    moment: datetime,
) -> Outcome:
    """Return the outcome of a handler that raised, on `host` at `moment`."""
    policy = policy.with_rules(entry.task.retry, entry.task.max_attempts)
    failure = failure_of(error, policy)
    match decide(error, entry.attempt, policy, rungs):
        case Retry(rung_ms, wait):
            past = PastAttempt(
                number=entry.attempt, host=host, error=_error_of(failure), ended_at=moment, seconds=seconds
            )
            return _later(entry, past, failure, rung_ms, wait, rungs[-1])
        case HandBack():
            return HandedBack(failure.message)
        case Refuse():
            return buried(entry, TaskStatus.REJECTED, failure, seconds, "rejected")
        case GiveUp():
            reason = "exhausted" if failure.retryable else "permanent"
            return buried(entry, TaskStatus.FAILED, failure, seconds, reason)


def _later(entry: Entry, past: PastAttempt, failure: Failure, rung_ms: int, seconds: float, longest_ms: int) -> Outcome:
    expires = entry.task.expires_at()
    waits = max(seconds, rung_ms / 1000)
    if expires is not None and past.ended_at + timedelta(seconds=waits) >= expires:
        told = f"no attempt fits before the deadline {_shown(expires)}; the last one failed: {failure.message}"
        expired = Failure("expired", told, retryable=False)
        return Finished(ended_result(entry, TaskStatus.EXPIRED, expired, past.seconds))
    needs_more = seconds * 1000 > longest_ms
    not_before = past.ended_at + timedelta(seconds=seconds) if needs_more else None
    return TriedAgain(rung_ms, waits, failure, entry.envelope.after(past, not_before))


def outcome_of_expiry(entry: Entry, seconds: float) -> Outcome:
    """Return the outcome of a task whose deadline has passed, before the work or during it."""
    expires = entry.task.expires_at()
    when = "before" if seconds == 0 else "during"
    failure = Failure("expired", f"the deadline {_shown(expires)} passed {when} the work", retryable=False)
    return Finished(ended_result(entry, TaskStatus.EXPIRED, failure, seconds))


def outcome_of_cancel(entry: Entry, reason: str | None, seconds: float) -> Outcome:
    """Return the outcome of a task that was cancelled, before the work or during it."""
    when = "before" if seconds == 0 else "during"
    why = f": {reason}" if reason else ""
    failure = Failure("cancelled", f"cancelled {when} the work{why}", retryable=False)
    return Finished(ended_result(entry, TaskStatus.CANCELLED, failure, seconds))


def buried(entry: Entry, status: TaskStatus, failure: Failure, seconds: float, reason: str) -> Buried:
    """Return the outcome of a task that cannot be done."""
    return Buried(ended_result(entry, status, failure, seconds), failure, reason)


def ended_result(entry: Entry, status: TaskStatus, failure: Failure, seconds: float) -> TaskResult:
    """Make the terminal result of a task that has no result of its own."""
    return TaskResult(
        status=status,
        error=_error_of(failure),
        processing_time=seconds,
        usage=Usage(queue_wait=entry.queue_wait),
        metadata=entry.task.metadata,
        **_origin(entry),
    )


def without_result(result: TaskResult, code: str, message: str) -> TaskResult:
    """Return the failed result of a task whose own result cannot be told."""
    error = TaskError(code=code, message=message)
    return result.model_copy(update={"status": TaskStatus.FAILED, "result": None, "error": error})


def _origin(entry: Entry) -> dict[str, object]:
    return {
        "task_id": entry.task.id,
        "agent": entry.task.agent,
        "attempt": entry.attempt,
        "parent_id": entry.task.parent_id,
        "history": entry.envelope.history,
        "redelivered": entry.redelivered,
    }


def _error_of(failure: Failure) -> TaskError:
    return TaskError(code=failure.code, message=failure.message, retryable=failure.retryable)


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _fault_of(result: object) -> Failure | None:
    if not isinstance(result, TaskResult):
        return Failure(
            "invalid_result", f"the handler returned {type(result).__name__}, not TaskResult", retryable=False
        )
    try:
        result.model_dump_json()
    except ValueError as error:
        return Failure("invalid_result", f"the handler's result cannot be written as JSON: {error}", retryable=False)
    return None


def _told_failure(error: TaskError | str | None) -> Failure:
    if isinstance(error, TaskError):
        return Failure(error.code, error.message, error.retryable)
    return Failure("failed", error or "the agent reported a failure without saying why", retryable=False)
