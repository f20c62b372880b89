"""Control messages: what operators and programs say to the hosts on the control exchange."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import AgentName, Timestamp, Wire, now
from schemas.task import TaskId


class ControlKind(StrEnum):
    """What is said."""

    CANCEL = "cancel"
    HELLO = "hello"


class CancelTask(Wire):
    """Nobody wants this task any more: it ends as `cancelled`, before or during the work.

    `agent` None goes to all agents. `reason` is repeated in the result.
    """

    kind: Literal[ControlKind.CANCEL] = ControlKind.CANCEL
    task_id: TaskId
    agent: AgentName | None = None
    reason: str | None = None
    timestamp: Timestamp = Field(default_factory=now)


class Hello(Wire):
    """A host has started, with these agents. What keeps the control log learns from it which agents there are."""

    kind: Literal[ControlKind.HELLO] = ControlKind.HELLO
    host: str
    agents: tuple[AgentName, ...]
    timestamp: Timestamp = Field(default_factory=now)


Control = Annotated[CancelTask | Hello, Field(discriminator="kind")]
