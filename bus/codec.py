"""Model <-> AMQP body, properties, headers. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from bus.envelope import TASK_ID_HEADER, Envelope, body_of, read_envelope
from bus.errors import DecodeError
from bus.message import Message
from schemas import (
    BreakerReport,
    Control,
    PoolReport,
    Report,
    Returned,
    TaskEvent,
    TaskMessage,
    TaskResult,
    Wire,
    new_task_id,
)
from schemas.task import TaskId

_TYPES: Final[Mapping[type[Wire], str]] = {
    TaskMessage: "sutazai.task.v1",
    TaskResult: "sutazai.result.v1",
    TaskEvent: "sutazai.event.v1",
}
REPORT_TYPE: Final = "sutazai.report.v1"
CONTROL_TYPE: Final = "sutazai.control.v1"

_REPORTS: Final[TypeAdapter[Report]] = TypeAdapter(Report)
_CONTROLS: Final[TypeAdapter[Control]] = TypeAdapter(Control)
_TASK_ID: Final[TypeAdapter[str]] = TypeAdapter(TaskId)

AnyWire = TypeVar("AnyWire", bound=Wire)


@dataclass(frozen=True, slots=True)
class IncomingTask:
    """A task as it was delivered, and its life so far.

    `key` is what its deliveries are known by: the task's id, or for an unreadable body something that nothing else has,
    since no two such messages are one task. `anonymous`: the publisher gave no id, so one was made here. `fault`: why
    it cannot be read; `task` then holds an id and an agent, and nothing else.
    """

    task: TaskMessage
    envelope: Envelope
    key: str
    anonymous: bool
    fault: DecodeError | None = None


def encode_task(task: TaskMessage, *, reply_to: str | None = None, correlation_id: str | None = None) -> Message:
    """Make the message of a new task; what answers it bears `correlation_id`, or else its id."""
    return Message(
        body=body_of(task),
        type=_TYPES[TaskMessage],
        priority=task.priority,
        correlation_id=correlation_id or task.id,
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
    return Message(
        body=_body(report),
        type=REPORT_TYPE,
        timestamp=report.timestamp,
        persistent=False,
        state_of=_state_told_by(report),
    )


def _state_told_by(report: Report) -> str:
    """Tell apart what is reported with one routing key, and the ways in which a breaker turns, each of which counts."""
    match report:
        case BreakerReport(old=str() as old):
            return f"{report.host} {report.server} {old} {report.state}"
        case BreakerReport() | PoolReport():
            return f"{report.host} {report.server}"
        case _:
            return report.host


def encode_control(control: Control) -> Message:
    """Make a control message; persistent where the control log keeps it, which a word of the moment is not worth."""
    is_kept = not isinstance(control, Returned)
    return Message(body=_body(control), type=CONTROL_TYPE, timestamp=control.timestamp, persistent=is_kept)


def receive_task(message: Message, agent: str, received_at: datetime) -> IncomingTask:
    """Read a task for `agent`, or find out why it cannot be read."""
    try:
        return decode_task(message, agent, received_at)
    except DecodeError as error:
        told = str(error)
    # Out here, and in an error of its own: that one's traceback keeps all that was read, many times the body's size.
    task = TaskMessage.model_construct(id=task_id_of(message) or new_task_id(), agent=agent, created_at=received_at)
    fault = DecodeError(told, message.body)
    return IncomingTask(task, read_envelope(message.headers), new_task_id(), anonymous=True, fault=fault)


def decode_task(message: Message, agent: str, received_at: datetime) -> IncomingTask:
    """Read a task for `agent`. What the body leaves out comes from the AMQP properties and headers.

    Raises:
        DecodeError: the body is no JSON object, or no valid task; the text names the field, the value and the remedy.
    """
    fields = _json_object(message.body)
    given = {name: value for name, value in fields.items() if value is not None}
    if TASK_ID_HEADER in message.headers:
        given["id"] = message.headers[TASK_ID_HEADER]
    anonymous = "id" not in given and message.message_id is None
    found = _from_properties(message, received_at)
    if isinstance(given.get("metadata"), dict):
        given["metadata"] = found["metadata"] | given["metadata"]
    task = _validate(TaskMessage, found | given | {"agent": agent}, message.body)
    _must_be_writable(task, message.body)
    return IncomingTask(task, read_envelope(message.headers), task.id, anonymous)


def decode_result(message: Message) -> TaskResult:
    """Read a terminal result. Raises DecodeError."""
    return _validate(TaskResult, _json_object(message.body), message.body)


def decode_event(message: Message) -> TaskEvent:
    """Read an event. Raises DecodeError."""
    return _validate(TaskEvent, _json_object(message.body), message.body)


def decode_news(message: Message) -> TaskEvent | TaskResult:
    """Read what a queue for both brings, an event or a terminal result. Raises DecodeError."""
    return decode_event(message) if message.type == _TYPES[TaskEvent] else decode_result(message)


def decode_report(message: Message) -> Report:
    """Read a report of any kind. Raises DecodeError."""
    try:
        return _REPORTS.validate_python(_json_object(message.body))
    except ValidationError as error:
        raise DecodeError(_sentence("Report", error), message.body) from error


def decode_control(message: Message) -> Control:
    """Read a control message of any kind. Raises DecodeError."""
    try:
        return _CONTROLS.validate_python(_json_object(message.body))
    except ValidationError as error:
        raise DecodeError(_sentence("Control", error), message.body) from error


def task_id_of(message: Message) -> str | None:
    """Return the best id for a task whose body cannot be read: what its publisher knows it by, if anything."""
    told = message.headers.get(TASK_ID_HEADER)
    candidates = (told, _id_in(message.body), message.correlation_id, message.message_id)
    return next((candidate for candidate in candidates if isinstance(candidate, str) and _is_task_id(candidate)), None)


def _is_task_id(text: str) -> bool:
    try:
        _TASK_ID.validate_python(text)
    except ValidationError:
        return False
    return True


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
        body_of(task)
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
