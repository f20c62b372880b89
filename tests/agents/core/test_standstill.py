"""Whether an agent stands still, by what its hosts report."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from agents.core.standstill import KEPT_SECONDS, Standstills
from bus.client import Client
from bus.memory import MemoryBroker
from bus.topology import Topology
from schemas import Report, ReportKind
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


class SilentFleet(Client):
    """A client whose fleet says nothing; it counts who listens."""

    def __init__(self) -> None:
        super().__init__(MemoryBroker("unused"), Topology())
        self.looks = 0
        self.listening = asyncio.Event()
        self.end = asyncio.Event()

    @contextlib.asynccontextmanager
    async def reports(self, *, kind: ReportKind | None = None) -> AsyncIterator[AsyncIterator[Report]]:  # noqa: ARG002 - theirs
        self.looks += 1
        self.listening.set()
        yield self._none()

    async def _none(self) -> AsyncIterator[Report]:
        await self.end.wait()
        for report in list[Report]():
            yield report


async def test_fifty_who_ask_of_one_agent_at_once_look_once() -> None:
    fleet = SilentFleet()
    standstills = Standstills(fleet)
    asking = [asyncio.create_task(standstills.has("one")) for _ in range(50)]
    await fleet.listening.wait()
    fleet.end.set()
    assert await asyncio.gather(*asking) == [False] * 50
    assert fleet.looks == 1


async def test_one_who_waits_for_anothers_look_looks_itself_when_that_one_is_cancelled() -> None:
    fleet = SilentFleet()
    standstills = Standstills(fleet)
    first, second = (asyncio.create_task(standstills.has("one")) for _ in range(2))
    await fleet.listening.wait()
    first.cancel()
    fleet.end.set()
    assert await second is False
    assert (first.cancelled(), fleet.looks) == (True, 2)
