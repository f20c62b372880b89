"""Messages that nobody should send, drawn by a seed, between tasks that are good: what a task queue may meet."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.support.malformed_properties import BAD_HEADERS, REPEATED_ID, Anonymous, Fields, odd_surroundings

HUGE_BYTES: Final = 5 * 2**20
"""Of a body; RabbitMQ takes 16 MiB and more."""


@dataclass(frozen=True)
class Sample:
    """One message. A good one is a task of the id `task_id` that anybody can read, whatever stands around it.

    The id of a bad one is for people alone. `kind` says what is wrong with it, or odd around it.
    """

    kind: str
    task_id: str
    is_good: bool
    body: bytes
    properties: Anonymous


def samples(seed: int, *, good: int, bad: int, huge: int) -> Iterator[Sample]:
    """Draw so many good tasks and bad messages, `huge` of the latter of 5 MiB, in an order of the seed.

    The same arguments give the same messages. They are made one by one, since together they may fill the memory.
    """
    draw = Random(seed)  # noqa: S311 - a storm that can be repeated
    order = ["good"] * good + ["huge"] * huge + ["bad"] * (bad - huge)
    draw.shuffle(order)
    for number, what in enumerate(order):
        yield _good(draw, f"good-{seed}-{number}") if what == "good" else _bad(draw, number, is_huge=what == "huge")


def _good(draw: Random, task_id: str) -> Sample:
    kind, properties = odd_surroundings(draw) if draw.random() < 0.5 else ("plain", Fields())
    body = _json({"id": task_id, "prompt": "work"})
    return Sample(f"good: {kind}", task_id, is_good=True, body=body, properties=Anonymous(**properties))


def _bad(draw: Random, number: int, *, is_huge: bool) -> Sample:
    kind, properties = odd_surroundings(draw) if draw.random() < 0.5 else ("", Fields())
    task_id = draw.choice([f"bad-{number}", f"bad-{number}", REPEATED_ID, "not\nprintable\0", "x" * 300])
    if is_huge:
        kind = draw.choice(list(HUGE))
        body = HUGE[kind](draw, task_id)
    elif draw.random() < 0.1:
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
    close = closing * depth if draw.random() < 0.5 else b""
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
