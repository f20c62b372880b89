"""What is wrong with an answer, in words for people and for the model that is to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SHOWN: Final = 200
"""Characters of one fault's text: a validator's message may hold the whole answer."""

_MOST: Final = 5
"""Faults that are told: a small model mends few at a time, and the rest are mostly consequences."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not fit. `path` is as in `items.0.price`, empty for the whole answer."""

    path: str
    message: str

    def __str__(self) -> str:
        text = self.message if len(self.message) <= _SHOWN else f"{self.message[:_SHOWN]}..."
        return f"{self.path}: {text}" if self.path else text


class Unfit(Exception):
    """An answer does not fit. Without `is_json` it is no JSON at all, or only the beginning of one."""

    def __init__(self, faults: Sequence[Fault], *, is_json: bool = True) -> None:
        self.faults = tuple(faults[:_MOST])
        self.is_json = is_json
        super().__init__("; ".join(map(str, self.faults)))


def path_of(parts: Sequence[str | int]) -> str:
    """Return the path to a part of an object, its keys and indices joined by dots."""
    return ".".join(map(str, parts))
