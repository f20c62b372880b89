"""A dead letter -> the message that has it done again. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from bus.codec import decode_task, task_id_of
from bus.envelope import ERROR_HEADERS, TASK_ID_HEADER, body_of, foreign_headers, read_envelope
from bus.errors import DecodeError
from bus.message import Message
from schemas import TaskMessage

REPLAY_OF_HEADER: Final = "x-replay-of"
"""On the replay of a body that cannot be read: the id of the task before it. Elsewhere `metadata.replay_of` says it."""

REASON_HEADER: Final = ERROR_HEADERS[2]
"""Our hosts write it where they bury a task, and they publish its terminal result then."""

ID_LENGTH: Final = 128
"""The longest task id."""

_DIGEST_LENGTH: Final = 12
"""Hexadecimal digits that keep apart what only differs where it is cut, or what nobody gave an id."""


def letter_id(message: Message) -> str:
    """Return what a dead letter is known by: its task's id, or a name made of all it holds where nobody gave one."""
    return task_id_of(message) or f"unnamed-{_digest(repr(message))}"


def has_ended(message: Message) -> bool:
    """Whether the task of a dead letter has its terminal result: one of our hosts has buried it."""
    return REASON_HEADER in message.headers


def replay_copy(message: Message, agent: str, now: datetime) -> Message:
    """Make the message that has a dead letter of `agent` done again.

    A task that has its terminal result becomes a new one, always under the same new id (`next_id`), so that a replay
    repeated after a crash is the same task. Its times begin anew, and a deadline that has passed is dropped; all else
    that came from its publisher is kept. Whoever waits for the old one's `correlation_id` hears of this one.

    One without a result, dead-lettered by the broker itself or never routed, is the same task still: bytes, id,
    attempts and deadline stay; only the deliveries that came back count anew.
    """
    if not has_ended(message):
        return _same_task(message)
    try:
        task = decode_task(message, agent, now).task
    except DecodeError:
        return _same_bytes(message)
    return _new_task(message, task, now)


def next_id(task_id: str) -> str:
    """Return the id of the replay of `task_id`: `order-7~1` for `order-7`, `order-7~2` for `order-7~1`.

    An id that grows too long is cut, with a digest of it in place of its end.
    """
    found = re.fullmatch(r"(.*)~([1-9][0-9]*)", task_id, re.DOTALL)
    name, number = (found[1], int(found[2]) + 1) if found else (task_id, 1)
    ending = f"~{number}"
    if len(name) + len(ending) > ID_LENGTH:
        ending = f"-{_digest(name)}{ending}"
        name = name[: ID_LENGTH - len(ending)]
    return f"{name}{ending}"


def _same_task(message: Message) -> Message:
    known_by = message.headers.get(TASK_ID_HEADER)
    told = {TASK_ID_HEADER: known_by} if isinstance(known_by, str) else {}
    envelope = read_envelope(message.headers)
    # Of the deliveries of one task, consumers take the one with the most copies for the newest.
    life = replace(envelope, redeliveries=0, copies=envelope.copies + 1).headers()
    return replace(message, headers=foreign_headers(message.headers) | life | told, persistent=True)


def _same_bytes(message: Message) -> Message:
    old = letter_id(message)
    told = {TASK_ID_HEADER: next_id(old), REPLAY_OF_HEADER: old}
    return replace(message, headers=foreign_headers(message.headers) | told, message_id=None, persistent=True)


def _new_task(message: Message, task: TaskMessage, now: datetime) -> Message:
    old = letter_id(message)
    deadline = None if task.deadline is not None and task.deadline <= now else task.deadline
    renewed = task.model_copy(
        update={
            "id": next_id(old),
            "created_at": now,
            "deadline": deadline,
            "metadata": task.metadata | {"replay_of": old},
        }
    )
    return replace(
        message,
        body=body_of(renewed),
        headers=_headers_without_times(message.headers),
        priority=task.priority,
        correlation_id=message.correlation_id or old,
        message_id=None,
        timestamp=now,
        persistent=True,
    )


def _headers_without_times(headers: Mapping[str, Any]) -> dict[str, Any]:
    # The body says them now; in a header, the dropped deadline would come back.
    told_in_body = ("deadline", "timeout", REPLAY_OF_HEADER)
    return {name: value for name, value in foreign_headers(headers).items() if name not in told_in_body}


def _digest(text: str) -> str:
    return sha256(text.encode(errors="backslashreplace")).hexdigest()[:_DIGEST_LENGTH]
