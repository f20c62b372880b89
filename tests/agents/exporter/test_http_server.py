import asyncio
import socket

import httpx
import pytest

from agents.core.settings import SettingsError
from agents.exporter import http_server
from agents.exporter.exporter import Exporter
from agents.exporter.http_server import MetricsServer
from bus.broker import LinkState
from bus.client import Client
from bus.memory import MemoryBroker
from tests.support.deaf_broker import DeafBroker


async def test_metrics_and_health_are_served_and_nothing_else() -> None:
    async with (
        DeafBroker("http") as broker,
        Exporter(Client(broker), interval=30) as exporter,
        MetricsServer(exporter, "127.0.0.1", 0) as server,
        httpx.AsyncClient() as http,
    ):
        metrics = await http.get(server.url)
        health = await http.get(server.url.replace("/metrics", "/healthz"))
        nothing = await http.get(server.url.replace("/metrics", "/"))
        broker.link = LinkState.BLOCKED
        blocked = await http.get(server.url.replace("/metrics", "/healthz"))
        broker.link = LinkState.CONNECTING
        deaf = await http.get(server.url.replace("/metrics", "/healthz"))
    assert (metrics.status_code, metrics.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "sutazai_exporter_connected 1.0" in metrics.text
    assert (health.status_code, health.text) == (200, "ok\n")
    assert blocked.status_code == 200
    assert (nothing.status_code, nothing.text) == (404, "there are /metrics and /healthz\n")
    assert (deaf.status_code, deaf.text) == (503, "the connection to RabbitMQ is lost; it comes back\n")


async def test_a_page_that_takes_too_long_is_refused_and_the_server_ends_with_its_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stuck(Exporter):
        async def page(self) -> bytes:
            await asyncio.Event().wait()
            return b""

    monkeypatch.setattr(http_server, "ANSWER_SECONDS", 0.05)
    async with MemoryBroker("http-stuck") as broker, Stuck(Client(broker), interval=30) as exporter:
        async with MetricsServer(exporter, "127.0.0.1", 0) as server, httpx.AsyncClient() as http:
            busy = await http.get(server.url)
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(server.url)
    assert (busy.status_code, busy.text) == (503, "the exporter is busy; ask again\n")


async def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    async with MemoryBroker("http-taken") as broker, Exporter(Client(broker), interval=30) as exporter:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(SettingsError) as caught:
                await MetricsServer(exporter, "127.0.0.1", port).__aenter__()
    assert str(caught.value) == (
        f"nothing can listen on 127.0.0.1:{port}: Address already in use; choose others with --host and --port"
    )
