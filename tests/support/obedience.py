"""A consumer that obeys what is said on the control exchange, as a host does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.attempt import Handler
from bus.broker import Broker
from bus.consumer import Consumer
from bus.control import ControlLink
from schemas import CancelTask
from tests.support.at_work import AtWork
from tests.support.bus_world import AGENT, RUNGS_MS, World, within
from tests.support.fault_world import every_result
from tests.support.waiting import wait_until


class Ear:
    """Hears for a host, and tells its consumer."""

    def __init__(self, consumer: Consumer | None = None) -> None:
        self.heard: list[str] = []
        self._consumer = consumer

    def __call__(self, control: CancelTask) -> None:
        self.heard.append(control.task_id)
        if self._consumer is not None:
            self._consumer.cancel(control.task_id, control.reason)

    async def hears(self, task_id: str) -> None:
        await wait_until(lambda: task_id in self.heard, what=f"{task_id} to be heard")


@asynccontextmanager
async def obedient(world: World, handler: Handler) -> AsyncIterator[tuple[AtWork, Ear]]:
    """A consumer that obeys what is said on the control exchange, as a host does; at its end nothing may be left."""
    consumer = world.consumer(handler)
    ear = Ear(consumer)
    async with every_result(world) as results, listening(world, ear):
        async with consumer:
            yield AtWork(consumer, results), ear
            await within(consumer.stop(grace=5))
        queues = (world.queue, world.topology.dead_queue(AGENT), *map(world.topology.delay_queue, RUNGS_MS))
        assert [await world.ready(queue) for queue in queues] == [0] * len(queues)


def listening(world: World, ear: Ear, *agents: str, broker: Broker | None = None) -> ControlLink:
    """The ear of a host with these agents, `worker` if none is named."""
    return ControlLink(broker or world.broker, world.topology, "host-1", agents or [AGENT], ear)


async def declare_logs(world: World) -> None:
    """Declare the streams, as a host does at its start."""
    for plan in world.topology.logs():
        await world.broker.declare(plan)
