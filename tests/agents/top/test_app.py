"""The live view beside real hosts on the in-memory broker, driven through its keys and read off its screen."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest

from agents import BaseAgentV2
from agents.core.log import configure_logging
from agents.top.app import DRAW_SECONDS, TopApp
from agents.top.view import View
from agents.top.watch import Watch
from bus.broker import LinkState, QueueInfo
from bus.client import Client
from bus.dead_letters import DeadLetters
from bus.errors import BusError, ConnectionLost, LogUnavailable
from bus.memory import MemoryBroker
from bus.message import Message
from schemas import BreakerReport, TaskMessage, now
from tests.support import reports
from tests.support.agent_world import Asker, Gate, Holder, agent_world, memory_url
from tests.support.top_screen import Shown, text_of, top_of
from tests.support.tripping import trip
from tests.support.waiting import wait_until
from tests.support.watched_fleet import announce


class Local(BaseAgentV2):
    """Needs no model; fails where it is told to."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        """Return the prompt."""
        if task.prompt == "fail":
            raise ValueError("no such file")
        return task.prompt


@pytest.fixture(autouse=True)
def _quiet() -> None:
    configure_logging("critical")


def order_of(top: Shown, *names: str) -> list[str]:
    """Return those names in the order in which they stand on the screen."""
    text = top.text
    return sorted(names, key=text.index)


async def test_a_fleet_at_80_by_24_shows_one_pane_at_a_time_and_tab_goes_round() -> None:
    async with agent_world(Asker(name="asker"), Local(name="local")) as world, top_of(world.client) as top:
        await world.client.ask("asker", "Hi", timeout=10)
        await top.shows("1 Agents 2", "2 Model servers 1", "3 Hosts 1", "4 Results 1", "asker", "● consuming")
        await top.shows("hosts 1  agents 2  run 0")
        assert top.line_with("last report").startswith("sutazai top last report")
        await top.press("tab")
        await top.shows("MODEL SERVER", "scripted", "● closed", "0/2", "loaded: tinyllama:latest")
        assert "asker" not in top.text
        await top.press("tab")
        await top.shows("host-1", "● running", "connected")
        await top.press("tab")
        await top.shows("● completed", "asker", "Enter Open")
        await top.press("tab", "shift+tab", "shift+tab", "1")
        await top.shows("AGENT", "STATE")
        assert max(map(len, top.text.splitlines())) <= 80
        assert len(top.text.splitlines()) <= 24


async def test_at_160_by_45_all_panes_are_side_by_side_and_a_smaller_terminal_shows_one() -> None:
    async with agent_world(Local(name="local")) as world, top_of(world.client, 160, 45) as top:
        await world.client.ask("local", "Hi", timeout=10)
        await top.shows("Agents 1", "Model servers 1", "Hosts 1", "Results 1", "● completed", "AGENT", "MODEL", "HOSTS")
        await top.resize(80, 24)
        await top.shows("1 Agents 1", "4 Results 1")
        assert "● completed" not in top.text


async def test_a_breaker_that_opens_is_told_at_once_on_every_screen_and_goes_when_it_closes() -> None:
    async with (
        agent_world(Asker(name="asker"), health_check_interval=600) as world,
        top_of(world.client, interval=600) as top,  # nobody asks: the breaker's own report must do
    ):
        await top.shows("asker")
        trip(world.host.pool.breaker)
        await top.shows("✗ breaker open: scripted (host-1)")
        await top.press("2")
        await top.shows("✗ open")
        await top.press("1")
        await top.shows("! paused", "asker: paused on host-1")
        announce(world.client, reports.breaker("host-1", server="http://scripted"))
        await top.hides("breaker open")


async def test_a_pause_is_asked_for_confirmed_and_resumed() -> None:
    async with agent_world(Local(name="one"), Local(name="two")) as world, top_of(world.client) as top:
        await top.shows("one", "two")
        await top.press("p")
        await top.shows("Pause one on all hosts?")
        await top.press("tab", "n", "down", "p")
        await top.shows("Pause two on all hosts?")
        await top.press("y")
        await top.shows("paused: two on host-1")
        await top.shows("two: paused on host-1 (operator: by sutazai top)", "! paused")
        assert "● consuming" in top.line_with(
            "  one "
        )  # hosts obey in order, so a word for it would have done its work
        await top.press("r", "y")
        await top.shows("resumed: two on host-1")
        await top.shows("two: consuming on host-1")


async def test_an_order_that_cannot_be_given_is_an_error_on_the_screen() -> None:
    async with MemoryBroker("top-nobody") as broker:
        client = Client(broker)
        async with top_of(client, interval=600) as top:
            announce(client, reports.host("a", "x"), reports.agent("x"))
            await top.shows("x: consuming on a")
            await top.press("p", "y")
            await top.shows("no host has ever started on")


async def test_busy_agents_come_first_and_other_orders_follow_by_a_key() -> None:
    gate = Gate()
    async with (
        agent_world(Local(name="aaa"), Holder(gate, "zzz"), health_check_interval=600) as world,
        top_of(world.client) as top,
    ):
        await world.client.submit("zzz", "x")
        await gate.next()
        await world.client.submit("zzz", "y")
        await top.shows("sort: busy", "aaa", "wait 1")
        assert order_of(top, "aaa  ", "zzz  ") == ["zzz  ", "aaa  "]
        await top.press("down")
        await top.shows("aaa: consuming")
        await top.press("s")
        await top.shows("sort: agent", "aaa: consuming", "1/2")  # the chosen row has moved, and the cursor with it
        assert order_of(top, "aaa  ", "zzz  ") == ["aaa  ", "zzz  "]
        await top.press("S")
        await top.shows("sort: agent, reversed")
        assert order_of(top, "aaa  ", "zzz  ") == ["zzz  ", "aaa  "]
        gate.leave.set()
        await top.shows("done 2")


async def test_a_filter_narrows_a_pane_and_escape_widens_it() -> None:
    names = ("alpha", "beta", "gamma")
    async with agent_world(*(Local(name=name) for name in names)) as world, top_of(world.client) as top:
        await top.shows(*names)
        await top.press("slash", "b", "e", "q", "backspace")
        await top.shows("Agents 1 of 3", "filter: be", "beta")
        assert "alpha" not in top.text
        await top.press("enter")
        await top.shows("p Pause")
        await top.press("slash", "escape")
        await top.shows(*names)
        await top.press("slash", "x", "2")
        await top.shows("Agents 0 of 3")
        await top.press("p", "tab")
        await top.shows("MODEL SERVER")


async def test_a_result_opens_as_the_life_of_its_task() -> None:
    async with agent_world(Local(name="local")) as world, top_of(world.client) as top:
        result = await world.client.ask("local", "fail", timeout=10, max_attempts=1)
        await top.press("4")
        await top.shows("✗ failed", "no such file")
        await top.press("enter")
        await top.shows(f"task {result.task_id}", "status    failed", "to have it done again")
        await top.press("escape")
        await top.hides("status    failed")


class LoglessBroker(MemoryBroker):
    """A broker whose streams are turned off."""

    def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """Have none."""
        raise LogUnavailable(f"no {name} since {since}")


async def test_without_a_log_of_results_a_task_is_known_by_the_result_that_was_heard() -> None:
    url = memory_url()
    async with (
        agent_world(Local(name="local"), amqp_url=url) as world,
        LoglessBroker(url.removeprefix("memory://")) as logless,
        top_of(Client(logless, world.client.topology)) as top,
    ):
        await world.client.ask("local", "Hi", timeout=10)
        await top.press("4")
        await top.shows("● completed")
        await top.press("enter")
        await top.shows("status    completed")


async def test_a_dead_letter_is_looked_at_and_done_again() -> None:
    async with agent_world(Local(name="local")) as world, top_of(world.client) as top:
        result = await world.client.ask("local", "fail", timeout=10, max_attempts=1)
        await top.shows("dead 1")
        await top.press("d")
        await top.shows("dead letters of local", "permanent", "dead letters: 1")
        await top.press("r", "n", "escape", "d")
        await top.shows("dead letters: 1")
        await top.press("enter")
        await top.shows(f"dead letter {result.task_id} ─", "reason     permanent")  # and not that of a replay, ~1
        await top.press("end")
        await top.shows('"prompt": "fail"')
        await top.press("escape", "r")
        await top.shows("Have a task of local done again?", result.task_id)
        async with world.client.results() as coming:
            await top.press("y")
            async with asyncio.timeout(10):
                assert (await anext(coming)).task_id == f"{result.task_id}~1"
        await top.shows(f"done again as {result.task_id}~1")
        await top.press("escape")
        await top.hides("dead letters of local")


async def test_an_agent_without_letters_says_so_and_no_key_does_harm_there() -> None:
    async with agent_world(Local(name="local")) as world, top_of(world.client) as top:
        await top.shows("local")
        await top.press("d")
        await top.shows("dead letters: 0")
        await top.press("r", "enter", "tab", "escape", "question_mark")
        await top.shows("choose a row", "Escape closes")
        await top.press("q")
        await top.hides("choose a row")


class AwayBroker(MemoryBroker):
    """A broker that cannot tell of queues once it is told so."""

    fault: BusError | None = None

    async def queue_info(self, name: str) -> QueueInfo | None:
        """Tell, or raise."""
        if self.fault is not None:
            raise self.fault
        return await super().queue_info(name)


async def test_what_cannot_be_looked_at_or_done_is_said_in_its_place() -> None:
    url = memory_url()
    async with (
        agent_world(Local(name="local"), amqp_url=url) as world,
        AwayBroker(url.removeprefix("memory://")) as away,
        top_of(Client(away, world.client.topology)) as top,
    ):
        result = await world.client.ask("local", "fail", timeout=10, max_attempts=1)
        await top.press("d")
        await top.shows("dead letters: 1")
        away.fault = ConnectionLost("the broker is gone")
        await top.press("r", "y")
        await top.shows("error: the broker is gone")
        away.fault = None
        await top.press("escape", "d")
        await top.shows("dead letters: 1")
        await purge(world.client, result.task_id)
        await top.press("r", "y")
        await top.shows("no dead letter of it any more", "dead letters: 0")
        away.fault = ConnectionLost("the broker is gone")
        await top.press("escape", "4", "enter")
        await top.shows("│ error: the broker is gone")


async def purge(client: Client, task_id: str) -> None:
    letters = DeadLetters(client.broker, client.topology, ["local"])
    assert [letter.task_id async for letter in letters.purge()] == [task_id]


async def test_131_agents_scroll_and_the_chosen_one_stays_in_sight() -> None:
    async with MemoryBroker("top-many") as broker:
        client = Client(broker)
        async with top_of(client, interval=600) as top:
            told = [reports.agent(f"agent-{n:03}") for n in range(131)]
            announce(client, reports.host("a", *(report.agent for report in told)), *told)
            await top.shows("agents 131", "agent-000")
            await top.press("end")
            await top.shows("agent-130: consuming", "131/131")
            assert "agent-000 " not in top.text
            await top.press("pageup", "k")
            await top.shows("agent-114")
            await top.press("home", "pagedown", "j")
            await top.shows("19/131")


class CountingWatch(Watch):
    """Counts how often its view is asked for."""

    views = 0

    def view(self) -> View:
        """Return the view."""
        self.views += 1
        return super().view()


async def test_a_burst_of_reports_is_not_drawn_one_by_one() -> None:
    async with MemoryBroker("top-burst") as broker, CountingWatch(Client(broker), interval=600) as watch:
        app = TopApp(watch)
        async with app.run_test() as pilot:
            clock = asyncio.get_running_loop().time
            before, began = watch.views, clock()
            for _ in range(4):
                announce(watch.client, reports.host("a"), *(reports.agent(f"agent-{n:03}") for n in range(131)))
            await wait_until(lambda: watch.news >= 4 * 132, what="all reports")
            await pilot.pause(2 * DRAW_SECONDS)
            assert "agents 131" in text_of(app)
            assert watch.views - before <= (clock() - began) / DRAW_SECONDS + 2
            before = watch.views
            await pilot.pause(6 * DRAW_SECONDS)
            assert watch.views - before < 5  # nothing new: once a second, for what counts seconds


async def test_a_lost_connection_is_told_at_once_and_its_end_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
    monkeypatch.setattr(MemoryBroker, "links", states)
    async with MemoryBroker("top-cut") as broker, top_of(Client(broker), interval=600) as top:
        announce(Client(broker), reports.host("a"))
        await top.shows("agents 0")
        states["consuming"] = LinkState.CONNECTING
        await top.shows("✗ connection to RabbitMQ lost")
        states["consuming"] = LinkState.CONNECTED
        await top.shows("! connection to RabbitMQ is back after")


async def test_more_alarms_than_fit_are_counted() -> None:
    async with MemoryBroker("top-alarms") as broker:
        client = Client(broker)
        async with top_of(client, interval=600) as top:
            for name in "abcde":
                announce(client, reports.pool(name, server=name), opened(name))
            await top.shows("breaker open: a (a)", "breaker open: b (b)", "and 3 more")
            await top.resize(160, 45)
            await top.shows("breaker open: e (e)")


async def test_at_140_by_30_two_hosts_of_one_server_are_told_apart_with_their_next_probe() -> None:
    async with MemoryBroker("top-140") as broker, top_of(Client(broker), 140, 30, interval=600) as top:
        for name in ("vm-1", "vm-2"):
            announce(Client(broker), reports.pool(name, server="http://127.0.0.1:11434"))
        await top.shows("PROBE HOST", "vm-1", "vm-2", "TOLD")


async def test_the_help_scrolls_on_a_small_terminal() -> None:
    async with MemoryBroker("top-help") as broker, top_of(Client(broker), 60, 15, interval=600) as top:
        await top.press("question_mark")
        await top.shows("Shift+Tab", "Escape closes")
        assert "neither" not in top.text
        await top.press("j")
        await top.hides("Shift+Tab")
        await top.press("k")
        await top.shows("Shift+Tab")
        await top.press("end")
        await top.shows("neither", "Escape closes")


async def test_where_nobody_is_every_key_is_harmless_and_q_leaves() -> None:
    async with MemoryBroker("top-nobody-here") as broker, top_of(Client(broker), interval=600) as top:
        await top.shows("no host has answered", "nothing heard yet", "Agents 0")
        await top.press("p", "r", "d", "s", "down", "end", "4", "enter", "3", "2")
        await top.press("q")
        assert top.app.return_code == 0


async def test_ctrl_c_leaves_as_interrupted() -> None:
    async with MemoryBroker("top-interrupted") as broker, top_of(Client(broker), interval=600) as top:
        await top.press("ctrl+c")
        assert top.app.return_code == 130


def opened(host: str) -> BreakerReport:
    return reports.breaker(host, server=host, state="open").model_copy(update={"timestamp": now(), "old": "closed"})
