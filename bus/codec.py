"""Model <-> AMQP body, properties, headers. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from bus.errors import DecodeError
from bus.message import Message
from schemas import Report, TaskEvent, TaskMessage, TaskResult, Wire

ATTEMPT_HEADER: Final = "x-attempt"
"""Our own count: `x-death` is incremented by 3.10 and ignored by 4.x when a client republishes it."""

ERROR_HEADERS: Final = ("x-error-code", "x-error-message", "x-error-reason", "x-failed-at", "x-failed-on")
"""What a dead letter carries beside its original properties."""

MAX_ATTEMPTS_READ: Final = 1_000
"""An attempt header beyond this is not ours."""

_BROKER_HEADERS: Final = ("x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count")
"""Prefixes of what the broker writes; a copy that we publish is a fresh message and must not carry them."""

_TYPES: Final[Mapping[type[Wire], str]] = {
    TaskMessage: "sutazai.task.v1",
    TaskResult: "sutazai.result.v1",
    TaskEvent: "sutazai.event.v1",
}
REPORT_TYPE: Final = "sutazai.report.v1"

_REPORTS: Final[TypeAdapter[Report]] = TypeAdapter(Report)

AnyWire = TypeVar("AnyWire", bound=Wire)


@dataclass(frozen=True, slots=True)
class IncomingTask:
    """A readable task and what its envelope said. `anonymous`: the publisher gave no id, so one was made here."""

    task: TaskMessage
    attempt: int
    anonymous: bool


def encode_task(task: TaskMessage, *, reply_to: str | None = None) -> Message:
    """Make the message of a new task."""
    return Message(
        body=_body(task),
        type=_TYPES[TaskMessage],
        priority=task.priority,
        correlation_id=task.id,
        reply_to=reply_to,
        timestamp=task.created_at,
    )


def encode_result(result: TaskResult, *, correlation_id: str | None = None) -> Message:
    """Make the message of a terminal result; `correlation_id` is the task's own, if its publisher gave one."""
    return Message(
        body=_body(result),
        type=_TYPES[TaskResult],
        correlation_id=correlation_id or result.task_id,
        timestamp=result.timestamp,
    )


def encode_event(event: TaskEvent) -> Message:
    """Make the transient message of an event."""
    return Message(body=_body(event), type=_TYPES[TaskEvent], correlation_id=event.task_id, persistent=False)


def encode_report(report: Report) -> Message:
    """Make the transient message of a report."""
    return Message(body=_body(report), type=REPORT_TYPE, timestamp=report.timestamp, persistent=False)


def decode_task(message: Message, agent: str, received_at: datetime) -> IncomingTask:
    """Read a task for `agent`. What the body leaves out comes from the AMQP properties and headers.

    Raises:
        DecodeError: the body is no JSON object, or no valid task; the text names the field, the value and the remedy.
    """
    fields = _json_object(message.body)
    anonymous = fields.get("id") is None and message.message_id is None
    given = {name: value for name, value in fields.items() if value is not None}
    found = _from_properties(message, received_at)
    if isinstance(given.get("metadata"), dict):
        given["metadata"] = found["metadata"] | given["metadata"]
    task = _validate(TaskMessage, found | given | {"agent": agent}, message.body)
    _must_be_writable(task, message.body)
    return IncomingTask(task, _attempt_of(message.headers), anonymous)


def decode_result(message: Message) -> TaskResult:
    """Read a terminal result. Raises DecodeError."""
    return _validate(TaskResult, _json_object(message.body), message.body)


def decode_event(message: Message) -> TaskEvent:
    """Read an event. Raises DecodeError."""
    return _validate(TaskEvent, _json_object(message.body), message.body)


def decode_report(message: Message) -> Report:
    """Read a report of any kind. Raises DecodeError."""
    try:
        return _REPORTS.validate_python(_json_object(message.body))
    except ValidationError as error:
        raise DecodeError(_sentence("Report", error), message.body) from error


def retry_copy(message: Message, task: TaskMessage, attempt: int) -> Message:
    """Make the copy of a task for the ladder: all it came with, its id and times fixed, and the attempt's number."""
    headers = own_headers(message.headers) | {ATTEMPT_HEADER: attempt}
    known_by = message.correlation_id or task.id
    # The task's priority, not the envelope's: a publisher may have given it in the body alone.
    kept = replace(message, priority=task.priority, correlation_id=known_by, headers=headers)
    return replace(kept, body=_body(task), message_id=None)


def dead_letter(
    message: Message, reason: str, error: tuple[str, str], attempt: int, host: str, when: datetime
) -> Message:
    """Make the dead-letter copy: the original bytes and properties, and why, in headers. `error` is (code, message)."""
    code, text = error
    told = (code, text[:1000], reason, when.isoformat(), host)
    headers = own_headers(message.headers) | dict(zip(ERROR_HEADERS, told, strict=True)) | {ATTEMPT_HEADER: attempt}
    return replace(message, headers=headers, message_id=None, persistent=True)


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers without those that the broker writes."""
    return {name: _sendable(value) for name, value in headers.items() if not name.startswith(_BROKER_HEADERS)}


def _sendable(value: Any) -> Any:
    """Return a header as pamqp writes it: a text that is not UTF-8 it reads as bytes, which it cannot write."""
    if isinstance(value, bytes):
        return bytearray(value)
    if isinstance(value, Mapping):
        return {name: _sendable(item) for name, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list) else value


def task_id_of(message: Message) -> str | None:
    """Return the best id for a task whose body cannot be read: what its publisher knows it by, if anything."""
    for candidate in (_id_in(message.body), message.correlation_id, message.message_id):
        if candidate and len(candidate) <= 128 and candidate.isascii() and candidate.isprintable():  # noqa: PLR2004 - TaskId's limit
            return candidate
    return None


def _id_in(body: bytes) -> str | None:
    try:
        value = _json_object(body).get("id")
    except DecodeError:
        return None
    return value if isinstance(value, str) else None


def _body(model: Wire) -> bytes:
    return model.model_dump_json().encode()


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(
            f'the body is not JSON ({error}): send an object such as {{"prompt": "..."}}', body
        ) from error
    if not isinstance(value, dict):
        raise DecodeError(
            f'the body is a JSON {type(value).__name__}, not an object: send one such as {{"prompt": "..."}}', body
        )
    return value


def _validate(model: type[AnyWire], fields: Mapping[str, Any], raw: bytes) -> AnyWire:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise DecodeError(_sentence(model.__name__, error), raw) from error


def _must_be_writable(task: TaskMessage, raw: bytes) -> None:
    # JSON can say what UTF-8 and pydantic cannot write: half of a surrogate pair, hundreds of nested levels. Found out
    # only at the end of the work, it would keep the task from being retried or answered.
    try:
        _body(task)
    except ValueError as error:
        raise DecodeError(f"the task cannot be written as JSON again ({error}): send plain text", raw) from error


def _sentence(model: str, error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False)[:3]
    told = "; ".join(_fault(fault["loc"], fault["input"], fault["msg"]) for fault in faults)
    return f"not a valid {model}: {told}".encode(errors="backslashreplace").decode()


def _fault(where: tuple[int | str, ...], value: Any, told: str) -> str:
    sentence = told.removeprefix("Value error, ")
    # A fault of the message as a whole has no place, and its value is all of it.
    return f"{'.'.join(map(str, where))} = {_shortened(value)}: {sentence}" if where else sentence


def _shortened(value: Any) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "(nested too deeply)"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - one line on a terminal


def _from_properties(message: Message, received_at: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"created_at": message.timestamp or received_at}
    if message.message_id is not None:
        found["id"] = message.message_id
    # A foreign message without a priority is what the broker makes of it: 0. Above 9 the broker clamps too.
    found["priority"] = min(message.priority or 0, 9)
    for name in ("deadline", "timeout"):
        if name in message.headers:
            found[name] = message.headers[name]
    traced = "traceparent" in message.headers
    found["metadata"] = {"traceparent": str(message.headers["traceparent"])} if traced else {}
    return found


def _attempt_of(headers: Mapping[str, Any]) -> int:
    value = headers.get(ATTEMPT_HEADER)
    return value if isinstance(value, int) and 1 <= value <= MAX_ATTEMPTS_READ else 1
