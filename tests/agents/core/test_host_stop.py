"""A host stops in named stages, within a bound, and loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from enum import StrEnum
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from agents import Host
from agents.core.log import configure_logging
from bus import consumer
from schemas import HostReport, Report, ReportKind, TaskStatus
from tests.support.agent_world import Asker, Gate, Holder, agent_world, connected_client, scripted_pool, settings_for
from tests.support.proxy import TcpProxy
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until

CLOSING_SECONDS = 15
"""Ten, which the limits of all that is closed add up to where nothing answers, and room for a busy machine."""

STOPPING = ["draining", "handing_back", "closing"]


async def until_stage(reports: AsyncIterator[Report], wanted: str) -> list[str]:
    """Return the stages that are reported up to the one that is wanted, each once."""
    stages: list[str] = []
    async with asyncio.timeout(10):
        while wanted not in stages:
            report = await anext(reports)
            assert isinstance(report, HostReport)
            stages += [] if report.state in stages else [report.state]
    return stages


async def test_the_stages_of_a_stop_are_reported_and_logged_in_their_order() -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with (
            agent_world(Holder(Gate()), health_check_interval=60) as world,
            world.client.reports(kind=ReportKind.HOST) as reports,
        ):
            await world.host.stop()
            stages = await until_stage(reports, "closing")
    assert [stage for stage in stages if stage != "running"] == STOPPING
    logged = [(line["host"], line["stage"]) for line in logs if line["event"] == "host.stage"]
    assert logged == [("host-1", stage) for stage in ("running", *STOPPING)]


async def test_what_runs_may_end_while_the_host_drains_and_only_then_comes_the_next_stage() -> None:
    gate = Gate()
    configure_logging("info")
    with capture_logs() as logs:
        async with (
            agent_world(Holder(gate), grace_period=10) as world,
            world.client.results() as results,
            asyncio.timeout(20),
        ):
            task = await world.client.submit("holder", "1")
            await gate.next()
            stopping = asyncio.create_task(world.host.stop(), name="stop")
            await wait_until(lambda: world.host.consumers[0].state == "paused", what="the pause")
            for _ in range(100):
                await asyncio.sleep(0)  # whoever would go on too early, may
            gate.leave.set()
            result = await anext(results)
            await stopping
    assert (result.task_id, result.status) == (task.id, TaskStatus.COMPLETED)
    steps = [str(line.get("stage", line["event"])) for line in logs]
    assert [step for step in steps if step in (*STOPPING, "task.ended")] == ["draining", "task.ended", *STOPPING[1:]]


async def test_a_stop_tells_apart_what_runs_and_what_only_waits_for_the_model() -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    agent = Asker(name="asker", max_concurrent_tasks=3)
    configure_logging("info")
    with capture_logs() as logs:
        async with agent_world(agent, ollama=ollama, max_ollama_connections=1, grace_period=0.1) as world:
            for _ in range(3):
                await world.client.submit("asker", "x")
            await ollama.arrivals(1)
            await wait_until(lambda: world.host.consumers[0].waiting == 2, what="two that wait for the slot")
            await world.host.stop()
            ollama.gate.set()
    (told,) = [line for line in logs if line["event"] == "host.stopping"]
    assert (told["running"], told["waiting"]) == (1, 2)


async def test_what_outlasts_the_grace_period_is_done_by_another_host_as_the_same_attempt(vhost_url: str) -> None:
    first, second = Gate(), Gate()
    second.leave.set()
    async with (
        agent_world(Holder(first), amqp_url=vhost_url, grace_period=0.1) as world,
        world.client.results() as results,
        asyncio.timeout(30),
    ):
        task = await world.client.submit("holder", "1", max_attempts=1)
        await first.next()
        async with agent_world(Holder(second), amqp_url=vhost_url, host_name="host-2"):
            await world.host.stop()
            result = await anext(results)
    assert first.running == 0
    assert (result.task_id, result.status, result.attempt) == (task.id, TaskStatus.COMPLETED, 1)
    assert {past.error.code for past in result.history} <= {"lost"}
    assert await second.next() == task.id


async def test_a_host_without_work_stops_without_waiting_for_its_grace_period() -> None:
    async with agent_world(Holder(Gate()), grace_period=3600) as world, asyncio.timeout(10):
        await world.host.stop()


def test_the_stages_besides_the_grace_period_take_ten_seconds_at_most() -> None:
    assert 2 * consumer.HAND_BACK_SECONDS <= 10


class Work(StrEnum):
    """What a host has in hand when its broker goes away."""

    RUNNING = "running"
    DONE = "done"
    """Its result waits for the broker."""


@pytest.mark.parametrize("work", Work)
async def test_a_stop_is_bounded_where_the_broker_swallows_everything(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch, work: Work
) -> None:
    monkeypatch.setattr("bus.consumer.HAND_BACK_SECONDS", 0.5)
    parts = urlsplit(vhost_url)
    gate = Gate()
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        settings = settings_for(proxy.url_for(vhost_url), grace_period=0.5)
        host = Host([Holder(gate)], settings, pool=scripted_pool(ScriptedOllama(), settings))
        async with connected_client(settings_for(vhost_url)) as client, asyncio.timeout(40):
            async with host:
                await client.submit("holder", "1")
                await gate.next()
                proxy.blackhole()
                if work is Work.DONE:
                    gate.leave.set()
                    await wait_until(lambda: gate.running == 0, what="the end of the work")
                started = time.monotonic()
                await host.stop()
                stopped = time.monotonic() - started
                if work is Work.DONE:
                    await proxy.refuse()  # to end it sooner: how long closing takes is measured once
            closed = time.monotonic() - started - stopped
    assert stopped < 0.5 + 2 * 0.5 + 2
    assert closed < CLOSING_SECONDS
    assert gate.running == 0
