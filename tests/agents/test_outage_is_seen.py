"""A killed model server, on real parts: the exchange, `top`, the exporter and the management UI agree."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import pytest

from bus.client import Client
from bus.node_layout import HOST, free_ports
from schemas import BreakerReport, Report, TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.management import Management
from tests.support.metrics_page import MetricsPage
from tests.support.program import Program, program, sutazai
from tests.support.top_screen import Shown, top_of
from tests.support.waiting import wait_until

AGENT = "prompt-injection-guard"
QUEUE = f"sutazai.tasks.{AGENT}"


@dataclass
class Scene:
    """A model server, a host in front of it, and those who watch: each a process of its own, but the client."""

    stack: AsyncExitStack
    env: dict[str, str]
    management: Management
    client: Client
    reports: AsyncIterator[Report]
    http: httpx.AsyncClient
    screen: Shown

    async def start(self, *arguments: str, until: str) -> Program:
        """Start `sutazai` and wait for what it says when it is ready."""
        running = await self.stack.enter_async_context(program(*sutazai(*arguments), env=self.env))
        await running.says(until)
        return running

    async def start_model_server(self) -> Program:
        """Start the small model behind the port that the host knows."""
        port = self.env["OLLAMA_URL"].rpartition(":")[2]
        return await self.start("local-model", "--port", port, until=self.env["OLLAMA_URL"])

    async def told(self, state: str) -> BreakerReport:
        """Return the report of the transition to a state."""
        while True:
            report = await anext(self.reports)
            if isinstance(report, BreakerReport) and report.old is not None and report.state == state:
                return report

    async def all_show(self, state: str, ready: int, consumers: int, *, exporter: Program, top: Program) -> None:
        """Wait until `top` in lines, the exporter and the management UI show the breaker and the queue like this."""
        url = exporter.out.split(" are at ")[1].split(";")[0]

        async def exporter_does() -> bool:
            page = MetricsPage((await self.http.get(url)).text)
            return page.state("sutazai_breaker_state") == [state]

        async def management_does() -> bool:
            row = (await self.management.queues())[QUEUE]
            return (row.get("messages_ready"), row.get("consumers")) == (ready, consumers)

        await top.says(f"-> {state}")
        await wait_until(exporter_does, what=f"a gauge that says {state}")
        await wait_until(management_does, what=f"{ready} ready and {consumers} consumers")


@pytest.fixture
async def scene(vhost_url: str, management: Management) -> AsyncIterator[Scene]:
    env = {"AMQP_URL": vhost_url, "OLLAMA_URL": f"http://{HOST}:{free_ports(1)[0]}", "HEALTH_CHECK_INTERVAL": "5"}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected_client(settings_for(vhost_url)))
        reports = await stack.enter_async_context(client.reports())
        http = await stack.enter_async_context(httpx.AsyncClient())
        screen = await stack.enter_async_context(top_of(client, 160, 45))
        yield Scene(stack, env, management, client, reports, http, screen)


@pytest.mark.timeout(120)  # five processes start, one after the other
async def test_a_killed_model_server_is_seen_everywhere_and_so_is_its_return(scene: Scene) -> None:
    model = await scene.start_model_server()
    await scene.start("run", AGENT, until="host.started")
    exporter = await scene.start("exporter", "--port", "0", until="Ctrl-C ends")
    top = await scene.start("top", "--plain", until="has come")
    await scene.screen.shows(AGENT, "consuming")
    hello = await scene.client.ask(AGENT, "Hello", options={"num_predict": 4}, timeout=30)
    assert hello.status is TaskStatus.COMPLETED
    model.send(signal.SIGKILL)

    report = await scene.told("open")
    assert report.reason is not None
    assert scene.env["OLLAMA_URL"] in report.reason
    await scene.screen.shows("breaker open")
    tasks = [await scene.client.submit(AGENT, "Hello", options={"num_predict": 4}) for _ in range(3)]
    await scene.screen.shows("paused")
    await scene.all_show("open", ready=3, consumers=0, exporter=exporter, top=top)

    async with scene.client.results() as results:
        await scene.start_model_server()
        await scene.told("closed")
        ended = [await anext(results) for _ in tasks]
        assert {(result.status, result.attempt) for result in ended} == {(TaskStatus.COMPLETED, 1)}
    await scene.screen.hides("breaker open")
    await scene.screen.hides("paused")
    await scene.all_show("closed", ready=0, consumers=1, exporter=exporter, top=top)
