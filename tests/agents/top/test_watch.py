"""What the view is made of: who is silent, who has said goodbye, and what is asked for again."""

from structlog.testing import capture_logs

from agents.top.watch import FAREWELL_SECONDS, FAULT_SECONDS, REMEMBERED_SECONDS, Watch
from bus.broker import QueueInfo
from bus.client import Client
from bus.memory import MemoryBroker
from schemas import Report, TaskResult
from tests.support import reports
from tests.support.agent_world import Asker, agent_world
from tests.support.bus_world import AGENT, memory_world
from tests.support.clock import FakeClock
from tests.support.waiting import wait_until
from tests.support.watched_fleet import announce, until, whats


async def take_in(watch: Watch, *told: Report) -> None:
    wanted = watch.news + len(told)
    announce(watch.client, *told)
    await wait_until(lambda: watch.news >= wanted, what="the reports")


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


async def test_a_host_that_has_said_goodbye_is_not_missed_however_short_the_rounds() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-not-missed") as broker, Watch(Client(broker), interval=0.5, clock=clock) as watch:
        await take_in(watch, reports.host("a", state="closing"))
        clock.now = FAREWELL_SECONDS
        assert whats(watch.view()) == []
        clock.now += 0.1
        assert whats(watch.view()) == ["no host has answered"]


async def test_processes_of_one_name_that_write_nothing_have_no_speed() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-namesakes") as broker, Watch(Client(broker), interval=5, clock=clock) as watch:
        idle = [reports.pool(process="one", tokens=(0, 200)), reports.pool(process="two", tokens=(0, 1_000_000))]
        for at, told in ((0, idle), (5, idle[::-1]), (10, idle[::-1])):
            clock.now = at
            await take_in(watch, *told)
        server = watch.view().servers[0]
    assert (server.now, server.history) == (0.0, (0.0, 0.0))


async def test_the_speed_of_a_server_goes_on_over_a_restart_of_its_host() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-restart") as broker, Watch(Client(broker), interval=5, clock=clock) as watch:
        for at, process, tokens in ((0, "one", 100), (10, "one", 120), (20, "two", 0), (30, "two", 30)):
            clock.now = at
            await take_in(watch, reports.pool(process=process, tokens=(0, tokens)))
        assert watch.view().servers[0].history == (2.0, 0.0, 3.0)


async def test_a_host_that_went_without_a_goodbye_is_forgotten_with_its_speeds() -> None:
    clock = FakeClock()
    async with MemoryBroker("watch-forgotten") as broker, Watch(Client(broker), interval=5, clock=clock) as watch:
        announce(watch.client, reports.pool("gone"), reports.pool("here"))
        await until(watch, lambda view: len(view.servers) == 2)
        clock.now = REMEMBERED_SECONDS
        announce(watch.client, reports.pool("here"))
        await until(watch, lambda view: view.servers[1].history)
        assert set(watch.hosts) == {"gone", "here"}
        clock.now += 1
        watch.view()
        assert set(watch.hosts) == {"here"}
        announce(watch.client, reports.pool("gone"))
        view = await until(watch, lambda view: len(view.servers) == 2)
    assert {row.pool.host: len(row.history) for row in view.servers} == {"here": 1, "gone": 0}


async def test_a_message_that_cannot_be_shown_is_told_for_a_minute_and_all_others_are_shown() -> None:
    clock, heard = FakeClock(), list[str]()

    def hear(what: Report | TaskResult) -> None:
        if not isinstance(what, TaskResult) and what.host == "odd":
            raise ValueError("no place for it")
        heard.append(what.host or "")

    with capture_logs() as logged:
        async with (
            MemoryBroker("watch-odd") as broker,
            Watch(Client(broker), interval=600, hear=hear, clock=clock) as watch,
        ):
            announce(watch.client, reports.host("odd"), reports.host("b"))
            view = await until(watch, lambda _: heard)
            assert [str(alarm) for alarm in view.alarms] == [
                "! a message is not shown: HostReport: ValueError: no place for it"
            ]
            clock.now = FAULT_SECONDS
            assert whats(watch.view()) == []
    assert [line["kind"] for line in logged if line["event"] == "top.not_shown"] == ["HostReport"]


class BrokenBroker(MemoryBroker):
    """Its figures of queues are a fault of the program."""

    async def queue_info(self, queue: str) -> QueueInfo | None:
        """Raise."""
        raise ZeroDivisionError(f"in {queue}")


async def test_a_part_of_the_viewer_that_ends_is_told_with_its_error_and_nobody_is_called_silent() -> None:
    clock = FakeClock()
    with capture_logs() as logged:
        async with BrokenBroker("watch-broken") as broker, Watch(Client(broker), interval=10, clock=clock) as watch:
            announce(watch.client, reports.host("a", "x"), reports.agent("x"))
            view = await until(watch, lambda view: view.alarms)
            clock.now = 100
            assert whats(watch.view()) == whats(view)
    assert str(view.alarms[0]).startswith("✗ top:queues has ended: ZeroDivisionError: in sutazai.")
    assert [line["part"] for line in logged if line["event"] == "top.broken"] == ["top:queues"]


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
