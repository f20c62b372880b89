"""Control messages: what operators, programs and hosts say to the hosts on the control exchange."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import AgentName, Timestamp, Wire, now
from schemas.priority import HIGHEST
from schemas.task import TaskId

Digest = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class ControlKind(StrEnum):
    """What is said."""

    CANCEL = "cancel"
    HELLO = "hello"
    RETURNED = "returned"


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


class Returned(Wire):
    """A host hands back deliveries on purpose, before their work began: who gets them next need take them for no crash.

    Said under `returned.<agent>` before a delivery goes back, with its agent and priority; and again under
    `returned.all`, with neither, to a host that has just started. Transient: the control log does not keep it.
    """

    kind: Literal[ControlKind.RETURNED] = ControlKind.RETURNED
    host: str
    digests: tuple[Digest, ...]
    """What the messages are known by on every host; a publisher may have given them no id."""
    agent: AgentName | None = None
    priority: int | None = Field(None, ge=0, le=HIGHEST)
    timestamp: Timestamp = Field(default_factory=now)


Control = Annotated[CancelTask | Hello | Returned, Field(discriminator="kind")]
