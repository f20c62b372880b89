"""A host's intake without a host: many agents' consumers under one bound, and handlers that wait at a model's gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bus.arrivals import Arrivals
from bus.attempt import Attempt
from bus.broker import Broker
from bus.consumer import Consumer
from bus.control import ControlLink
from bus.intake import Intake
from bus.returns import Returns
from schemas import CancelTask, TaskResult
from tests.support.bus_world import FAST, World, completed, within


class SlotGate:
    """A model server with a few slots: handlers wait for one, the highest priority first, and work until `finish`."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: list[tuple[int, int, asyncio.Event, Attempt]] = []
        self._came = 0
        self.begun: asyncio.Queue[Attempt] = asyncio.Queue()
        self._ends: dict[str, asyncio.Event] = {}
        self._outcomes: dict[str, asyncio.Future[bool]] = {}
        self.ended = 0
        """Tasks that are done."""

    async def __call__(self, attempt: Attempt) -> TaskResult:
        """The handler."""
        self._came += 1
        turn = (-attempt.task.priority, self._came, asyncio.Event(), attempt)
        attempt.is_waiting = lambda: not turn[2].is_set()
        self._waiting.append(turn)
        self._serve()
        try:
            await turn[2].wait()
            await self._ends[attempt.task.id].wait()
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._leave(attempt, done=False)
            raise
        self._leave(attempt, done=True)
        return completed(attempt)

    def has_waiting(self, task_id: str) -> bool:
        """Whether a task waits for a slot."""
        return any(attempt.task.id == task_id for *_, attempt in self._waiting)

    async def next(self) -> Attempt:
        """Return the next attempt that has got a slot."""
        return await within(self.begun.get())

    def finish(self, attempt: Attempt) -> None:
        """Let the work on one end."""
        self._ends[attempt.task.id].set()

    async def finished(self, attempt: Attempt) -> bool:
        """Let the work on one end, and wait for it; False if it was taken back, as may be in the instant it begins."""
        self.finish(attempt)
        return await within(self._outcomes[attempt.task.id])

    def _leave(self, attempt: Attempt, *, done: bool) -> None:
        self._outcomes[attempt.task.id].set_result(done)
        self._free += 1
        self.ended += done
        self._serve()

    def _serve(self) -> None:
        while self._free and self._waiting:
            turn = min(self._waiting, key=lambda turn: turn[:2])
            self._waiting.remove(turn)
            self._free -= 1
            self._ends[turn[3].task.id] = asyncio.Event()
            self._outcomes[turn[3].task.id] = asyncio.get_running_loop().create_future()
            turn[2].set()
            self.begun.put_nowait(turn[3])


@dataclass
class BoundHost:
    """The consumers of a host, its intake and its gate."""

    intake: Intake
    gate: SlotGate
    consumers: list[Consumer] = field(default_factory=list)

    @property
    def held(self) -> int:
        """Tasks in its hands."""
        return sum(consumer.held for consumer in self.consumers)


@asynccontextmanager
async def bound_host(
    world: World,
    agents: list[str],
    *,
    bound: int = 8,
    slots: int = 2,
    name: str = "host-1",
    broker: Broker | None = None,
) -> AsyncIterator[BoundHost]:
    """Run consumers of `agents` with a prefetch of 3 each under one bound; it stops at the end."""
    intake, returns, gate = Intake(bound), Returns(), SlotGate(slots)
    broker = broker or world.broker

    def ignore(_: CancelTask) -> None:
        """Nothing is cancelled here."""

    async with AsyncExitStack() as stack:
        link = ControlLink(broker, world.topology, name, agents, ignore, returns=returns, on_arrival=intake.heard)
        await stack.enter_async_context(link)
        await stack.enter_async_context(intake)
        host = BoundHost(intake, gate)
        for agent in agents:
            consumer = Consumer(
                broker, world.topology, agent, gate, host=name, prefetch=3, policy=FAST, returns=returns, intake=intake
            )
            host.consumers.append(await stack.enter_async_context(consumer))
        intake.all_are_in()
        arrivals = Arrivals(broker, world.topology, name, agents, intake.heard, intake.forget)
        intake.is_deaf = (await stack.enter_async_context(arrivals)).is_deaf
        yield host
        await asyncio.gather(*(within(consumer.stop(grace=0)) for consumer in host.consumers))
