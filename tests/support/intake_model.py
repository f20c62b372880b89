"""A host's queues without a broker: carries out the moves of the allotment as a broker with strict priorities would."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack

from bus.allotment import Allotment, Ask, Line, Move, SendBack, Step, Stuck
from bus.hold import Hold

MOST_MOVES = 2_000
"""Beyond this many in a row, they would go on for ever."""


OnFetch = Callable[[Line], None]


class Wait:
    """A wait that a test begins and ends."""

    def __init__(self) -> None:
        self.waits = True
        self.was_ended = False

    def is_waiting(self) -> bool:
        return self.waits

    def hand_back(self, _reason: str) -> None:
        self.was_ended = True


class IntakeModel:
    """Queues of agents with a limit each, and the deliveries that a host with a bound holds of them.

    All that arrives is announced. `on_fetch` is called before each fetch.
    """

    def __init__(self, limits: dict[str, int], bound: int) -> None:
        self.lines = {agent: Line(agent, limit) for agent, limit in limits.items()}
        self.bound = bound
        self.queues: defaultdict[str, list[int]] = defaultdict(list)
        self.holds: list[Hold] = []
        self._elsewhere: dict[Hold, ExitStack] = {}
        self.scouts: dict[str, Hold] = {}
        """The delivery, unsettled, that an agent's consumer has taken by itself: its prefetch is 1."""
        self.most = 0
        self.now = 0.0
        self.is_stuck = False
        self.moves: list[Move] = []
        self.on_fetch: OnFetch = lambda _: None
        self.settle()

    def publish(self, agent: str, priority: int) -> None:
        """A task arrives."""
        self.queues[agent].append(priority)
        self.lines[agent].backlog.heard(priority, self.now)
        self.settle()

    def begin(self, hold: Hold) -> None:
        """The model begins to work on something held."""
        assert isinstance(hold.waiting, Wait)
        hold.waiting.waits = False
        self.settle()

    def await_another(self, hold: Hold) -> None:
        """The work on something held comes to wait for another task."""
        assert isinstance(hold.waiting, Wait)
        hold.waiting.waits = False
        stack = self._elsewhere.setdefault(hold, ExitStack())
        stack.enter_context(hold.elsewhere())
        self.settle()

    def go_on(self, hold: Hold) -> None:
        """The other tasks are done."""
        self._elsewhere.pop(hold, ExitStack()).close()
        self.settle()

    def finish(self, hold: Hold) -> None:
        """Something held is done."""
        self._drop(hold)
        self.settle()

    def pause(self, agent: str) -> None:
        """The consumer pauses; what waits goes back."""
        self.lines[agent].is_away = True
        self._close(agent)
        for hold in [hold for hold in self.holds if hold.agent == agent and hold.may_leave]:
            hold.send_back("")
            self._return(hold)
        self.settle()

    def resume(self, agent: str) -> None:
        """The consumer takes part again, and knows nothing."""
        line = self.lines[agent]
        line.is_away = line.is_open = False
        line.backlog.forget()
        self.settle()

    def settle(self) -> None:
        """Do all that is to be done."""
        self._push()
        for _ in range(MOST_MOVES):
            move = self.allotment().next_move()
            self.is_stuck = isinstance(move, Stuck)
            if move is None or isinstance(move, Stuck):
                if not self._put_back():
                    return
            else:
                self.moves.append(move)
                self._carry_out(move)
            self._push()
        raise AssertionError(f"no end of moves: {self.moves[-10:]}")

    def allotment(self) -> Allotment:
        return Allotment(self.lines.values(), self.holds, self.bound, self.now)

    @property
    def counted(self) -> int:
        """How many places are taken."""
        return sum(not hold.is_elsewhere for hold in self.holds)

    def held(self, agent: str) -> list[Hold]:
        return [hold for hold in self.holds if hold.agent == agent]

    def _carry_out(self, move: Move) -> None:
        match move:
            case SendBack(hold):
                assert hold.may_leave
                assert not self.lines[hold.agent].is_open
                hold.send_back("")
            case Ask(Step.LOOK, line):
                line.backlog.ask()
                line.backlog.counted(len(self.queues[line.agent]), self.now, stale_after=30)
            case Ask(Step.OPEN, line):
                line.is_open = True
            case Ask(Step.SHUT, line):
                self._close(line.agent)
            case Ask(Step.FETCH, line):
                self.on_fetch(line)
                line.backlog.ask()
                line.backlog.fetched(self._deliver(line), self.now)

    def _close(self, agent: str) -> None:
        self.lines[agent].is_open = False
        self.scouts.pop(agent, None)

    def _push(self) -> None:
        for agent, line in self.lines.items():
            if line.is_open and agent not in self.scouts and self.queues[agent]:
                self._deliver(line)
                self.scouts[agent] = self.holds[-1]

    def _deliver(self, line: Line) -> int | None:
        queue = self.queues[line.agent]
        if not queue:
            return None
        priority = max(queue)
        queue.remove(priority)
        hold = Hold(line.agent, priority)
        hold.waiting = Wait()
        self.holds.append(hold)
        self.most = max(self.most, len(self.holds))
        line.backlog.delivered(priority, self.now)
        return len(queue)

    def _put_back(self) -> bool:
        """Let one delivery that was told to go back arrive there; False if there is none."""
        hold = next((hold for hold in self.holds if hold.is_leaving), None)
        if hold is None:
            return False
        assert not self.lines[hold.agent].is_open, "it would come straight back"
        self._return(hold)
        return True

    def _return(self, hold: Hold) -> None:
        self._drop(hold)
        self.queues[hold.agent].append(hold.priority)
        self.lines[hold.agent].backlog.heard(hold.priority, self.now)

    def _drop(self, hold: Hold) -> None:
        self.holds.remove(hold)
        if self.scouts.get(hold.agent) is hold:
            del self.scouts[hold.agent]
