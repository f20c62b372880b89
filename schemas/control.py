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
    PAUSE = "pause"
    RESUME = "resume"
    DRAIN = "drain"
    REPORT = "report"


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
    """A host is here, with these agents. Whoever reads the control log learns from it which agents and hosts there are.

    `queue` is where it hears what is said to it: while that has a consumer, the host is connected.
    """

    kind: Literal[ControlKind.HELLO] = ControlKind.HELLO
    host: str
    agents: tuple[AgentName, ...]
    queue: str | None = None
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


class PauseAgents(Wire):
    """An operator pauses an agent: its hosts take no more of its tasks until a `resume`; what runs goes on.

    `agent` None means all agents, `host` None all hosts. A host that starts later does not know of it.
    `reason` is told in reports and logs.
    """

    kind: Literal[ControlKind.PAUSE] = ControlKind.PAUSE
    agent: AgentName | None = None
    host: str | None = None
    reason: str | None = None
    timestamp: Timestamp = Field(default_factory=now)


class ResumeAgents(Wire):
    """An operator ends the pause that an operator began; one for another cause, as an outage, goes on."""

    kind: Literal[ControlKind.RESUME] = ControlKind.RESUME
    agent: AgentName | None = None
    host: str | None = None
    timestamp: Timestamp = Field(default_factory=now)


class DrainHost(Wire):
    """An operator ends a host as SIGTERM does: it takes no more, lets what runs end, hands back the rest, and goes."""

    kind: Literal[ControlKind.DRAIN] = ControlKind.DRAIN
    host: str
    reason: str | None = None
    timestamp: Timestamp = Field(default_factory=now)


class ReportRequest(Wire):
    """Somebody begins to watch: every host sends all its reports now, at most once a second.

    Said under `report.all`. Transient: the control log does not keep it.
    """

    kind: Literal[ControlKind.REPORT] = ControlKind.REPORT
    timestamp: Timestamp = Field(default_factory=now)


Order = PauseAgents | ResumeAgents | DrainHost
"""What operators say to hosts about themselves, not about a task."""

Control = Annotated[
    CancelTask | Hello | Returned | PauseAgents | ResumeAgents | DrainHost | ReportRequest,
    Field(discriminator="kind"),
]
