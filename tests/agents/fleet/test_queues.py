import asyncio

import pytest

from agents.fleet.queues import AgentQueues, QueueFigures, QueueWatch
from bus.broker import QueueInfo
from bus.errors import ConnectionLost
from bus.memory import MemoryBroker
from bus.topology import Topology
from tests.support.bus_world import AGENT, World, memory_world
from tests.support.clock import FakeClock


class AwayBroker(MemoryBroker):
    """A broker that fails or hangs when it is asked for a queue, once it is told to."""

    fault: BaseException | None = None
    hangs = False

    async def queue_info(self, name: str) -> QueueInfo | None:
        """Tell, raise or hang."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        return await super().queue_info(name)


async def filled(world: World) -> None:
    for _ in range(3):
        await world.client.submit(AGENT, "x")
    await world.publish_plain("nobody", "{}", {})


async def test_a_look_tells_what_waits_who_takes_it_and_what_died_of_agents_that_have_a_queue() -> None:
    async with memory_world("queues") as world:
        await filled(world)
        watch = QueueWatch(world.broker, world.topology, kept_seconds=10, look_seconds=5)
        await watch.look([AGENT, "never-started"])
    assert watch.figures == QueueFigures({AGENT: AgentQueues(3, 0, 0)}, unrouted=1)


async def test_the_broker_is_asked_again_only_after_as_many_seconds_or_once_all_is_forgotten() -> None:
    clock = FakeClock()
    async with memory_world("queues") as world:
        watch = QueueWatch(world.broker, world.topology, kept_seconds=10, look_seconds=5, clock=clock)
        seen = []
        for now, forget in ((0, False), (9.9, False), (10, False), (11, True)):
            clock.now = now
            if forget:
                watch.forget()
                assert watch.figures == QueueFigures()
            await watch.look([AGENT])
            seen.append(watch.figures.agents[AGENT].ready)
            await world.client.submit(AGENT, "x")
    assert seen == [0, 0, 2, 3]


@pytest.mark.parametrize("fault", [ConnectionLost("gone"), None])
async def test_a_broker_that_fails_or_does_not_answer_leaves_the_old_figures_for_one_more_look(
    fault: BaseException | None,
) -> None:
    clock, topology = FakeClock(), Topology()
    async with AwayBroker("queues-away") as broker:
        await broker.declare(topology.shared())
        await broker.declare(topology.agent(AGENT))
        watch = QueueWatch(broker, topology, kept_seconds=10, look_seconds=0.05, clock=clock)
        await watch.look([AGENT])
        found = watch.figures
        assert found.agents
        seen = []
        for now, is_away in ((20, True), (30, False), (40, True), (50, True), (60, False)):
            broker.fault, broker.hangs = fault if is_away else None, is_away and fault is None
            clock.now = now
            await watch.look([AGENT])
            seen.append(watch.figures)
    assert seen == [found, found, found, QueueFigures(), found]
