"""When the coordinator is told of whom: heartbeats spread over their interval, and tries ever further apart. Pure."""

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from agents.core.base_agent_v2 import BaseAgentV2
from bus.connection import back_off

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Between two tries at a coordinator that is away."""


@dataclass(order=True, slots=True)
class Visit:
    """An agent whose turn is at `due`: it is registered, if it is not, or else its heartbeat goes out."""

    due: float
    """Monotonic seconds."""
    beat: float
    """The moment of its first heartbeat; the others follow at whole intervals, however long a turn takes."""
    agent: BaseAgentV2 = field(compare=False)
    is_registered: bool = field(default=False, compare=False)


class Beats:
    """Hands out the visits in their order. Whoever takes one puts it back."""

    def __init__(self, agents: Sequence[BaseAgentV2], interval: float) -> None:
        self._interval = interval
        self.visits = [Visit(0.0, 0.0, agent) for agent in agents]
        self._line: list[Visit] = []

    def begin(self, now: float) -> None:
        """Start anew: who is not registered is due now, and the heartbeats follow within an interval."""
        share = self._interval / len(self.visits)
        for place, visit in enumerate(self.visits):
            visit.beat = now + share * (place + 0.5)
            visit.due = visit.beat if visit.is_registered else now
        self._line = sorted(self.visits)

    def forget(self) -> None:
        """Take all agents for unregistered."""
        for visit in self.visits:
            visit.is_registered = False

    def take(self) -> Visit:
        """Return the visit that is due first."""
        return heapq.heappop(self._line)

    def put_back(self, visit: Visit, now: float) -> None:
        """Set a visit for its next heartbeat after `now`; those that were missed are left out."""
        visit.due = next_beat(visit.beat, self._interval, now)
        heapq.heappush(self._line, visit)


def next_beat(first: float, interval: float, now: float) -> float:
    """Return the earliest of `first` and the moments whole intervals after it that is later than `now`."""
    passed = 0 if now < first else math.floor((now - first) / interval) + 1
    return first + passed * interval


def pauses(draw: Callable[[], float]) -> Iterator[float]:
    """Yield the seconds before each further try: between half and the whole of a length that doubles to its longest."""
    for attempt in count():
        yield back_off(attempt, draw, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
