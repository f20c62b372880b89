"""What the view is made of: who is silent, who has said goodbye, and what is asked for again."""

from collections.abc import Callable

import pytest

from agents.top.view import View
from agents.top.watch import FAREWELL_SECONDS, Watch
from bus.broker import LinkState
from bus.client import Client
from bus.codec import encode_report
from bus.memory import MemoryBroker
from bus.routing_keys import report_key
from schemas import Report, TaskResult
from tests.support import reports
from tests.support.agent_world import Asker, agent_world
from tests.support.bus_world import AGENT, memory_world
from tests.support.clock import FakeClock
from tests.support.waiting import wait_until


def announce(client: Client, *told: Report) -> None:
    for report in told:
        client.broker.announce(client.topology.metrics, report_key(report.host, report.kind), encode_report(report))


async def until(watch: Watch, predicate: Callable[[View], object]) -> View:
    """Return the first view of which that is true."""
    await wait_until(lambda: predicate(watch.view()), what="the view")
    return watch.view()


def whats(view: View) -> list[str]:
    return [alarm.what for alarm in view.alarms]


async def test_a_host_is_silent_after_three_rounds_and_its_agents_with_it() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-silent") as broker, Watch(Client(broker), interval=10, clock=clock) as watch:
        announce(watch.client, reports.host("a", "x"), reports.agent("x"))
        await until(watch, lambda view: view.agents)
        clock.now = 30
        assert whats(watch.view()) == []
        clock.now = 31
        view = watch.view()
        assert (whats(view), view.agents[0].state) == (["host silent: a"], "silent")
        announce(watch.client, reports.host("a", "x"))
        await until(watch, lambda view: not view.alarms)


async def test_a_host_that_has_said_goodbye_is_gone_and_no_alarm() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-goodbye") as broker, Watch(Client(broker), interval=1, clock=clock) as watch:
        going = reports.host("a", "x").model_copy(update={"state": "closing"})
        announce(watch.client, reports.agent("x"), reports.pool(), reports.host("b"), going)
        await until(watch, lambda view: [row.state for row in view.hosts] == ["closing", "running"])
        clock.now = FAREWELL_SECONDS + 0.1
        view = watch.view()
        assert [row.name for row in view.hosts] == ["b"]
        assert (view.agents, view.servers) == ((), ())


async def test_while_the_viewer_itself_is_cut_off_nobody_is_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
    monkeypatch.setattr(MemoryBroker, "links", states)
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


async def test_hosts_and_queues_are_asked_again_at_each_interval_whatever_the_hosts_own_one() -> None:
    heard: list[Report | TaskResult] = []
    asker = Asker(name="asker")
    async with (
        agent_world(asker, health_check_interval=600) as world,
        Watch(world.client, interval=0.2, hear=heard.append) as watch,
    ):
        await wait_until(
            lambda: sum(report.kind == "host" for report in heard if not isinstance(report, TaskResult)) > 2
        )
        await world.host.consumers[0].pause("a test")
        await world.client.submit("asker", "Hi")
        await until(watch, lambda view: view.totals.waiting == 1)
        world.host.consumers[0].resume()
        await until(watch, lambda view: view.totals.done == 1)
        await wait_until(lambda: watch.results, what="the result")
        assert watch.news >= len(heard)
        assert isinstance(heard[0], Report)


async def test_queues_of_agents_that_report_are_counted_with_their_dead_letters() -> None:
    async with memory_world("watch-queues") as world, Watch(world.client, interval=0.2) as watch:
        assert watch.view().totals.waiting is None
        await world.client.submit(AGENT, "x")
        announce(world.client, reports.agent(AGENT))
        view = await until(watch, lambda view: view.totals.waiting == 1)
        assert (view.agents[0].ready, view.agents[0].dead, view.totals.dead) == (1, 0, 0)


async def test_the_first_look_at_the_queues_waits_for_the_last_agent_of_a_host() -> None:
    async with memory_world("watch-whole") as world, Watch(world.client, interval=600) as watch:
        announce(world.client, reports.host("a", AGENT, "y"), reports.agent(AGENT))
        await until(watch, lambda view: view.agents)
        announce(world.client, reports.agent("y"))
        view = await until(watch, lambda view: view.totals.waiting is not None)
        assert (view.totals.agents, view.totals.waiting, view.totals.dead) == (2, 0, 0)
