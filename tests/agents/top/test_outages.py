"""What is shown while RabbitMQ is away, or takes nothing, and after it."""

import pytest

from agents.top.watch import REMEMBERED_SECONDS, Watch
from bus.broker import LinkState, QueueInfo
from bus.client import Client
from bus.memory import MemoryBroker
from tests.support import reports
from tests.support.clock import FakeClock
from tests.support.watched_fleet import announce, until, whats


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, LinkState]:
    """Those of the viewer's connections, to be changed."""
    links = {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
    monkeypatch.setattr(MemoryBroker, "links", links)
    return links


async def test_while_the_viewer_itself_is_cut_off_nobody_is_called_silent(states: dict[str, LinkState]) -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-cut") as broker, Watch(Client(broker), interval=10, clock=clock) as watch:
        announce(watch.client, reports.host("a"))
        await until(watch, lambda view: view.hosts)
        states["consuming"] = LinkState.CONNECTING
        watch.view()
        clock.now = 100
        assert whats(watch.view()) == ["connection to RabbitMQ lost"]
        states["consuming"] = LinkState.CONNECTED
        assert whats(watch.view()) == ["connection to RabbitMQ is back"]
        clock.now = 129
        assert whats(watch.view()) == []
        clock.now = 131
        assert whats(watch.view()) == ["host silent: a"]


class SlowBroker(MemoryBroker):
    """Each look at its queues takes twenty seconds of a clock, and is counted."""

    looks = 0
    clock = FakeClock()

    async def queue_info(self, name: str) -> QueueInfo | None:
        """Count, and let time pass."""
        self.looks += 1
        self.clock.now += 20
        return await super().queue_info(name)


async def test_queues_are_looked_at_as_soon_as_the_broker_is_back(states: dict[str, LinkState]) -> None:
    async with SlowBroker("watch-again") as broker, Watch(Client(broker), interval=600, clock=broker.clock) as watch:
        announce(watch.client, reports.host("a", "x"), reports.agent("x"))
        await until(watch, lambda _: broker.looks)
        looks = broker.looks
        states["consuming"] = LinkState.CONNECTING
        watch.view()
        states["consuming"] = LinkState.CONNECTED
        await until(watch, lambda _: broker.looks > looks)


async def test_an_alarm_of_the_broker_is_one_alarm_and_no_host_is_called_silent(states: dict[str, LinkState]) -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-blocked") as broker, Watch(Client(broker), interval=5, clock=clock) as watch:
        announce(watch.client, reports.host("a"))
        await until(watch, lambda view: view.hosts)
        states["publishing"] = LinkState.BLOCKED
        clock.now = 100
        assert whats(watch.view()) == ["RabbitMQ is in an alarm (memory or disk)"]
        states["publishing"] = LinkState.CONNECTED
        assert whats(watch.view()) == []
        clock.now = 115.1
        assert whats(watch.view()) == ["host silent: a"]


async def test_a_host_that_was_silent_before_an_outage_stays_so_and_is_gone_once_it_is_forgotten(
    states: dict[str, LinkState],
) -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-dead") as broker, Watch(Client(broker), interval=5, clock=clock) as watch:
        announce(watch.client, reports.host("a"))
        await until(watch, lambda view: view.hosts)
        clock.now = 16
        assert whats(watch.view()) == ["host silent: a"]
        states["consuming"] = LinkState.CONNECTING
        assert whats(watch.view()) == ["connection to RabbitMQ lost", "host silent: a"]
        states["consuming"] = LinkState.CONNECTED
        assert whats(watch.view()) == ["host silent: a", "connection to RabbitMQ is back"]
        clock.now = REMEMBERED_SECONDS + 1
        assert whats(watch.view()) == ["host gone: a", "no host has answered"]
