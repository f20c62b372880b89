"""TaskEvent: what happens to a task before its result. Transient: who does not listen misses it."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from schemas.base import AgentName, AttemptNumber, Timestamp, Wire, now
from schemas.task import TaskId


class EventKind(StrEnum):
    """The steps of a task that are told as they happen."""

    ACCEPTED = "accepted"
    STARTED = "started"
    CHUNK = "chunk"
    PROGRESS = "progress"
    RETRYING = "retrying"


class TaskEvent(Wire):
    """One step of one task. `data` depends on `kind`.

    accepted: `queue_wait` (s). started: nothing. chunk: `text`, `sequence` from 0.
    progress: `fraction` (0 to 1, or None), `message` (or None), and what the agent adds.
    retrying: `delay` (s), `error` (code, message), `next_attempt`.
    """

    task_id: TaskId
    agent: AgentName
    kind: EventKind
    host: str
    attempt: AttemptNumber = 1
    timestamp: Timestamp = Field(default_factory=now)
    data: dict[str, Any] = Field(default_factory=dict)
