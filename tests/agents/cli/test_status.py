import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import datetime

import pytest

from agents.cli.last_words import LastWords, last_words
from agents.fleet.fleet import Fleet
from agents.fleet.hearing import hear
from bus.codec import encode_control
from bus.memory import MemoryBroker
from bus.message import Message
from bus.topology import Topology
from schemas import AgentReport, Hello, HostReport, PauseAgents
from tests.support.agent_world import Asker, Gate, Holder, agent_world
from tests.support.command_line import Cli
from tests.support.faulty_brokers import Through
from tests.support.program import program, sutazai
from tests.support.waiting import wait_until

PAUSE = PauseAgents(agent="a")


async def test_a_fleet_is_shown_in_80_columns(vhost_url: str) -> None:
    gate = Gate()
    staff = [Asker(name="asker"), Asker(name="sleeper"), Holder(gate)]
    async with agent_world(*staff, amqp_url=vhost_url, health_check_interval=600) as world:
        await world.client.ask("asker", "Hi", timeout=10)
        await world.client.submit("holder", "x")
        await gate.next()
        await world.client.submit("holder", "y")
        await world.host.consumers[1].pause("for [/a] test")
        env = {"AMQP_URL": vhost_url, "COLUMNS": "80"}
        async with program(*sutazai("status"), env=env) as shown:
            assert await shown.ends() == 0
        gate.leave.set()
        await wait_until(lambda: not any(consumer.held for consumer in world.host.consumers), what="the end")
    lines = shown.out.splitlines()
    rows = [line.split() for line in lines]
    assert ["host-1", "running", "3"] in [row[:3] for row in rows]
    assert ["http://scripted", "host-1", "closed"] in [row[:3] for row in rows]
    assert "  http://scripted (host-1) has loaded: tinyllama:latest" in lines
    assert ["sleeper", "host-1", "paused", "0", "0", "0", "0", "-"] in rows
    assert "  sleeper (host-1): for [/a] test" in lines
    assert ["holder", "host-1", "consuming", "1"] in [row[:4] for row in rows]
    assert not [row for row in rows if row[:1] == ["asker"]]
    assert "1 other agent takes tasks and holds none" in lines
    assert max(map(len, lines)) <= 80


async def test_the_reports_of_the_hosts_that_are_named_come_as_json(vhost_url: str, cli: Cli) -> None:
    async with (
        agent_world(Asker(name="one"), amqp_url=vhost_url) as world,
        agent_world(Asker(name="two"), amqp_url=vhost_url, host_name="host-2"),
    ):
        await world.client.ask("one", "Hi", timeout=10)
        ended = await asyncio.to_thread(cli, "status", "--json", "--host", "host-1", "--amqp-url", vhost_url)
    told = json.loads(ended.out)
    assert ended.code == 0
    assert [host["host"] for host in told["hosts"]] == ["host-1"]
    assert [breaker["state"] for breaker in told["breakers"]] == ["closed"]
    assert [pool["tokens_out"] > 0 for pool in told["pools"]] == [True]
    assert [(agent["agent"], agent["results"]) for agent in told["agents"]] == [("one", {"completed": 1})]
    assert told["queues"] == [{"agent": "one", "ready": 0, "consumers": 1, "dead": 0, "unserved": False}]
    assert told["unrouted"] == 0


async def test_it_ends_once_all_hosts_that_are_connected_have_told_everything(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.fleet.hearing.PATIENCE_SECONDS", 3600)
    monkeypatch.setattr("bus.live_hosts.LOOK_SECONDS", 10)
    fleet = Fleet()
    async with agent_world(Asker(name="gone"), amqp_url=vhost_url, host_name="host-9"):
        pass
    async with (
        agent_world(Asker(name="one"), Asker(name="two"), amqp_url=vhost_url) as world,
        agent_world(Asker(name="three"), amqp_url=vhost_url, host_name="host-2"),
        asyncio.timeout(30),
    ):
        await hear(world.client, fleet, ())
    assert {report.host for report in fleet.reports(HostReport)} == {"host-1", "host-2"}
    assert {report.agent for report in fleet.reports(AgentReport)} == {"one", "two", "three"}


def test_where_no_host_answers_that_is_said(cli: Cli, vhost_url: str) -> None:
    ended = cli("status", "--amqp-url", vhost_url)
    assert (ended.code, ended.out) == (7, "")
    assert ended.sentence.startswith("error: no host has answered within 1.5 s: start one with `sutazai run`")


async def test_a_named_host_that_does_not_answer_is_named(cli: Cli, vhost_url: str) -> None:
    async with agent_world(Asker(name="one"), amqp_url=vhost_url):
        hosts = ("--host", "host-1", "--host", "host-9")
        ended = await asyncio.to_thread(cli, "status", *hosts, "--amqp-url", vhost_url)
    assert ended.code == 7
    assert "host-1" in ended.out
    assert ended.sentence.startswith("error: host-9 has not answered within 1.5 s")


async def test_tasks_that_wait_for_an_agent_whose_host_is_gone_are_told_first_and_are_an_error(
    vhost_url: str, cli: Cli
) -> None:
    gone = ["gone-1", "gone-2", "gone-3", "gone-4", "gone-5"]
    async with agent_world(*(Asker(name=name) for name in gone), amqp_url=vhost_url, host_name="vm-9"):
        pass
    async with agent_world(Asker(name="here"), amqp_url=vhost_url) as world:
        well = await asyncio.to_thread(cli, "status", "--amqp-url", vhost_url)
        for name in gone:
            await world.client.submit(name, "x")
        await asyncio.to_thread(cli, "pause", "here", "--amqp-url", vhost_url)
        ended = await asyncio.to_thread(cli, "status", "--amqp-url", vhost_url)
        named = await asyncio.to_thread(cli, "status", "--host", "host-1", "--amqp-url", vhost_url)
    alone = await asyncio.to_thread(cli, "status", "--amqp-url", vhost_url)
    assert (well.code, well.err, named.code, named.err) == (0, "", 0, "")
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[:2] == [
        ["NO", "HOST", "FOR", "ready", "dead", "letters", "ran", "last", "on"],
        [gone[0], "1", "0", "vm-9"],
    ]
    assert "  here (host-1): operator (said 20" in ended.out
    assert ended.code == 7
    assert ended.sentence == (
        "error: tasks wait for gone-1, gone-2, gone-3, gone-4 and 1 more, and no host has answered that has it: "
        "start one with `sutazai run gone-1 gone-2 gone-3 gone-4`"
    )
    assert (alone.code, "gone-5" in alone.out, "no host has answered" in alone.sentence) == (7, True, True)


async def test_a_log_that_does_not_answer_does_not_keep_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.cli.last_words.LOOK_SECONDS", 0.05)

    class Silent(Through):
        async def read_log(self, _name: str, since: datetime) -> AsyncGenerator[Message, None]:  # noqa: ARG002 - none is old
            yield encode_control(Hello(host="vm-1", agents=("a", "b")))
            yield encode_control(Hello(host="vm-2", agents=("b",)))
            yield encode_control(PAUSE)
            await asyncio.Event().wait()

    words = await last_words(Silent(MemoryBroker("silent")), Topology())
    assert (words.homes, words.paused_at("a", "vm-1")) == ({"a": "vm-1", "b": "vm-2"}, PAUSE.timestamp)
    async with MemoryBroker("no-log-of-control") as broker:
        assert await last_words(broker, Topology()) == LastWords()
