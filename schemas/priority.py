"""Priority: a number 0..9, higher first, from the publisher to the model slot."""

from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


class Priority(IntEnum):
    """The names people use. They straddle the two buckets of quorum queues in RabbitMQ 4.0 to 4.2 (<= 4, > 4)."""

    BACKGROUND = 0
    LOW = 2
    NORMAL = 4
    HIGH = 7
    CRITICAL = 9


HIGHEST = Priority.CRITICAL.value


def parse_priority(value: str | int) -> int:
    """Read a name in any case, or a number 0..9.

    Raises:
        ValueError: neither; the text names the value and what is allowed.
    """
    text = str(value).strip()
    if text.upper() in Priority.__members__:
        return Priority[text.upper()].value
    if text.isdecimal() and int(text) <= HIGHEST:
        return int(text)
    names = ", ".join(f"{p.name.lower()} ({p.value})" for p in Priority)
    raise ValueError(f"priority {text!r} is not known: use a number 0..{HIGHEST}, or one of {names}")


def priority_name(value: int) -> str:
    """Return the nearest name at or below `value`, in lower case: 5 reads as normal."""
    return max(p for p in Priority if p.value <= max(0, value)).name.lower()


def _from_name(value: Any) -> Any:
    return parse_priority(value) if isinstance(value, str) else value


WirePriority = Annotated[int, BeforeValidator(_from_name), Field(ge=0, le=HIGHEST)]
"""A priority in a message: a number 0..9, or one of the names."""
