import asyncio
import json

import pytest

from agents.fleet.fleet import Fleet
from agents.fleet.hearing import hear
from schemas import AgentReport, HostReport
from tests.support.agent_world import Asker, Gate, Holder, agent_world
from tests.support.command_line import Cli
from tests.support.program import program, sutazai
from tests.support.waiting import wait_until


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
    assert told["queues"] == [{"agent": "one", "ready": 0, "consumers": 1}]


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
