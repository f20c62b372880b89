"""TaskMessage: what a program asks an agent to do."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import uuid4

from pydantic import Field, StringConstraints, model_validator

from schemas.base import AgentName, MappingWire, Timestamp, now
from schemas.priority import Priority, WirePriority
from schemas.retry import RetryRules

TASK_ID_PATTERN = r"^[ -~]{1,128}$"

TaskId = Annotated[str, StringConstraints(pattern=TASK_ID_PATTERN)]
"""Made by the publisher, or once by the first consumer. 1 to 128 printable ASCII characters: it stands in routing keys,
which AMQP limits to 255 bytes."""


END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def new_task_id() -> str:
    """Make an id that no other task has."""
    return uuid4().hex


class TaskMessage(MappingWire):
    """One task. The smallest is `{"prompt": "..."}`; all else has a default or comes from the AMQP properties.

    `deadline` wins over `timeout`, which counts in seconds from `created_at`. `max_attempts`, `retry` and `model`
    override the agent's own; `options` go to the model as they are. `data` is for agents that want more than a prompt.
    """

    id: TaskId = Field(default_factory=new_task_id)
    agent: AgentName
    type: str = "default"
    prompt: str | None = None
    data: Any = None
    priority: WirePriority = Priority.NORMAL.value
    created_at: Timestamp = Field(default_factory=now)
    deadline: Timestamp | None = None
    timeout: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] | None = None
    stream: bool = False
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    retry: RetryRules | None = None
    model: Annotated[str, StringConstraints(min_length=1)] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    parent_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.prompt or "").strip() and self.data is None:
            raise ValueError('a task needs a "prompt" (text) or "data" (anything); this one has neither')
        return self

    def expires_at(self) -> datetime | None:
        """Return the moment after which nobody wants the result, or None."""
        if self.deadline is not None:
            return self.deadline
        if self.timeout is None:
            return None
        return self.created_at + min(timedelta(seconds=self.timeout), END_OF_TIME - self.created_at)
