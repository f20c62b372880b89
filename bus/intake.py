"""The bound on what a host holds, over all of its agents: places are given out in the order of priorities.

A host with many agents would hold a prefetch of each, so that a second host gets nothing, and an urgent task waits
unseen behind the full window of its agent. With an intake, an agent's consumer takes one delivery by itself and only
where places are free; the rest is fetched, one by one, from the queue where the most urgent is believed to wait.
`bus.allotment` decides, `bus.backlog` believes, and what has arrived is heard by `bus.arrivals`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final, Self

import structlog

from bus.allotment import Allotment, Ask, Line, Move, Prefers, SendBack, Step, Stuck
from bus.broker import Subscription
from bus.ending import end_tasks
from bus.errors import BusError
from bus.hold import Hold

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
"""Between two looks at the queues whose consumer is shut: what nobody announced, as after a crash, is found so."""

STALE_SECONDS: Final = 30.0
"""How long a belief about a queue holds without a fetch, where arrivals are heard. Without, LOOK_SECONDS."""

STUCK_SECONDS: Final = 0.05
"""Between two looks whether something held may go back, while something more urgent waits for its place."""

RETRY_SECONDS: Final = 1.0
"""Before a queue is asked again that did not answer."""

OPENING_SECONDS: Final = 5.0
"""After this, the work begins in any case: an agent that does not get in keeps no other from it. 131 are in by two."""

KNOWN_SECONDS: Final = 2.0
"""The same, once all are in: neither a queue that does not answer nor a stream of new tasks keeps the work from its
beginning. 131 queues are known after a tenth of a second."""

OnSlot = Callable[[], None]


class Intake:
    """Holds at most `bound` deliveries of all consumers that it admits, but for moments. Used inside `async with`.

    The queues that come first would have their tasks begun before what is more urgent elsewhere has shown. So no work
    begins until all queues are known, or for some seconds, see `all_are_in`: then the most urgent begins first.
    """

    def __init__(
        self,
        bound: int,
        *,
        prefers: Prefers = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`prefers`: whether an agent's model is the loaded one, so that its tasks cost no swap."""
        self.bound = bound
        self.is_deaf = False
        """Whether nobody tells what has arrived, so that every belief is soon stale."""
        self._prefers = prefers
        self._clock = clock
        self._shares: dict[str, Share] = {}
        self._holds: dict[int, Hold] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._look_at = clock() + LOOK_SECONDS
        self._are_all_in = self._is_open = False
        self._open_at = float("inf")
        self._keeper: asyncio.Task[None] | None = None
        self.on_full: Callable[[], object] | None = None
        """Called with each delivery that fills it."""

    @property
    def held(self) -> int:
        """Deliveries in hand, those that wait for other tasks included, which do not count."""
        return len(self._holds)

    async def __aenter__(self) -> Self:
        self._open_at = self._clock() + OPENING_SECONDS
        self._keeper = asyncio.create_task(self._keep(), name="intake")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._keeper is not None:
            await end_tasks([self._keeper, *self._errands])

    def admit(self, agent: str, limit: int, subscription: Subscription, on_slot: OnSlot = lambda: None) -> "Share":
        """Take on an agent's queue, its subscription paused and with a prefetch of 1; `limit` is the agent's own.

        `on_slot` is called `limit` times in all: each lets one handler begin.
        """
        share = self._shares[agent] = Share(self, Line(agent, limit), subscription, on_slot)
        if self._is_open:
            share.give_slots(limit)
        self.wake()
        return share

    def all_are_in(self) -> None:
        """Note that no other queue will be admitted: once all are known, the work may begin."""
        self._are_all_in = True
        self._open_at = min(self._open_at, self._clock() + KNOWN_SECONDS)
        self.wake()

    def heard(self, agent: str, priority: int) -> None:
        """Note that a task of this priority has come to, or back to, an agent's queue."""
        share = self._shares.get(agent)
        if share is not None:
            share.line.backlog.heard(priority, self._clock())
            self.wake()

    def forget(self) -> None:
        """Believe nothing any more: the connection was lost, and announcements with it."""
        for share in self._shares.values():
            share.line.backlog.forget()
        self.wake()

    def wake(self) -> None:
        """Look again at what is to be done."""
        self._changed.set()

    def took(self, hold: Hold) -> None:
        """Note a delivery in hand."""
        self._holds[hold.order] = hold
        hold.on_change = self.wake
        share = self._shares.get(hold.agent)
        if share is not None:
            share.line.backlog.delivered(hold.priority, self._clock())
        self.wake()
        if self.on_full is not None and self.held >= self.bound:
            self.on_full()

    def left(self, hold: Hold) -> None:
        """Note that a delivery is not in hand any more."""
        self._holds.pop(hold.order, None)
        if hold.went_back:
            self.heard(hold.agent, hold.priority)
        self.wake()

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            try:
                pause = self._act()
            except Exception:
                # As one of `prefers`, which is not ours. A host that takes nothing any more would be silent.
                log.exception("intake.crashed")
                pause = RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _act(self) -> float:
        """Do all that can be done now; return the seconds until something may have to be done in any case."""
        self._doubt_at_times()
        while (move := self._next_move()) is not None and not isinstance(move, Stuck):
            self._carry_out(move)
        if not self._is_open:
            is_asking = any(share.line.is_busy for share in self._shares.values())
            self._open_if_known(is_calm=move is None and not is_asking)
        next_at = self._look_at if self._is_open else min(self._look_at, self._open_at)
        return STUCK_SECONDS if move is not None else max(0.0, next_at - self._clock())

    def _open_if_known(self, *, is_calm: bool) -> None:
        if not (is_calm and self._are_all_in) and self._clock() < self._open_at:
            return
        self._is_open = True
        for hold in sorted(self._holds.values(), key=lambda hold: -hold.priority):
            self._shares[hold.agent].give_slots(1)
        for share in self._shares.values():
            share.give_slots(share.line.limit)

    def _next_move(self) -> Move | None:
        lines = (share.line for share in self._shares.values())
        return Allotment(lines, self._holds.values(), self.bound, self._clock(), self._prefers).next_move()

    def _carry_out(self, move: Ask | SendBack) -> None:
        if isinstance(move, SendBack):
            log.debug("intake.sent_back", agent=move.hold.agent, priority=move.hold.priority, held=self.held)
            move.hold.send_back("the host holds as many tasks as it may, and more urgent ones")
        elif move.step is Step.OPEN:
            self._shares[move.line.agent].open()
        else:
            self._start(move)

    def _start(self, ask: Ask) -> None:
        ask.line.is_busy, ask.line.is_fetching = True, ask.step is Step.FETCH
        errand = asyncio.create_task(self._run(ask), name=f"intake:{ask.step.value}:{ask.line.agent}")
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _run(self, ask: Ask) -> None:
        share = self._shares[ask.line.agent]
        try:
            match ask.step:
                case Step.SHUT:
                    await share.shut()
                case Step.FETCH:
                    await share.fetch(self._clock)
                case _:
                    await share.look(self._clock, LOOK_SECONDS if self.is_deaf else STALE_SECONDS)
        except BusError as error:
            log.debug("intake.unanswered", agent=ask.line.agent, step=ask.step.value, reason=str(error))
            await self._try_later(ask.line)
        except Exception:
            # Whatever it is: a queue that nobody asks again would be silent.
            log.exception("intake.crashed", agent=ask.line.agent, step=ask.step.value)
            await self._try_later(ask.line)
        finally:
            ask.line.is_busy = ask.line.is_fetching = False
            self.wake()

    async def _try_later(self, line: Line) -> None:
        line.is_fetching = False
        line.backlog.forget()
        await asyncio.sleep(RETRY_SECONDS)

    def _doubt_at_times(self) -> None:
        """Have the queues looked at, from time to time, whose consumers would not show what waits there."""
        if self._clock() < self._look_at:
            return
        self._look_at = self._clock() + LOOK_SECONDS
        holding = {hold.agent for hold in self._holds.values()}
        for share in self._shares.values():
            if not share.line.is_open or share.line.agent in holding:
                share.line.backlog.needs_look = True


class Share:
    """What the intake and the consumer of one agent have to do with each other."""

    def __init__(self, intake: Intake, line: Line, subscription: Subscription, on_slot: OnSlot) -> None:
        self.line = line
        self._intake = intake
        self._subscription = subscription
        self._on_slot = on_slot
        self._slots_kept = line.limit

    def took(self, hold: Hold) -> None:
        """Note a delivery in hand."""
        self._intake.took(hold)

    def left(self, hold: Hold) -> None:
        """Note that a delivery is not in hand any more."""
        self._intake.left(hold)

    def give_slots(self, number: int) -> None:
        """Let so many handlers begin, or as many as have not been allowed yet."""
        number = min(number, self._slots_kept)
        self._slots_kept -= number
        for _ in range(number):
            self._on_slot()

    def step_aside(self) -> None:
        """Take part in nothing, until `step_in`; the consumer pauses its subscription itself."""
        self.line.is_away = True

    def step_in(self) -> None:
        """Take part again, with nothing known of the queue."""
        self.line.is_away = self.line.is_open = False
        self.forget()

    def forget(self) -> None:
        """Believe nothing of the queue any more."""
        self.line.backlog.forget()
        self._intake.wake()

    def open(self) -> None:
        """Let the consumer take by itself."""
        self.line.is_open = True
        self._subscription.resume()

    async def shut(self) -> None:
        """Let the consumer take nothing by itself; what it holds, it keeps."""
        self.line.is_open = False
        await self._subscription.pause()

    async def fetch(self, clock: Callable[[], float]) -> None:
        """Take one message, and learn from it."""
        self.line.backlog.ask()
        left = await self._subscription.fetch()
        self.line.backlog.fetched(left, clock())

    async def look(self, clock: Callable[[], float], stale_after: float) -> None:
        """See how many wait."""
        self.line.backlog.ask()
        ready = await self._subscription.count()
        self.line.backlog.counted(ready, clock(), stale_after=stale_after)
