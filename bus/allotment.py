"""Which queue of a host gets a free place among the deliveries that it holds, and which delivery makes room. Pure.

The order, in which a host with many agents takes from their queues:

0. What waits for other tasks, which it has given to other agents, counts for its own agent alone: those may need the
   place. Back from there it counts again, and the host may hold more than its bound for a while.
1. What is held beyond the bound goes back: the lowest priority, of that the newest, of those whose work has not begun.
2. A queue believed empty has its consumer open, so that what comes is delivered and the host is seen there. Once all
   places are taken, every other consumer is shut: it would give the next free place to its own queue.
3. A free place goes to the queue with the highest priority waiting; within a priority to one that has waited beyond
   OVERDUE_SECONDS; then to an agent whose model is loaded; then to the one that has waited longest.
4. Without a free place, a queue whose waiting priority is above that of something held whose work has not begun is
   fetched from all the same, and 1 follows. A queue whose agent works on all it may gives up one of its own.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bus.backlog import Backlog
from bus.hold import Hold
from bus.topology import MAX_PRIORITY

OVERDUE_SECONDS: Final = 30.0
"""How long an agent may wait within its priority for others whose model is loaded; the model's queue has the same."""

Prefers = Callable[[str], bool]
"""Whether an agent's model is loaded."""


@dataclass(slots=True)
class Line:
    """The queue of one agent, as its host sees it; `limit` is the agent's own bound, its handlers at once."""

    agent: str
    limit: int
    backlog: Backlog = field(default_factory=Backlog)
    is_open: bool = False
    """Whether its consumer takes by itself."""
    is_away: bool = False
    """Whether it takes part in nothing: paused, or at its end."""
    is_busy: bool = False
    """Whether the broker is being asked something for it."""
    is_fetching: bool = False
    """Whether that is a message, for which a place is kept."""


class Step(StrEnum):
    """What can be done about a line."""

    LOOK = "look"
    OPEN = "open"
    SHUT = "shut"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Ask:
    """Do this for a line."""

    step: Step
    line: Line


@dataclass(frozen=True, slots=True)
class SendBack:
    """Hand this back."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something has to go back, and all that is held has begun or is busy: look again in a moment."""


Move = Ask | SendBack | Stuck


class Allotment:
    """The host's side of one decision: its lines, what it holds, its bound, the time."""

    def __init__(
        self, lines: Iterable[Line], holds: Collection[Hold], bound: int, now: float, prefers: Prefers = lambda _: False
    ) -> None:
        self._lines = {line.agent: line for line in lines}
        self._staying = [hold for hold in holds if not hold.is_leaving]
        self._counted = [hold for hold in self._staying if not hold.is_elsewhere]
        self._giving_back = {hold.agent for hold in holds if hold.is_leaving}
        self._of_line = Counter(hold.agent for hold in self._staying)
        self._taken = sum(not hold.is_elsewhere for hold in holds)
        self._taken += sum(line.is_fetching for line in self._lines.values())
        self._bound = bound
        self._now = now
        self._prefers = prefers

    def next_move(self) -> Move | None:
        """Return what to do next; None: nothing, until something changes."""
        return self._look() or self._excess() or self._door() or self._fetch()

    def _look(self) -> Move | None:
        unknown = (line for line in self._ready if line.backlog.needs_look)
        return next((Ask(Step.LOOK, line) for line in unknown), None)

    def _excess(self) -> Move | None:
        over = [line.agent for line in self._lines.values() if self._of_line[line.agent] > line.limit]
        if len(self._counted) > self._bound:
            return self._make_room(self._counted)
        if over:
            return self._make_room([hold for hold in self._staying if hold.agent == over[0]])
        return None

    def _make_room(self, holds: Sequence[Hold]) -> Move:
        hold = min(filter(self._may_leave, holds), key=lambda hold: (hold.priority, -hold.order), default=None)
        if hold is None:
            return Stuck()
        line = self._lines[hold.agent]
        if line.is_busy:
            return Stuck()
        # An open consumer would have it back at once.
        return Ask(Step.SHUT, line) if line.is_open else SendBack(hold)

    def _door(self) -> Move | None:
        for line in self._ready:
            if line.backlog.top is None and not line.is_open and self._may_open(line):
                return Ask(Step.OPEN, line)
            if line.is_open and self._waits(line) and self._taken >= self._bound:
                return Ask(Step.SHUT, line)
        return None

    def _may_open(self, line: Line) -> bool:
        # What is on its way back would come straight back to an open consumer.
        return self._of_line[line.agent] < line.limit and line.agent not in self._giving_back

    def _fetch(self) -> Move | None:
        waiting = [line for line in self._ready if self._waits(line)]
        free = [line for line in waiting if self._has_room(line)]
        urgent = [line for line in waiting if line not in free and self._is_urgent(line)]
        if free or urgent:
            return Ask(Step.FETCH, min((*free, *urgent), key=self._rank))
        # A handler that has just begun may come to wait for the model in a moment.
        lowest = min((hold.priority for hold in self._counted), default=MAX_PRIORITY)
        return Stuck() if any((line.backlog.top or 0) > lowest for line in waiting) else None

    @property
    def _ready(self) -> Iterable[Line]:
        return (line for line in self._lines.values() if not line.is_away and not line.is_busy)

    def _waits(self, line: Line) -> bool:
        # What comes for an open consumer without a delivery in hand is delivered by itself.
        takes_itself = line.is_open and self._of_line[line.agent] == 0
        return line.backlog.top is not None and not takes_itself

    def _has_room(self, line: Line) -> bool:
        return self._taken < self._bound and self._of_line[line.agent] < line.limit

    def _is_urgent(self, line: Line) -> bool:
        if self._taken > self._bound:
            return False
        is_full = self._of_line[line.agent] >= line.limit
        rivals = (hold for hold in self._staying if not is_full or hold.agent == line.agent)
        top = line.backlog.top or 0
        return any(hold.priority < top for hold in rivals if self._may_leave(hold))

    def _may_leave(self, hold: Hold) -> bool:
        line = self._lines.get(hold.agent)
        return line is not None and not line.is_away and hold.may_leave

    def _rank(self, line: Line) -> tuple[int, float, bool, float]:
        waited_since = line.backlog.since
        overdue = waited_since if self._now - waited_since > OVERDUE_SECONDS else float("inf")
        return -(line.backlog.top or 0), overdue, not self._prefers(line.agent), waited_since
