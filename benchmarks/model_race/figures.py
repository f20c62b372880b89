"""What a run is judged by. Pure; all times in seconds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas import Priority


@dataclass(frozen=True, slots=True)
class Passage:
    """One request: when its agent asked the model, got a slot, and had the answer; from the start of the run.

    `reading` and `writing` are the seconds in which the server read the prompt and wrote the answer, as it tells.
    """

    model: str
    priority: Priority
    asked: float
    began: float
    ended: float
    reading: float = 0.0
    writing: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One way through all tasks, from the first one published to the last result."""

    seconds: float
    loads: int
    """Models loaded by the server."""
    tokens: int
    """Written by the models."""
    passages: Sequence[Passage]

    @property
    def common_work(self) -> float:
        """Seconds for what all runs have in common: to read a prompt of each model once, and to write all answers.

        It tells how slow others made the machine. A prompt that is read again, after a swap, is no part of it.
        """
        reading: defaultdict[str, float] = defaultdict(float)
        for passage in self.passages:
            reading[passage.model] = max(reading[passage.model], passage.reading)
        return sum(reading.values()) + sum(passage.writing for passage in self.passages)

    @property
    def idle(self) -> float:
        """Seconds in which no request had a slot, while some were still to come: what the way to the model costs."""
        without, busy_until = 0.0, 0.0
        for passage in sorted(self.passages, key=lambda passage: passage.began):
            without += max(0.0, passage.began - busy_until)
            busy_until = max(busy_until, passage.ended)
        return without + self.seconds - busy_until


def standstill(passages: Iterable[Passage]) -> float:
    """Return the longest time for which a request waited while none of its model ran: what the lane bound bounds."""
    longest = 0.0
    last_end: defaultdict[str, float] = defaultdict(float)
    for passage in sorted(passages, key=lambda passage: passage.began):
        longest = max(longest, passage.began - max(passage.asked, last_end[passage.model]))
        last_end[passage.model] = max(last_end[passage.model], passage.ended)
    return longest


def longest_request(passages: Iterable[Passage]) -> float:
    """Return how long the longest request held its slot: beyond its bound, a lane waits for what runs to end."""
    return max((passage.ended - passage.began for passage in passages), default=0.0)


def waits(passages: Iterable[Passage], priority: Priority) -> list[float]:
    """Return how long the tasks of a priority waited from the start of the run, when all were published, to a slot."""
    return [passage.began for passage in passages if passage.priority is priority]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` (above 0, up to 1) of the values do not exceed; 0 of none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else 0.0
