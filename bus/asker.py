"""Who asks for a task's result, and how the copies of a task bear it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from bus.message import Message

ASKERS_BYTES: Final = 4_096
"""What a copy bears of its askers, some thirty of them: all headers of a message share one frame."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A queue that gets a terminal result, and what its owner knows the task by."""

    reply_to: str
    correlation_id: str


_ASKERS: Final = TypeAdapter(tuple[Asker, ...])


def asker_of(message: Message, task_id: str) -> Asker | None:
    """Return who asks with a message of a task, if anybody wants an answer."""
    return Asker(message.reply_to, message.correlation_id or task_id) if message.reply_to else None


def fitting(askers: Iterable[Asker]) -> tuple[Asker, ...]:
    """Return those of the askers, each once and the first ones first, that a copy can bear."""
    kept: tuple[Asker, ...] = ()
    for asker in dict.fromkeys(askers):
        if len(written((*kept, asker))) <= ASKERS_BYTES:
            kept = (*kept, asker)
    return kept


def written(askers: tuple[Asker, ...]) -> bytes:
    """Return the askers as a header bears them: JSON."""
    return _ASKERS.dump_json(askers)


def read_askers(value: object) -> tuple[Asker, ...]:
    """Read such a header. What nobody of us can have written counts as absent."""
    if not isinstance(value, str) or len(value.encode(errors="replace")) > ASKERS_BYTES:
        return ()
    try:
        return _ASKERS.validate_json(value)
    except ValidationError:
        return ()
