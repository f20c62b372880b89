import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from agents.core.pages.server import PageServer
from agents.exporter.exporter import Exporter
from agents.exporter.pages import pages_of
from bus.alarm import ALARM
from bus.broker import LinkState
from bus.client import Client
from bus.errors import BusError
from schemas import TaskResult
from tests.support.deaf_broker import DeafBroker
from tests.support.waiting import wait_until


class ShatteredClient(Client):
    """Its results end in a fault."""

    @asynccontextmanager
    async def results(self, **_: object) -> AsyncIterator[AsyncIterator[TaskResult]]:
        """Yield what fails at once."""

        async def broken() -> AsyncIterator[TaskResult]:
            raise ValueError("no")
            yield

        yield broken()


async def test_an_exporter_that_hears_no_more_says_so_and_blames_no_connection() -> None:
    async with DeafBroker("http") as broker, Exporter(ShatteredClient(broker), interval=30) as exporter:
        health = pages_of(exporter)["/healthz"]
        await wait_until(lambda: not exporter.connected, what="the fault")
        answer = await health()
        page = (await exporter.page()).decode()
    assert answer.status == 503
    assert answer.body == b"the exporter has stopped to listen, and its log says why: start it again\n"
    assert "sutazai_exporter_connected 0.0" in page


async def test_an_exporter_that_hears_no_more_ends_with_an_error_and_one_that_is_stopped_without() -> None:
    stop = asyncio.Event()
    async with DeafBroker("http") as broker, Exporter(ShatteredClient(broker), interval=30) as exporter:
        async with asyncio.timeout(5):
            with pytest.raises(BusError, match="has stopped to listen, and its log says why: start it again"):
                await exporter.until(stop)
    async with DeafBroker("http") as broker, Exporter(Client(broker), interval=30) as exporter:
        waiting = asyncio.create_task(exporter.until(stop), name="until")
        await asyncio.sleep(0)
        assert not waiting.done()
        stop.set()
        await asyncio.wait_for(waiting, 5)


async def test_metrics_and_health_are_served_and_nothing_else() -> None:
    async with (
        DeafBroker("http") as broker,
        Exporter(Client(broker), interval=30) as exporter,
        PageServer(pages_of(exporter), "127.0.0.1", 0, patience=9, options="") as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        metrics, health, nothing = [await http.get(path) for path in ("/metrics", "/healthz", "/")]
        broker.link = LinkState.BLOCKED
        blocked = await http.get("/healthz")
        broker.link = LinkState.CONNECTING
        deaf = await http.get("/healthz")
    assert (metrics.status_code, metrics.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "sutazai_exporter_connected 1.0" in metrics.text
    assert (health.status_code, health.text) == (200, "ok\n")
    assert blocked.status_code == 200
    assert blocked.text == f"ok; {ALARM}\n"
    assert (nothing.status_code, nothing.text) == (404, "there are /metrics and /healthz\n")
    assert (deaf.status_code, deaf.text) == (503, "the connection to RabbitMQ is lost; it comes back\n")
