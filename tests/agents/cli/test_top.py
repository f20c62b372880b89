"""The command itself: on a terminal, into a pipe, and where there is nothing to see."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from agents.top.plain import tell_lines
from bus.client import Client
from bus.ending import end_tasks
from bus.memory import MemoryBroker
from tests.support import reports
from tests.support.agent_world import Asker, agent_world
from tests.support.command_line import Cli
from tests.support.program import program, sutazai
from tests.support.terminal import on_terminal
from tests.support.tripping import trip
from tests.support.waiting import wait_until
from tests.support.watched_fleet import announce


async def test_on_a_terminal_the_fleet_is_drawn_a_breaker_that_opens_is_told_and_a_key_ends_it(vhost_url: str) -> None:
    async with (
        agent_world(Asker(name="asker"), amqp_url=vhost_url, health_check_interval=600) as world,
        on_terminal(*sutazai("top", "--interval", "600"), env={"AMQP_URL": vhost_url}) as top,
    ):
        await top.shows("asker: consuming on host-1")
        trip(world.host.pool.breaker)
        await top.shows("breaker open: scripted (host-1)")
        top.type("q")
        assert await top.ends() == 0
    assert top.raw.rindex("\x1b[?1049l") > top.raw.rindex("breaker open")  # the screen from before is back


async def test_a_signal_ends_the_screen_as_an_interruption_and_gives_the_terminal_back(vhost_url: str) -> None:
    async with on_terminal(*sutazai("top"), env={"AMQP_URL": vhost_url}) as top:
        await top.shows("no host has answered")
        top.process.send_signal(signal.SIGTERM)
        assert await top.ends() == 130
    assert "\x1b[?1049l" in top.raw
    assert "Traceback" not in top.text


async def test_into_a_pipe_each_change_and_each_result_is_a_line_until_a_signal(vhost_url: str) -> None:
    async with (
        agent_world(Asker(name="asker"), amqp_url=vhost_url, health_check_interval=600) as world,
        program(*sutazai("top", "--interval", "600"), env={"AMQP_URL": vhost_url}) as top,
    ):
        await top.says("host     host-1 has come: ")
        result = await world.client.ask("asker", "Hi", timeout=10)
        await top.says(f"result   asker  {result.task_id}  completed  tinyllama")
        trip(world.host.pool.breaker)
        await top.says("breaker  http://scripted (host-1) closed -> open")
        await top.says("agent    asker (host-1) consuming -> paused")
        await top.says("summary  hosts 1  agents 1")
        top.send(signal.SIGINT)
        assert await top.ends() == 130
    assert top.err == ""


async def test_a_pipe_that_nobody_reads_any_more_ends_it_without_a_word(vhost_url: str) -> None:
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *sutazai("top", "--interval", "0.5"),
        env={**os.environ, "AMQP_URL": vhost_url},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    os.close(reader)
    _, said = await asyncio.wait_for(process.communicate(), 45)
    assert (process.returncode, said) == (141, b"")


async def test_a_host_that_has_said_goodbye_is_forgotten_in_lines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.top.watch.FAREWELL_SECONDS", 0.0)
    said: list[str] = []
    broken = reports.breaker("b", state="open")
    async with MemoryBroker("top-goodbye") as broker:
        client = Client(broker)
        telling = asyncio.create_task(tell_lines(client, 0.1, said.append), name="lines")

        await wait_until(lambda: "summary" in " ".join(said), what="the summary")
        announce(client, reports.host("b"), broken, reports.host("b", state="closing"))
        await wait_until(lambda: "it is gone" in " ".join(said), what="the goodbye")
        begun = len(said)
        await wait_until(lambda: any("hosts 0" in line for line in said[begun:]), what="the end")
        begun = len(said)
        await wait_until(lambda: any("hosts 0" in line for line in said[begun:]), what="a look after it")
        announce(client, broken)
        await wait_until(lambda: sum("closed -> open" in line for line in said) == 2, what="the breaker, told anew")
        await end_tasks([telling])


async def test_a_host_that_falls_silent_is_told_in_lines_though_no_report_says_so() -> None:
    said: list[str] = []
    async with MemoryBroker("top-plain") as broker:
        client = Client(broker)
        telling = asyncio.create_task(tell_lines(client, 0.4, said.append), name="lines")
        await wait_until(lambda: any("no host has answered" in line for line in said), what="an empty fleet")
        announce(client, reports.host("a"))
        await wait_until(lambda: any("alarm    host silent: a" in line for line in said), what="a silent host")
        announce(client, reports.host("a"))
        await wait_until(lambda: any("over     host silent: a" in line for line in said), what="its return")
        telling.cancel()
    assert sum(" has come: " in line for line in said) == 1


async def test_in_lines_hosts_are_asked_as_often_as_for_a_screen_however_seldom_a_summary_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.top.plain.INTERVAL_SECONDS", 0.2)
    said: list[str] = []
    async with MemoryBroker("top-asks") as broker:
        client = Client(broker)
        telling = asyncio.create_task(tell_lines(client, 600, said.append), name="lines")
        await wait_until(lambda: any("no host has answered" in line for line in said), what="an empty fleet")
        announce(client, reports.host("a"))
        await wait_until(lambda: any("alarm    host silent: a" in line for line in said), what="a silent host")
        await end_tasks([telling])


def test_a_broker_that_is_away_is_a_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.5")
    ended = cli("top", "--amqp-url", "amqp://127.0.0.1:1/")
    assert ended.code == 3
    assert ended.sentence.startswith("error: no RabbitMQ answers at amqp://127.0.0.1:1/")


def test_memory_is_refused_since_nobody_else_is_in_it(cli: Cli) -> None:
    ended = cli("top", "--amqp-url", "memory://here")
    assert ended.code == 2
    assert "memory://here is within one process" in ended.sentence


def test_textual_is_imported_for_a_screen_alone() -> None:
    code = "import sys, agents.cli.top; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
