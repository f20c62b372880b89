"""Whether an agent stands still, by what its hosts report."""

import asyncio

from agents.core.standstill import KEPT_SECONDS, Standstills
from tests.support.agent_world import agent_world
from tests.support.clock import FakeClock
from tests.support.delegating import Worker


async def test_an_agent_stands_still_while_every_host_has_paused_it_and_one_that_nobody_has_does_not() -> None:
    clock = FakeClock()
    async with agent_world(Worker("one"), Worker("two")) as world:
        standstills = Standstills(world.client, clock)
        one, _ = world.host.consumers
        await one.pause("the model server is out of order")
        asked = (standstills.has(agent) for agent in ("one", "two", "nobody"))
        assert await asyncio.gather(*asked) == [True, False, False]
        one.resume()
        clock.now += KEPT_SECONDS
        assert await standstills.has("one")  # the answer of before: nobody was asked
        clock.now += 1
        assert not await standstills.has("one")
