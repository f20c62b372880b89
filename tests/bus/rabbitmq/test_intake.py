"""What RabbitMQ itself sees of a host with a bound."""

import asyncio

from bus.topology import Topology
from schemas import Priority
from tests.support.bus_world import World
from tests.support.intake_world import bound_host
from tests.support.management import Management
from tests.support.waiting import wait_until

AGENTS = [f"agent-{number}" for number in range(6)]


async def unacked(management: Management, topology: Topology) -> int:
    """Return how many tasks are delivered and not settled, as the statistics have it."""
    rows = await management.queues()
    return sum(rows[topology.task_queue(agent)].get("messages_unacknowledged", 0) for agent in AGENTS)


async def test_the_broker_has_no_more_than_the_bound_unacknowledged(world: World, management: Management) -> None:
    for agent in AGENTS:
        await world.broker.declare(world.topology.agent(agent))
    sending = (world.client.submit(agent, "x", priority=Priority.LOW) for agent in AGENTS for _ in range(4))
    await asyncio.gather(*sending)
    async with bound_host(world, AGENTS, bound=4):

        async def is_at_its_bound() -> bool:
            return await unacked(management, world.topology) == 4

        await wait_until(is_at_its_bound, 20, what="the bound in the statistics")


async def test_a_consumer_takes_one_by_itself_and_is_seen_while_its_queue_is_empty(
    world: World, management: Management
) -> None:
    async with bound_host(world, AGENTS, bound=4):

        async def are_seen() -> bool:
            rows = [row for row in await management.consumers() if ".tasks." in row["queue"]["name"]]
            return [row["prefetch_count"] for row in rows] == [1] * len(AGENTS)

        await wait_until(are_seen, 20, what="a consumer of each agent, with a prefetch of 1")
