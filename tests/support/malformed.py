"""Messages that nobody should send, drawn by a seed, between tasks that are good: what a task queue may meet."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from pamqp.commands import Basic

Fields = dict[str, Any]

HUGE_BYTES: Final = 5 * 2**20
"""Of a body; RabbitMQ takes 16 MiB and more."""

REPEATED_ID: Final = "the same again"
"""An id that many bad messages bear."""


@dataclass(frozen=True)
class Sample:
    """One message. A good one is a task of the id `task_id` that anybody can read, whatever stands around it.

    The id of a bad one is for people alone. `kind` says what is wrong with it, or odd around it.
    """

    kind: str
    task_id: str
    is_good: bool
    body: bytes
    properties: Basic.Properties


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


def samples(seed: int, *, good: int, bad: int, huge: int) -> Iterator[Sample]:
    """Draw so many good tasks and bad messages, `huge` of the latter of 5 MiB, in an order of the seed.

    The same arguments give the same messages. They are made one by one, since together they may fill the memory.
    """
    draw = Random(seed)
    order = ["good"] * good + ["huge"] * huge + ["bad"] * (bad - huge)
    draw.shuffle(order)
    for number, what in enumerate(order):
        yield _good(draw, f"good-{seed}-{number}") if what == "good" else _bad(draw, number, is_huge=what == "huge")


def _good(draw: Random, task_id: str) -> Sample:
    kind, properties = _surroundings(draw) if draw.random() < 0.5 else ("plain", {})
    body = _json({"id": task_id, "prompt": "work"})
    return Sample(f"good: {kind}", task_id, is_good=True, body=body, properties=Anonymous(**properties))


def _bad(draw: Random, number: int, *, is_huge: bool) -> Sample:
    kind, properties = _surroundings(draw) if draw.random() < 0.5 else ("", {})
    task_id = draw.choice([f"bad-{number}", f"bad-{number}", REPEATED_ID, "not\nprintable\0", "x" * 300])
    if is_huge:
        kind = draw.choice(list(HUGE))
        body = HUGE[kind](draw, task_id)
    elif draw.random() < 0.1:  # noqa: PLR2004 - a share
        kind, (name, value) = "bad header", draw.choice(BAD_HEADERS)
        properties = {**properties, "headers": {**properties.get("headers", {}), name: value}}
        body = _json({"id": task_id, "prompt": "work"})
    else:
        kind = draw.choice(list(BODIES))
        body = BODIES[kind](draw, task_id)
    return Sample(kind, task_id, is_good=False, body=body, properties=Anonymous(**properties))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _random_bytes(draw: Random, size: int) -> bytes:
    # Without an opening brace it is no JSON object in any encoding, whatever the rest is by chance.
    return draw.randbytes(size).replace(b"{", b"\xff")


def _truncated(draw: Random, task_id: str) -> bytes:
    whole = _json({"id": task_id, "prompt": "work", "data": {"list": [1, 2.5, None, "text"]}})
    return whole[: draw.randrange(1, len(whole))]


def _wrong_type(draw: Random, task_id: str) -> bytes:
    name, value = draw.choice(WRONG_FIELDS)
    return _json({"id": task_id, "prompt": "work", name: value})


def _huge_number(draw: Random, task_id: str) -> bytes:
    name = draw.choice(["priority", "max_attempts", "timeout", "prompt", "stream"])
    number = draw.choice(["1e999", "-1e999", "1" + "0" * 400, "-1" + "0" * 400, "1" + "0" * 5000])
    return b'{"id": %b, "prompt": "work", "%b": %b}' % (_json(task_id), name.encode(), number.encode())


def _nested(draw: Random, task_id: str) -> bytes:
    depth = draw.choice([400, 900, 5_000, 50_000])
    opening, closing = draw.choice([(b"[", b"]"), (b'{"a":', b"}")])
    inner = b"0" if opening != b"[" else b""
    close = closing * depth if draw.random() < 0.5 else b""  # noqa: PLR2004 - a share
    value = opening * depth + inner + close
    return draw.choice([value, b'{"id": %b, "data": %b}' % (_json(task_id), value)])


def _odd_text(draw: Random, task_id: str) -> bytes:
    return draw.choice(
        [
            b"",
            b" \n",
            b"\xef\xbb\xbf{}",
            b"null",
            b"true",
            b"-0.0",
            b'"text"',
            b"[]",
            b"{}",
            b"NaN",
            b'{"prompt": "\xff\xfe"}',
            b'{"prompt": "\\ud800", "id": %b}' % _json(task_id),
            b'{"prompt": null, "data": null}',
            b'{"prompt": " \\t "}',
            b"<task><prompt>work</prompt></task>",
            b"prompt=work&id=1",
        ]
    )


BODIES: Final[dict[str, Callable[[Random, str], bytes]]] = {
    "random bytes": lambda draw, _: _random_bytes(draw, draw.randrange(1, 400)),
    "truncated": _truncated,
    "wrong type": _wrong_type,
    "huge number": _huge_number,
    "nested": _nested,
    "odd text": _odd_text,
}

HUGE: Final[dict[str, Callable[[Random, str], bytes]]] = {
    "huge random bytes": lambda draw, _: _random_bytes(draw, HUGE_BYTES),
    "huge truncated": lambda _draw, task_id: b'{"id": %b, "prompt": "%b' % (_json(task_id), b"x" * HUGE_BYTES),
    "huge wrong type": lambda _draw, _id: b'{"data": "%b", "priority": "urgent"}' % (b"x" * HUGE_BYTES),
    "huge number": lambda _draw, _id: b'{"prompt": "x", "priority": %b}' % (b"9" * HUGE_BYTES),
    "huge list": lambda _draw, _id: b"[" + b"{}," * (HUGE_BYTES // 3) + b"{}]",
    "huge nesting": lambda _draw, _id: b"[" * HUGE_BYTES,
}

WRONG_FIELDS: Final[list[tuple[str, object]]] = [
    ("prompt", 5),
    ("prompt", ["a", "b"]),
    ("prompt", {"text": "a"}),
    ("id", 7),
    ("id", ["x"]),
    ("id", ""),
    ("id", "ünprintable"),
    ("type", 1),
    ("priority", "urgent"),
    ("priority", 11),
    ("priority", -1),
    ("priority", 4.5),
    ("created_at", "yesterday"),
    ("created_at", True),
    ("created_at", "9999-12-31T23:59:59-23:00"),
    ("deadline", "2030-01-01T00:00:00"),
    ("deadline", []),
    ("timeout", 0),
    ("timeout", "soon"),
    ("timeout", float("nan")),
    ("stream", "perhaps"),
    ("max_attempts", 0),
    ("max_attempts", "many"),
    ("retry", "never"),
    ("retry", {"base": -1}),
    ("retry", {"on": [1]}),
    ("model", ""),
    ("options", [1]),
    ("parent_id", {}),
    ("metadata", 7),
]
"""A field of a task, and a value that makes it no task."""

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


def _surroundings(draw: Random) -> tuple[str, Fields]:
    """Return headers or properties that are odd and change nothing: what they surround is as good as without them."""
    if draw.random() < 0.6:  # noqa: PLR2004 - a share
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
    ("nested", lambda: _levels(150)),
    ("binary", bytearray(range(256))),
    ("raw", Raw("\xff\xfe\x00")),
    ("huge", "x" * 100_000),
    ("huge", "x" * 130_000),
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
