"""Headers and properties that a well-meant library would not send, odd or wrong."""

from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from pamqp.commands import Basic

Fields = dict[str, Any]

REPEATED_ID: Final = "the same again"
"""An id that many messages bear."""


class Anonymous(Basic.Properties):
    """Properties without a message_id where none is given; aiormq itself would add one."""

    def __init__(self, message_id: str | None = None, **given: Any) -> None:
        super().__init__(**given)
        self._given_id = message_id

    def marshal(self) -> bytes:
        """Encode them."""
        self.message_id = self._given_id
        return super().marshal()


class Raw(str):
    """A text whose bytes on the wire are others, as of a program that knows no UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the characters as bytes of their own."""
        del encoding, errors
        return super().encode("latin-1")


class Distant(datetime):
    """A timestamp that no datetime can hold."""

    def timestamp(self) -> float:
        """Return seconds since 1970, of a year far beyond 9999."""
        return float(99_999_999_999_999_999)


def odd_surroundings(draw: Random) -> tuple[str, Fields]:
    """Return headers or properties that are odd and change nothing: what they surround is as good as without them."""
    if draw.random() < 0.6:
        name, value = draw.choice(ODD_HEADERS)
        return f"header {name}", {"headers": {name: value() if callable(value) else value}}
    name, value = draw.choice(ODD_PROPERTIES)
    return f"property {name}", {name: value}


def _levels(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


ODD_HEADERS: Final[list[tuple[str, Any]]] = [
    ("nested", lambda: _levels(5)),
    ("nested", lambda: _levels(40)),
    ("nested", lambda: _levels(250)),
    ("binary", bytearray(range(256))),
    ("raw", Raw("\xff\xfe\x00")),
    ("huge", "x" * 100_000),
    ("huge", "x" * 130_900),
    ("many", {f"k{n}": n for n in range(3_000)}),
    ("large float", 1e300),
    ("nothing", None),
    ("far", Distant(2000, 1, 1, tzinfo=UTC)),
    ("k" * 128, "long name"),
    ("CC", ["nobody"]),
    ("x-attempt", "many"),
    ("x-attempt", -1),
    ("x-attempt", 2**62),
    ("x-attempt", {"a": [1]}),
    ("x-attempt", True),
    ("x-history", "not json"),
    ("x-history", '[{"number": 0}]'),
    ("x-history", "[" * 5_000),
    ("x-history", 7),
    ("x-history", bytearray(b"\xff")),
    ("x-not-before", "tomorrow"),
    ("x-not-before", -(2**62)),
    ("x-not-before", 2**62),
    ("x-not-before", [1]),
    ("x-redeliveries", "many"),
    ("x-redeliveries", {"a": 1}),
    ("x-askers", "[7]"),
    ("x-askers", 7),
    ("x-copies", "many"),
    ("x-copies", -5),
    ("x-repeated", "yes"),
    ("x-error-reason", {"a": 1}),
    ("x-death", "mine"),
    ("x-delivery-count", "many"),
    ("traceparent", 7),
    ("traceparent", bytearray(b"\xff")),
    ("traceparent", lambda: _levels(20)),
    ("traceparent", "0" * 10_000),
]
"""Some are made when they are drawn: what nests is written recursively each time it is shown."""

ODD_PROPERTIES: Final[list[tuple[str, Any]]] = [
    ("content_type", "text/plain"),
    ("content_type", Raw("\xff" * 255)),
    ("content_encoding", "gzip"),
    ("message_type", "sutazai.result.v1"),
    ("message_type", Raw("\xc3\x28")),
    ("priority", 255),
    ("priority", 9),
    ("correlation_id", Raw("\xff" * 255)),
    ("correlation_id", "\n\0"),
    ("correlation_id", REPEATED_ID),
    ("reply_to", "nobody-waits-here"),
    ("reply_to", "x" * 255),
    ("reply_to", "amq.rabbitmq.reply-to.nobody"),
    ("message_id", Raw("\xff\xfe")),
    ("message_id", "x" * 255),
    ("message_id", REPEATED_ID),
    ("timestamp", Distant(2000, 1, 1, tzinfo=UTC)),
    ("timestamp", datetime(1970, 1, 1, tzinfo=UTC)),
    ("app_id", Raw("\x80")),
    ("delivery_mode", 1),
]

BAD_HEADERS: Final[list[tuple[str, object]]] = [
    ("x-task-id", 7),
    ("x-task-id", {"a": 1}),
    ("x-task-id", ""),
    ("x-task-id", bytearray(b"\xff")),
    ("deadline", "tomorrow"),
    ("deadline", {"at": [1]}),
    ("deadline", bytearray(b"\xff\x00")),
    ("timeout", -1),
    ("timeout", "soon"),
    ("timeout", [1]),
]
"""Headers that say something of a task, and wrongly: it is refused, however good its body is."""
