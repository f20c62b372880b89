"""What the doctor has seen, as frozen data: of the agents, of the broker and of the model servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.core.settings import Settings
from bus.broker import QueueInfo
from schemas import AgentReport

Row = Mapping[str, Any]
"""One object of an API's JSON; its fields differ from version to version."""


@dataclass(frozen=True, slots=True)
class CheckedAgent:
    """An agent as the doctor knows it; `model` None where nothing here describes the agent.

    `num_ctx` None leaves the context to the server; `task_timeout` (seconds) None is the settings'.
    """

    name: str
    model: str | None = None
    num_ctx: int | None = None
    task_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Permissions:
    """Patterns of the names that a user may configure, write and read, as RabbitMQ has them."""

    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class ManagementFacts:
    """What the management API tells of the virtual host.

    Attributes:
        exchanges: rows by name.
        queues: rows by name; rates are means over the last ten minutes.
        bindings: exchange, queue and key.
        consumers: rows with `queue`, `consumer_tag` and `prefetch_count`.
        permissions: None where only an administrator is told.
        skew: seconds that the broker's clock is ahead of ours; None where the answer bore no date.
        looked_at: when all this was asked for, in seconds since 1970 by our clock.
    """

    exchanges: Mapping[str, Row] = field(default_factory=dict)
    queues: Mapping[str, Row] = field(default_factory=dict)
    bindings: frozenset[tuple[str, str, str]] = frozenset()
    consumers: Sequence[Row] = ()
    permissions: Permissions | None = None
    skew: float | None = None
    looked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What AMQP tells, and the management API where it answers.

    Attributes:
        description: where the broker is, and its version; None where it could not be reached.
        error: why it could not be reached, or what went wrong on the way.
        has_vhost: whether the virtual host that could not be opened exists; None where nobody tells.
        agents: names of the agents that were looked at.
        queues: counts by name; None for a queue that is missing.
        refused: what a second declaration of a queue is refused for, by name; looked at without the management API.
        unwritable: exchanges that this user may not write to, and what the broker said.
        management_error: why the management API does not answer.
        reports: what hosts tell of their agents; asked for where a task queue has no consumer.
    """

    description: str | None = None
    error: str | None = None
    has_vhost: bool | None = None
    agents: Sequence[str] = ()
    queues: Mapping[str, QueueInfo | None] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unwritable: Mapping[str, str] = field(default_factory=dict)
    management: ManagementFacts | None = None
    management_error: str | None = None
    reports: Sequence[AgentReport] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """One token asked of a model. `seconds` without those of loading; `error` where none came."""

    model: str
    seconds: float = 0.0
    load_seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A model server: rows of `/api/tags` and `/api/ps`.

    `memory` is that of its machine in bytes, where that is this one.
    """

    url: str
    error: str | None = None
    version: str = ""
    installed: Sequence[Row] = ()
    loaded: Sequence[Row] = ()
    generation: Generation | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it, with the settings that say what was expected."""

    settings: Settings
    broker: BrokerFacts
    agents: Sequence[CheckedAgent]
    servers: Sequence[ServerFacts]
