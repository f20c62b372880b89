"""Which faults happen when, and to whom. Pure: one seed gives the same schedule every time."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PUBLISHER: Final = "publisher"
BROKER: Final = "broker"
MODEL: Final = "model"
REPLIES: Final = "replies"


class FaultKind(StrEnum):
    """What can be done to a part of the fleet."""

    HOST_KILL = "host_kill"
    HOST_TERM = "host_term"
    TCP_DROP = "tcp_drop"
    TCP_BLACKHOLE = "tcp_blackhole"
    BROKER_RESTART = "broker_restart"
    MODEL_DOWN = "model_down"
    MODEL_ERRORS = "model_errors"
    MODEL_BROKEN_STREAMS = "model_broken_streams"
    MODEL_HANG = "model_hang"
    REPLY_QUEUE_DELETED = "reply_queue_deleted"
    MEMORY_ALARM = "memory_alarm"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it begins `at` seconds after the start, lasts `seconds` and hits `target`."""

    kind: FaultKind
    at: float
    seconds: float
    target: str


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was carried out. `since`, in seconds since 1970, is when recovery from it could begin.

    That is when it was healed, or where nobody has to heal it, when it was done.
    """

    fault: Fault
    began: float
    since: float


SECONDS: Final[Mapping[FaultKind, tuple[float, float]]] = {
    FaultKind.HOST_KILL: (0.0, 0.0),
    FaultKind.HOST_TERM: (0.0, 0.0),
    FaultKind.TCP_DROP: (0.0, 0.0),
    FaultKind.TCP_BLACKHOLE: (1.0, 5.0),
    FaultKind.BROKER_RESTART: (0.0, 0.0),
    FaultKind.MODEL_DOWN: (3.0, 8.0),
    FaultKind.MODEL_ERRORS: (3.0, 8.0),
    FaultKind.MODEL_BROKEN_STREAMS: (3.0, 8.0),
    FaultKind.MODEL_HANG: (3.0, 8.0),
    FaultKind.REPLY_QUEUE_DELETED: (0.0, 0.0),
    FaultKind.MEMORY_ALARM: (3.0, 6.0),
}
"""How long each kind lasts, from and to. What comes back by itself lasts no time."""

HEARTBEAT_SECONDS: Final = 2
"""In the AMQP addresses of hosts and publisher: aiormq gives up a silent peer after (2 + 1) * 3 s."""

LONG_BLACKHOLE_SECONDS: Final = 14.0
"""Longer than that. One black hole of each storm lasts so long, on a host."""

HEALING_SECONDS: Final = 16.0
"""No fault begins in the last seconds of a storm, so that all are healed at its end."""

SECONDS_BETWEEN: Final = 4.0
"""From one fault to the next, on average."""

_HOST_KINDS: Final = frozenset({FaultKind.HOST_KILL, FaultKind.HOST_TERM})
_LINK_KINDS: Final = frozenset({FaultKind.TCP_DROP, FaultKind.TCP_BLACKHOLE})
_BROKER_KINDS: Final = frozenset({FaultKind.BROKER_RESTART, FaultKind.MEMORY_ALARM})
_WEIGHTS: Final = {kind: 1 if kind in _BROKER_KINDS else 3 for kind in FaultKind}
"""Beyond the first of each kind. Under a broker that is away most of the time, little else would happen."""


def draw_schedule(seed: int, seconds: float, hosts: Sequence[str]) -> list[Fault]:
    """Draw the faults of a storm of so many seconds, in the order of their times; each kind is among them."""
    draw = random.Random(f"faults {seed}")  # noqa: S311 - a storm that can be repeated, no secret
    span = max(1.0, seconds - HEALING_SECONDS)
    kinds = list(FaultKind)
    more = max(0, round(span / SECONDS_BETWEEN) - len(kinds))
    kinds += draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=more)
    draw.shuffle(kinds)
    long_one = kinds.index(FaultKind.TCP_BLACKHOLE)
    step = span / len(kinds)
    return [
        _fault(draw, kind, (number + draw.random()) * step, hosts, is_long=number == long_one)
        for number, kind in enumerate(kinds)
    ]


def _fault(draw: random.Random, kind: FaultKind, at: float, hosts: Sequence[str], *, is_long: bool) -> Fault:
    if is_long:
        return Fault(kind, at, LONG_BLACKHOLE_SECONDS, draw.choice(hosts))
    return Fault(kind, at, draw.uniform(*SECONDS[kind]), _target(draw, kind, hosts))


def _target(draw: random.Random, kind: FaultKind, hosts: Sequence[str]) -> str:
    if kind in _HOST_KINDS:
        return draw.choice(hosts)
    if kind in _LINK_KINDS:
        return draw.choice([*hosts, PUBLISHER])
    if kind is FaultKind.REPLY_QUEUE_DELETED:
        return REPLIES
    return BROKER if kind in _BROKER_KINDS else MODEL
