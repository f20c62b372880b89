"""Two hosts on the in-memory bus through a seeded storm of cuts, kills, pauses, stops, cancels and failures."""

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from random import Random

import pytest

from bus import reception as reception_module
from bus.attempt import Attempt
from bus.consumer import Consumer
from bus.errors import NotNowError, PermanentError, RejectedError, RetryableError
from bus.memory import MemoryBroker
from bus.message import Message
from bus.retry import RetryPolicy
from bus.topology import Topology
from schemas import TaskResult
from tests.support.bus_world import AGENT, World, completed, memory_world, within
from tests.support.fault_world import every_result
from tests.support.faulty_brokers import Through
from tests.support.waiting import wait_until

TASKS = 120
FAULTS = 80
PREFETCH = 4
POLICY = RetryPolicy(max_attempts=3, base=0.001, factor=1, jitter=0.5, max_redeliveries=200)

FATES = (
    [completed] * 6
    + [RetryableError("busy")] * 3
    + [NotNowError("not now"), PermanentError("never"), RejectedError("invalid")]
)


class Distant(Through):
    """A broker at a distance, so that faults fall between the steps of a settlement."""

    def __init__(self, broker: MemoryBroker, draw: Random) -> None:
        super().__init__(broker)
        self._draw = draw

    async def before(self, exchange: str, message: Message) -> None:  # noqa: ARG002 - every way takes time
        await asyncio.sleep(self._draw.uniform(0, 0.003))

    async def after(self, exchange: str) -> None:  # noqa: ARG002 - the way back too
        await asyncio.sleep(self._draw.uniform(0, 0.003))


class Host:
    """A process with one consumer: its memory of tasks ends with each life."""

    def __init__(self, name: str, server: str, topology: Topology, draw: Random) -> None:
        self._name, self._server, self._topology, self._draw = name, server, topology, draw
        self._running: Counter[str] = Counter()
        self.most_of_one = self.most = 0
        self._life = AsyncExitStack()
        self.broker: MemoryBroker
        self.consumer: Consumer

    async def start(self) -> None:
        self._running.clear()
        self.broker = await self._life.enter_async_context(MemoryBroker(self._server))
        distant = Distant(self.broker, self._draw)
        self.consumer = Consumer(
            distant, self._topology, AGENT, self._handle, host=self._name, prefetch=PREFETCH, policy=POLICY
        )
        await self._life.enter_async_context(self.consumer)

    async def die(self) -> None:
        await self._life.aclose()
        self._life = AsyncExitStack()

    async def _handle(self, attempt: Attempt) -> TaskResult:
        self._running[attempt.task.id] += 1
        self.most_of_one = max(self.most_of_one, self._running[attempt.task.id])
        self.most = max(self.most, self._running.total())
        try:
            await asyncio.sleep(self._draw.uniform(0, 0.02))
            fate = self._draw.choice(FATES)
            if isinstance(fate, Exception):
                raise fate
            return fate(attempt)
        finally:
            self._running[attempt.task.id] -= 1


class Storm:
    """Faults drawn from a seed, one after the other."""

    def __init__(self, hosts: list[Host], ids: list[str], draw: Random) -> None:
        self._hosts, self._ids, self._draw = hosts, ids, draw

    async def rage(self) -> None:
        faults = (self._cut, self._cut, self._kill, self._pause, self._hand_back, self._stop, self._cancel)
        for _ in range(FAULTS):
            await asyncio.sleep(self._draw.uniform(0, 0.03))
            await self._draw.choice(faults)(self._draw.choice(self._hosts))

    async def _cut(self, host: Host) -> None:
        host.broker.cut()

    async def _kill(self, host: Host) -> None:
        await host.die()
        await host.start()

    async def _pause(self, host: Host) -> None:
        await host.consumer.pause("a short outage")
        await asyncio.sleep(self._draw.uniform(0, 0.01))
        host.consumer.resume()

    async def _hand_back(self, host: Host) -> None:
        await host.consumer.pause("a stop that is called off")
        await host.consumer.hand_back()
        host.consumer.resume()

    async def _stop(self, host: Host) -> None:
        await host.consumer.stop(grace=self._draw.uniform(0, 0.02))
        await self._kill(host)

    async def _cancel(self, _: Host) -> None:
        task_id = self._draw.choice(self._ids)
        for host in self._hosts:
            host.consumer.cancel(task_id)


@pytest.mark.parametrize("seed", range(6))
async def test_no_task_runs_twice_at_once_and_each_ends_once_or_says_that_it_may_not_have(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "COOLING_SECONDS", 0.01)
    monkeypatch.setattr(reception_module, "SETTLING_SECONDS", 0.01)
    draw = Random(seed)  # noqa: S311 - it must be the same again
    async with memory_world(f"storm-{seed}") as world, every_result(world) as results:
        server = world.broker.description.split("memory://")[1].split()[0]
        hosts = [Host(name, server, world.topology, draw) for name in ("host-1", "host-2")]
        for host in hosts:
            await host.start()
        ids = [(await world.client.submit(AGENT, "x", priority=draw.randrange(10))).id for _ in range(TASKS)]
        await Storm(hosts, ids, draw).rage()
        await wait_until(lambda: is_calm(world, hosts), 30, what="calm")
        last = await world.client.submit(AGENT, "last")
        found: dict[str, list[TaskResult]] = defaultdict(list)
        while {*ids, last.id} - found.keys():  # a task may pass from a rung to its queue between two looks of `is_calm`
            result = await within(anext(results))
            found[result.task_id].append(result)
        for host in hosts:
            await host.die()
    assert set(found) == {*ids, last.id}
    assert [task for task, ends in found.items() if sum(not end.redelivered for end in ends) > 1] == []
    assert [host.most_of_one for host in hosts] == [1, 1]
    assert max(host.most for host in hosts) <= PREFETCH


async def is_calm(world: World, hosts: list[Host]) -> bool:
    """Whether no task waits, is held or is on the ladder."""
    queues = (world.queue, *map(world.topology.delay_queue, world.topology.rungs_ms))
    return [await world.ready(queue) for queue in queues] == [0] * len(queues) and not any(
        host.consumer.held for host in hosts
    )
