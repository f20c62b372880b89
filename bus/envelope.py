"""What our own headers say of a delivery, and the copies of a task that carry them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pamqp import encode
from pydantic import TypeAdapter, ValidationError

from bus.asker import Asker, read_askers, written
from bus.message import Message
from schemas import PastAttempt, TaskMessage

ATTEMPT_HEADER: Final = "x-attempt"
"""Our own count: `x-death` is incremented by 3.10 and ignored by 4.x when a client republishes it."""

REDELIVERIES_HEADER: Final = "x-redeliveries"
"""How often the task was delivered and came back without having been settled. Classic queues do not count that."""

COPIES_HEADER: Final = "x-copies"
"""How often the task has been published again: of two deliveries of one task, the one with more is the newer."""

REPEATED_HEADER: Final = "x-repeated"
"""This message may exist twice: the connection was lost before its first publish was confirmed."""

HISTORY_HEADER: Final = "x-history"
"""The attempts before this one, as JSON: `PastAttempt`s, oldest first."""

ASKERS_HEADER: Final = "x-askers"
"""Who waits for the result beside the message that this is a copy of, as JSON: queues and correlation ids."""

NOT_BEFORE_HEADER: Final = "x-not-before"
"""Milliseconds since 1970: a task that comes off the ladder earlier goes back onto it, no attempt used."""

TASK_ID_HEADER: Final = "x-task-id"
"""The task's id, whatever body and properties say: on dead letters, and on replays of what cannot be read."""

ERROR_HEADERS: Final = ("x-error-code", "x-error-message", "x-error-reason", "x-failed-at", "x-failed-on")
"""What a dead letter carries beside its original properties."""

ORIGINAL_HEADERS: Final = ("x-original-message-id", "x-original-user-id", "x-original-expiration")
"""On a dead letter: properties that a message published by us cannot bear."""

OWN_HEADERS: Final = frozenset(
    (
        ATTEMPT_HEADER,
        REDELIVERIES_HEADER,
        COPIES_HEADER,
        REPEATED_HEADER,
        HISTORY_HEADER,
        ASKERS_HEADER,
        NOT_BEFORE_HEADER,
        TASK_ID_HEADER,
        *ERROR_HEADERS,
        *ORIGINAL_HEADERS,
    )
)
"""All headers that we write; a new life of a task begins without them."""

COUNT_READ: Final = 1_000
"""A count of attempts or redeliveries in a header beyond this is not ours."""

COPIES_READ: Final = 2**31
"""Copies are made as often as a task is put off: their number has no limit that could be reached."""

HISTORY_KEPT: Final = 20
"""Attempts in the history, the latest ones; a hundred with their errors would not fit into a frame."""

ERROR_KEPT: Final = 300
"""Characters of each error in the history."""

HISTORY_BYTES: Final = 49_152
"""A history beyond this is not ours, and would leave no room for other headers; see FOREIGN_BYTES."""

FOREIGN_BYTES: Final = 65_536
"""What a copy keeps of the publisher's headers. All headers of a message share one frame, 128 KiB by default, and ours
need room in it too: a message that is beyond it ends the connection, at each try."""

DEEPEST: Final = 32
"""Levels of tables and lists in a header that a copy keeps; each of them takes several calls to write."""

LEFT_OUT_HEADER: Final = "x-left-out"
"""On a copy: the names of the publisher's headers that it could not keep. It counts as one of them from then on."""

NAMES_KEPT: Final = 1_000
"""Characters of these names."""

_BROKER_HEADERS: Final = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count")
"""Prefixes of what the broker writes; a copy that we publish is a fresh message and must not carry them."""

_MORE_KEYS: Final = frozenset(("CC", "BCC"))
"""More routing keys for the broker: a copy that carried them could go to two rungs, or to the dead of another agent."""

_HISTORY: Final = TypeAdapter(tuple[PastAttempt, ...])


@dataclass(frozen=True, slots=True)
class Envelope:
    """The life of a task so far. `attempt` counts from 1; `redeliveries` and `copies` from 0."""

    attempt: int = 1
    redeliveries: int = 0
    copies: int = 0
    repeated: bool = False
    history: tuple[PastAttempt, ...] = ()
    not_before: datetime | None = None
    askers: tuple[Asker, ...] = ()

    @property
    def was_lost(self) -> bool:
        """Whether somebody else may have done the task as well."""
        return self.repeated or self.redeliveries > 0

    def after(self, past: PastAttempt, not_before: datetime | None = None) -> "Envelope":
        """Return the envelope of the next attempt, after `past` has failed."""
        return replace(self, attempt=self.attempt + 1, history=self._with(past), not_before=not_before)

    def lost(self, past: PastAttempt) -> "Envelope":
        """Return the envelope of the same attempt, after a delivery came back unsettled."""
        return replace(self, redeliveries=self.redeliveries + 1, history=self._with(past))

    def headers(self) -> dict[str, Any]:
        """Return the headers that say this, without those that say nothing."""
        told: dict[str, Any] = {
            REDELIVERIES_HEADER: self.redeliveries,
            COPIES_HEADER: self.copies,
            REPEATED_HEADER: self.repeated,
            HISTORY_HEADER: _HISTORY.dump_json(self.history).decode() if self.history else "",
            ASKERS_HEADER: written(self.askers).decode() if self.askers else "",
            NOT_BEFORE_HEADER: 0 if self.not_before is None else int(self.not_before.timestamp() * 1000),
        }
        return {ATTEMPT_HEADER: self.attempt} | {name: value for name, value in told.items() if value}

    def _with(self, past: PastAttempt) -> tuple[PastAttempt, ...]:
        error = past.error.model_copy(update={"message": past.error.message[:ERROR_KEPT]})
        return (*self.history, past.model_copy(update={"error": error}))[-HISTORY_KEPT:]


def read_envelope(headers: Mapping[str, Any]) -> Envelope:
    """Read what the headers say. What nobody of us can have written counts as absent."""
    return Envelope(
        attempt=_count(headers.get(ATTEMPT_HEADER), 1),
        # Quorum queues count what comes back, under a name of their own.
        redeliveries=_count(headers.get(REDELIVERIES_HEADER), 0) + _count(headers.get("x-delivery-count"), 0),
        copies=_count(headers.get(COPIES_HEADER), 0, COPIES_READ),
        repeated=headers.get(REPEATED_HEADER) is True,
        history=_history(headers.get(HISTORY_HEADER)),
        not_before=_moment(headers.get(NOT_BEFORE_HEADER)),
        askers=read_askers(headers.get(ASKERS_HEADER)),
    )


def copy_of(message: Message, task: TaskMessage, envelope: Envelope) -> Message:
    """Make a copy of a task for its queue or the ladder: all that it came with, its id and times fixed.

    `envelope` is that of the copy's own life, but for the count of copies, which is raised here.
    """
    envelope = replace(envelope, copies=envelope.copies + 1)
    known_by = message.correlation_id or task.id
    # The task's priority, not the envelope's: a publisher may have given it in the body alone.
    kept = replace(message, priority=task.priority, correlation_id=known_by, message_id=None, persistent=True)
    headers = foreign_headers(message.headers) | envelope.headers() | _original(message)
    return replace(kept, headers=headers, body=body_of(task))


def repeated(message: Message) -> Message:
    """Return the message as it is sent once nobody knows whether its first publish has arrived."""
    return replace(message, headers={**message.headers, REPEATED_HEADER: True})


def dead_letter(
    message: Message, task_id: str, reason: str, error: tuple[str, str], envelope: Envelope, failed: tuple[str, str]
) -> Message:
    """Make the dead-letter copy: the original bytes and properties, and why, in headers.

    `error` is (code, message), `failed` is (when, on which host).
    """
    code, text = error
    told = dict(zip(ERROR_HEADERS, (code, text[:1000], reason, *failed), strict=True))
    headers = foreign_headers(message.headers) | envelope.headers() | told | _original(message)
    headers[TASK_ID_HEADER] = task_id
    return replace(message, headers=headers, message_id=None, persistent=True)


def _original(message: Message) -> dict[str, Any]:
    """Return the publisher's properties that our messages cannot bear: from the message, or as its copy kept them."""
    if COPIES_HEADER in message.headers:  # the properties are those of our own publish
        return {name: message.headers[name] for name in ORIGINAL_HEADERS if name in message.headers}
    unsendable = (message.message_id, message.user_id, message.expiration)
    return {name: value for name, value in zip(ORIGINAL_HEADERS, unsendable, strict=True) if value is not None}


def body_of(task: TaskMessage) -> bytes:
    """Return a task as the body of a message."""
    return task.model_dump_json().encode()


def foreign_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the publisher's headers: without those of the broker, for the broker and our own, fit to be sent again.

    What cannot be is left out, the largest first, and named in LEFT_OUT_HEADER.
    """
    foreign = {
        name: value
        for name, value in headers.items()
        if name not in OWN_HEADERS | _MORE_KEYS and not name.startswith(_BROKER_HEADERS)
    }
    sendable = {name: _sendable(value) for name, value in foreign.items() if _nests(value, DEEPEST)}
    fitting = _fitting(sendable)
    left_out = ", ".join(name for name in foreign if name not in fitting)
    return fitting | {LEFT_OUT_HEADER: left_out[:NAMES_KEPT]} if left_out else fitting


def _fitting(headers: Mapping[str, Any]) -> dict[str, Any]:
    sizes = {name: _size(name, value) for name, value in headers.items()}
    kept, left = set(), FOREIGN_BYTES
    for name in sorted(sizes, key=sizes.__getitem__):
        left -= sizes[name]
        if left >= 0:
            kept.add(name)
    return {name: value for name, value in headers.items() if name in kept}


def _size(name: str, value: Any) -> int:
    try:
        return len(encode.field_table({name: value}))
    except (TypeError, ValueError, ArithmeticError):
        return FOREIGN_BYTES + 1  # AMQP has no form for it: a program gave it to the in-memory broker


def _nests(value: Any, levels: int) -> bool:
    """Whether `value` has no more than so many levels of tables and lists."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return not isinstance(value, list) or (levels > 0 and all(_nests(item, levels - 1) for item in value))


def _sendable(value: Any) -> Any:
    """Return a header as pamqp writes it: a text that is not UTF-8 it reads as bytes, which it cannot write."""
    if isinstance(value, bytes):
        return bytearray(value)
    if isinstance(value, Mapping):
        return {name: _sendable(item) for name, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list) else value


def _count(value: object, least: int, most: int = COUNT_READ) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and isinstance(value, int) and least <= value <= most else least


def _history(value: object) -> tuple[PastAttempt, ...]:
    if not isinstance(value, str) or len(value.encode()) > HISTORY_BYTES:
        return ()
    try:
        return _HISTORY.validate_json(value)[-HISTORY_KEPT:]
    except ValidationError:
        return ()


def _moment(value: object) -> datetime | None:
    if not isinstance(value, int):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
