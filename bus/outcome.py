"""(how a handler ended, the task) -> outcome. Pure: the consumer publishes and settles what is decided here."""

from dataclasses import dataclass

from bus.inflight import Entry
from bus.retry import Failure, GiveUp, HandBack, Refuse, Retry, RetryPolicy, decide, failure_of
from schemas import TaskError, TaskResult, TaskStatus, Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The task has its terminal result."""

    result: TaskResult


@dataclass(frozen=True, slots=True)
class Buried:
    """The task has its terminal result and cannot be done: a copy goes to the dead-letter queue as well."""

    result: TaskResult
    failure: Failure

    @property
    def reason(self) -> str:
        """Why it lies in the dead-letter queue: rejected, exhausted (its attempts) or permanent."""
        if self.result.status is TaskStatus.REJECTED:
            return "rejected"
        return "exhausted" if self.failure.retryable else "permanent"


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """The task goes to the rung of the ladder."""

    rung_ms: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The task returns to its queue as if it had not been delivered."""

    reason: str


Outcome = Finished | Buried | TriedAgain | HandedBack


def outcome_of_result(entry: Entry, result: TaskResult, seconds: float) -> Outcome:
    """Return the outcome of a handler that returned. A failed result is buried, as a raised permanent error is."""
    fault = _fault_of(result)
    if fault is not None:
        return Buried(ended_result(entry, TaskStatus.FAILED, fault, seconds), fault)
    complete = result.model_copy(
        update={
            **_origin(entry),
            "processing_time": result.processing_time or seconds,
            "usage": (result.usage or Usage()).plus(Usage(queue_wait=entry.queue_wait)),
            "metadata": {**entry.task.metadata, **result.metadata},
        }
    )
    if complete.status in (TaskStatus.FAILED, TaskStatus.REJECTED):
        return Buried(complete, _told_failure(complete.error))
    return Finished(complete)


def outcome_of_error(
    entry: Entry, error: Exception, seconds: float, policy: RetryPolicy, rungs: tuple[int, ...]
) -> Outcome:
    """Return the outcome of a handler that raised."""
    failure = failure_of(error, policy)
    match decide(error, entry.attempt, policy, rungs, max_attempts=entry.task.max_attempts):
        case Retry(rung_ms):
            return TriedAgain(rung_ms, failure)
        case HandBack():
            return HandedBack(failure.message)
        case Refuse():
            return Buried(ended_result(entry, TaskStatus.REJECTED, failure, seconds), failure)
        case GiveUp():
            return Buried(ended_result(entry, TaskStatus.FAILED, failure, seconds), failure)


def outcome_of_expiry(entry: Entry, seconds: float) -> Outcome:
    """Return the outcome of a task whose deadline has passed, before the work or during it."""
    expires = entry.task.expires_at()
    when = "before" if seconds == 0 else "during"
    failure = Failure("expired", f"the deadline {expires:%Y-%m-%dT%H:%M:%SZ} passed {when} the work", retryable=False)
    return Finished(ended_result(entry, TaskStatus.EXPIRED, failure, seconds))


def ended_result(entry: Entry, status: TaskStatus, failure: Failure, seconds: float) -> TaskResult:
    """Make the terminal result of a task that has no result of its own."""
    return TaskResult(
        status=status,
        error=TaskError(code=failure.code, message=failure.message, retryable=failure.retryable),
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
        "redelivered": entry.redelivered,
    }


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
