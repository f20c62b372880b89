"""Tasks in hand, for tests of what is decided about them."""

from datetime import UTC, datetime
from typing import Any

from bus.codec import IncomingTask
from bus.envelope import Envelope
from bus.errors import DecodeError
from bus.inflight import Entry
from bus.message import Message
from schemas import PastAttempt, TaskError, TaskMessage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

FRESH = Envelope()
"""Of a task that comes for the first time."""


def entry_of(
    envelope: Envelope = FRESH, *, redelivered: bool = False, fault: DecodeError | None = None, **fields: Any
) -> Entry:
    """A task `t` of the agent `worker`, two seconds after it was made; `fields` are the task's own."""
    task = TaskMessage.model_validate({"id": "t", "agent": "worker", "prompt": "x", "created_at": NOON} | fields)
    incoming = IncomingTask(task, envelope, task.id, anonymous=False, fault=fault)
    return Entry(incoming, Message(b"{}"), [], 2.0, redelivered, delivered_at=0.0, copies=envelope.copies)


def past_attempt(number: int = 1, message: str = "slow", **fields: Any) -> PastAttempt:
    """An attempt that failed at noon."""
    error = TaskError(code="timeout", message=message, retryable=True)
    return PastAttempt(number=number, host="host-1", error=error, ended_at=NOON, **fields)
