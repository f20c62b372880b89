"""The death of a model server is noticed while nobody asks it anything, and nothing else is taken for it."""

import asyncio
import itertools
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import ModelServerFault
from agents.core.model.server_watch import KEEPALIVE, ServerWatch
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from bus.node_layout import HOST, free_ports
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


def patient(name: str) -> CircuitBreaker:
    """A breaker that no test outlives once it is open, unless the server comes back."""
    return CircuitBreaker(5, 600, ModelServerFault, name=name)


@asynccontextmanager
async def watched_pool(url: str) -> AsyncIterator[OllamaConnectionPool]:
    async with OllamaConnectionPool(url, breaker=patient, watch=True) as pool:
        yield pool


async def known(port: OllamaPort) -> None:
    """Wait until the watch's connection is there."""
    await wait_until(lambda: port.links == 1, what="the watch's connection")


async def test_a_server_that_dies_while_nobody_asks_it_opens_its_circuit_and_tells_why() -> None:
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url) as pool:
        await known(port)
        await port.die()
        await wait_until(lambda: pool.breaker.state is CircuitState.OPEN, what="an open circuit")
        trouble = pool.servers.first.vitals.trouble
        assert trouble is not None
        assert f"no model server answers at {port.url}" in trouble
        assert port.ollama.asked("/api/generate") == []


async def test_a_dead_server_that_comes_back_is_used_again_long_before_the_recovery_time() -> None:
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url) as pool:
        await known(port)
        with capture_logs() as logs:
            await port.die()
            await wait_until(lambda: "pool.unhealthy" in {log["event"] for log in logs}, what="a look in vain")
        assert pool.breaker.state is CircuitState.OPEN
        await port.come_back()
        await wait_until(lambda: pool.breaker.state is CircuitState.CLOSED, what="a closed circuit")


async def test_a_server_that_was_never_there_is_left_to_the_first_task() -> None:
    (free,) = free_ports(1)
    async with OllamaConnectionPool(f"http://{HOST}:{free}", breaker=patient) as pool:
        rests = await rests_of(pool, 3)
        assert rests == [1.0] * 3
        assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_that_hangs_up_on_who_asks_nothing_is_alive_and_not_called_ever_faster() -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        port.hangs_up = True
        async with OllamaConnectionPool(port.url, breaker=patient) as pool:
            assert await rests_of(pool, 5) == [0.1, 0.2, 0.4, 0.8, 1.6]
            assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_whose_connections_end_but_that_answers_is_alive() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"version": "0.0.0"})

    def client(url: str) -> OllamaClient:
        return OllamaClient(url, transport=httpx.MockTransport(answer))

    async with OllamaPort(ScriptedOllama()) as port:
        pool = OllamaConnectionPool(port.url, breaker=patient, client_factory=client, watch=True)
        async with pool:
            await known(port)
            await port.die()
            await wait_until(lambda: port.links == 0, what="the end of the watch's connection")
            assert await rests_of(pool, 1) == [1.0]
            assert pool.breaker.state is CircuitState.CLOSED


async def test_a_wedged_server_that_was_restarted_too_fast_to_be_missed_is_probed_at_once() -> None:
    minutes = itertools.count(step=60.0)  # every connection lasts
    async with (
        OllamaPort(ScriptedOllama()) as port,
        OllamaConnectionPool(port.url, breaker=patient) as pool,
        running(ServerWatch(pool.servers.first, clock=lambda: next(minutes))),
    ):
        await known(port)
        await pool.breaker.force_open()
        await wait_until(lambda: port.ollama.requests, what="a look that finds it there")
        await port.die()
        await port.come_back()
        await wait_until(lambda: pool.breaker.state is CircuitState.CLOSED, what="a closed circuit")


async def test_a_connection_that_nobody_ends_is_kept_alive_so_that_a_lost_peer_is_noticed() -> None:
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url):
        await known(port)
        (kept,) = {link for link in psutil.Process().net_connections("tcp") if link.raddr == (HOST, port.number)}
        with socket.socket(fileno=os.dup(kept.fd)) as link:
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == KEEPALIVE["TCP_KEEPIDLE"]


@pytest.mark.parametrize("url", ["https://ollama.example", "http://192.0.2.1:9", "http://a..b:11434"])
async def test_a_server_behind_tls_or_out_of_reach_or_without_a_proper_name_is_not_judged(url: str) -> None:
    async with watched_pool(url) as pool:
        assert pool.breaker.state is CircuitState.CLOSED


async def rests_of(pool: OllamaConnectionPool, count: int) -> list[float]:
    """Run a watch of the pool's server for so many connections; return its rests between them."""
    rests: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == count:
            done.set()
            await asyncio.Event().wait()

    async with running(ServerWatch(pool.servers.first, sleep=sleep, clock=lambda: 0.0)), asyncio.timeout(10):
        await done.wait()
    return rests


@asynccontextmanager
async def running(watch: ServerWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run(), name="watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
