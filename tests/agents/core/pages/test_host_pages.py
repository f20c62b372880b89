"""The pages of real hosts: what probes and Prometheus see of them."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from agents import BaseAgentV2
from agents.core.host import Host
from agents.core.pages.host_pages import open_pages
from agents.core.settings import SettingsError
from agents.exporter.exporter import Exporter
from agents.exporter.host_metrics import HostMetrics
from bus.node_layout import free_ports
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import (
    Asker,
    Gate,
    Holder,
    agent_world,
    connected_client,
    memory_url,
    scripted_pool,
    settings_for,
)
from tests.support.metrics_page import MetricsPage, promtool
from tests.support.proxy import TcpProxy
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.tripping import trip
from tests.support.waiting import wait_until

FREE: dict[str, Any] = {"health_port": 0}


@asynccontextmanager
async def asking(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    """Open the pages of a host, and a client for them."""
    async with open_pages(host) as url, httpx.AsyncClient(base_url=url or "") as http:
        assert url is not None
        yield http


async def probes(http: httpx.AsyncClient) -> tuple[int, int, str]:
    """Return the status of /healthz, and that of /readyz with what it says."""
    alive, ready = await http.get("/healthz"), await http.get("/readyz")
    return alive.status_code, ready.status_code, ready.text


async def test_a_host_is_alive_all_its_life_and_ready_while_it_takes_tasks() -> None:
    gate = Gate()
    settings = settings_for(memory_url(), grace_period=10, **FREE)
    host = Host([Holder(gate)], settings, pool=scripted_pool(ScriptedOllama(), settings))
    async with connected_client(settings) as client, asking(host) as http:
        assert await probes(http) == (200, 503, "the host is starting\n")
        async with host:
            assert await probes(http) == (200, 200, "ready\n")
            await client.submit("holder", "x")
            await gate.next()
            stopping = asyncio.create_task(host.stop(), name="stop")
            draining = (200, 503, "the host is draining\n")
            await wait_until(lambda: _is(http, draining), what="the first stage of the stop")
            gate.leave.set()
            await stopping
        assert await probes(http) == (200, 503, "the host is closing\n")


async def _is(http: httpx.AsyncClient, expected: tuple[int, int, str]) -> bool:
    return await probes(http) == expected


async def test_a_model_server_that_is_away_leaves_a_host_alive_and_ready() -> None:
    async with agent_world(Asker(name="asker"), breaker_recovery=60, **FREE) as world, asking(world.host) as http:
        trip(world.host.pool.breaker)

        async def is_paused() -> bool:
            return "1 of 1 agents are paused: the model server does not answer" in (await probes(http))[2]

        await wait_until(is_paused, what="the pause")
        assert (await probes(http))[:2] == (200, 200)


async def test_a_cut_connection_makes_a_host_not_ready_and_does_not_kill_it(vhost_url: str) -> None:
    parts = urlsplit(vhost_url)
    async with (
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        agent_world(Asker(name="asker"), amqp_url=proxy.url_for(vhost_url), **FREE) as world,
        asking(world.host) as http,
    ):
        await wait_until(lambda: _is(http, (200, 200, "ready\n")), what="the agent at its queue")
        await proxy.refuse()
        await wait_until(lambda: _has_status(http, 503), what="the loss")
        alive, _, why = await probes(http)
        assert (alive, why.startswith("the connection to RabbitMQ is lost")) == (200, True)
        await proxy.heal()
        await wait_until(lambda: _has_status(http, 200), 20, what="the return")


async def _has_status(http: httpx.AsyncClient, ready: int) -> bool:
    return (await probes(http))[1] == ready


async def test_a_host_that_has_lost_a_watch_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> bool:
        raise ValueError("a bug in the pool")

    async with (
        agent_world(Asker(name="asker"), health_check_interval=0.02, **FREE) as world,
        asking(world.host) as http,
    ):
        monkeypatch.setattr(world.host.pool, "health_check", fail)
        await wait_until(lambda: world.host.failed_watch, what="the end of the reports")
        alive = await http.get("/healthz")
    assert (alive.status_code, alive.text) == (
        503,
        "reports:host-1 has died, so the host stops; the log tells why\n",
    )


async def test_a_hosts_own_metrics_have_the_names_that_the_exporter_has() -> None:
    async with (
        agent_world(Asker(name="asker"), **FREE) as world,
        Exporter(world.client, interval=30) as exporter,
        asking(world.host) as http,
    ):
        before = MetricsPage((await http.get("/metrics")).text)
        await world.client.ask("asker", "Hi", timeout=10)

        async def told() -> bool:
            return b"sutazai_tokens_total{" in await exporter.page()

        await wait_until(told, what="the task at the exporter")
        answer = await http.get("/metrics")
        page, whole = MetricsPage(answer.text), MetricsPage((await exporter.page()).decode())
    assert promtool("check", "metrics", stdin=answer.text) == ""
    assert whole.names - page.names == {
        "sutazai_queue_ready",
        "sutazai_queue_consumers",
        "sutazai_queue_dead",
        "sutazai_queue_unrouted",
        "sutazai_exporter_connected",
        "sutazai_broker_alarm",
    }
    assert page.names < whole.names
    assert before("sutazai_tasks_total", agent="asker", status="completed") == 0
    assert page("sutazai_tasks_total", agent="asker", status="completed") == 1
    assert page("sutazai_pool_slots", host="host-1") == 2
    assert page.state("sutazai_consumer_state", host="host-1", agent="asker") == ["consuming"]
    assert page.state("sutazai_breaker_state", host="host-1") == ["closed"]


async def test_a_result_that_another_host_has_given_is_counted_there_alone() -> None:
    async with agent_world(Asker(name="asker")) as world:
        metrics = HostMetrics("host-1", world.host.reporter, world.host.consumers)
        for host in ("host-1", "host-2"):
            metrics.count(TaskResult(task_id="t", agent="asker", status=TaskStatus.COMPLETED, host=host))
        page = MetricsPage(metrics.page().decode())
    assert page("sutazai_tasks_total", agent="asker", status="completed") == 1


async def test_without_the_extra_there_are_probes_and_a_word_on_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with agent_world(Asker(name="asker"), **FREE) as world, asking(world.host) as http:
        assert await probes(http) == (200, 200, "ready\n")
        metrics = await http.get("/metrics")
    assert (metrics.status_code, metrics.text) == (
        501,
        "prometheus-client is not installed: pip install 'sutazai-agents[exporter]'\n",
    )


async def test_an_agent_that_runs_by_itself_serves_its_pages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("AMQP_URL", memory_url())
    monkeypatch.setenv("SUTAZAI_HEALTH_PORT", str(port))
    running = asyncio.create_task(Asker(name="asker").run_async(), name="run")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def is_ready() -> bool:
            with contextlib.suppress(httpx.ConnectError):
                return await probes(http) == (200, 200, "ready\n")
            return False

        await wait_until(is_ready, what="the pages")
    with pytest.raises(SettingsError) as second:
        await Asker(name="asker").run_async()
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert str(second.value).endswith("choose others with SUTAZAI_HEALTH_ADDRESS and SUTAZAI_HEALTH_PORT")


async def test_a_host_whose_settings_name_no_port_serves_nothing() -> None:
    async with agent_world(Asker(name="asker")) as world, open_pages(world.host) as url:
        assert url is None


async def test_a_task_at_work_does_not_keep_the_probes_waiting() -> None:
    class Slow(BaseAgentV2):
        needs_model = False

        async def process_task(self, task: TaskMessage) -> str:
            await leave.wait()
            return task.prompt or ""

    leave = asyncio.Event()
    async with agent_world(Slow(name="slow"), **FREE) as world, asking(world.host) as http:
        await world.client.submit("slow", "x")
        await wait_until(lambda: world.host.consumers[0].running, what="the handler")
        assert await probes(http) == (200, 200, "ready\n")
        leave.set()
