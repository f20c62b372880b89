"""Tone: how good or bad something is; its sign says it where colours do not."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Tone(StrEnum):
    """How something stands."""

    PLAIN = "plain"
    GOOD = "good"
    DIM = "dim"
    WARN = "warn"
    BAD = "bad"


SIGNS: Final[Mapping[Tone, str]] = {
    Tone.PLAIN: " ",
    Tone.GOOD: "●",
    Tone.DIM: "○",
    Tone.WARN: "!",
    Tone.BAD: "✗",
}

_TONES: Final[Mapping[str, Tone]] = {
    # of an agent's consumer
    "consuming": Tone.GOOD,
    "full": Tone.GOOD,
    "paused": Tone.WARN,
    "mixed": Tone.WARN,
    "lost": Tone.BAD,
    "silent": Tone.BAD,
    "no host": Tone.WARN,
    # of a breaker
    "closed": Tone.GOOD,
    "half_open": Tone.WARN,
    "open": Tone.BAD,
    # of a host
    "running": Tone.GOOD,
    "draining": Tone.WARN,
    "handing_back": Tone.WARN,
    "closing": Tone.WARN,
    # of a result
    "completed": Tone.GOOD,
    "failed": Tone.BAD,
    "rejected": Tone.BAD,
    "expired": Tone.WARN,
    "cancelled": Tone.WARN,
}


def tone_of(state: str) -> Tone:
    """Return the tone of a state's word; a state that is neither good nor bad, or unknown, is dim."""
    return _TONES.get(state, Tone.DIM)


def signed(state: str) -> str:
    """Return a state's word behind its sign, as in `✗ lost`."""
    return f"{SIGNS[tone_of(state)]} {state}"
