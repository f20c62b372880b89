"""TaskResult: the one terminal event of a task."""

from enum import StrEnum
from typing import Any, Final

from pydantic import Field, computed_field, model_validator

from schemas.base import MOST, AgentName, AttemptNumber, Count, MappingWire, Seconds, Timestamp, Wire, now
from schemas.task import TaskId

_SPEED: Final = "tokens_per_second"


class TaskStatus(StrEnum):
    """How a task ended. Exactly one of these for each task id."""

    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class TaskError(Wire):
    """Why a task ended without a result. `code` is a stable word for programs, `message` one sentence for people."""

    code: str
    message: str
    retryable: bool = False


class Usage(Wire):
    """What a task cost. Times in seconds; a model's figures are sums over all its calls within the last attempt.

    `queue_wait` counts from the task's `created_at` to this attempt's delivery, so it holds earlier attempts and their
    delays as well.
    """

    queue_wait: Seconds = 0.0
    slot_wait: Seconds = 0.0
    load_time: Seconds = 0.0
    prompt_time: Seconds = 0.0
    generation_time: Seconds = 0.0
    tokens_in: Count = 0
    tokens_out: Count = 0
    model_calls: Count = 0

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_computed(cls, given: Any) -> Any:
        """Read what was written: the speed follows from the rest."""
        is_told = isinstance(given, dict) and _SPEED in given
        return {name: value for name, value in given.items() if name != _SPEED} if is_told else given

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def tokens_per_second(self) -> float:
        """Tokens out in each second of generation; 0 where nothing was generated."""
        return self.tokens_out / self.generation_time if self.generation_time else 0.0

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum of both, field by field; none is above `MOST`. Adding to NO_USAGE, or that, takes no time."""
        if self is NO_USAGE or other is NO_USAGE:
            return other if self is NO_USAGE else self
        return Usage(**{name: min(getattr(self, name) + getattr(other, name), MOST) for name in Usage.model_fields})


NO_USAGE: Final = Usage()
"""What most tasks cost that ask no model, and all before they ask."""


class PastAttempt(Wire):
    """An attempt that ended without a terminal result: `error` says why it was tried again. `seconds` it ran."""

    number: AttemptNumber
    host: str
    error: TaskError
    ended_at: Timestamp
    seconds: Seconds = 0.0


class TaskResult(MappingWire):
    """The outcome of one task.

    `processing_time` is in seconds, of the last attempt alone, its wait for a model slot (`usage.slot_wait`) included.
    Handlers build it with `task_id`, `status`, `result` and `processing_time`, as docs/names.md fixes;
    the consumer fills in agent, attempt, usage and the rest before it is published. `history` holds the attempts
    before this one, oldest first. `model` and `server`, an address without credentials, are those asked last. `host`
    is the process that gave the result; None where none did, as for a task that reached no agent.
    `redelivered`: the broker has handed this task out more than once, so that a second result of it may exist; mostly
    there is none.
    """

    task_id: TaskId
    status: TaskStatus
    result: Any = None
    processing_time: Seconds = 0.0
    error: TaskError | str | None = None
    timestamp: Timestamp = Field(default_factory=now)
    agent: AgentName | None = None
    host: str | None = None
    attempt: AttemptNumber = 1
    model: str | None = None
    server: str | None = None
    usage: Usage | None = None
    parent_id: str | None = None
    history: tuple[PastAttempt, ...] = ()
    redelivered: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
