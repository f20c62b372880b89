"""The death of a model server is noticed while nobody asks it anything, and nothing else is taken for it."""

import asyncio
import functools
import itertools
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import ModelServerFault
from agents.core.model.idle_check import IdleCheck
from agents.core.model.server_watch import ABSENT_SECONDS, KEEPALIVE, ServerWatch
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool
from bus.node_layout import HOST, free_ports
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama, refusal
from tests.support.serving import serving
from tests.support.waiting import wait_until


def patient(name: str) -> CircuitBreaker:
    """A breaker that no test outlives once it is open, unless the server comes back."""
    return CircuitBreaker(5, 600, ModelServerFault, name=name)


@asynccontextmanager
async def watched_pool(url: str) -> AsyncIterator[OllamaConnectionPool]:
    async with OllamaConnectionPool(url, breaker=patient, watch=True) as pool:
        yield pool


async def known(port: OllamaPort) -> None:
    """Wait until the watch's connection is there, and the server has answered beside it."""
    await wait_until(lambda: port.ollama.asked("/api/version"), what="the watch's first look")


async def test_a_server_that_dies_while_nobody_asks_it_opens_its_circuit_and_tells_why() -> None:
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url) as pool:
        await known(port)
        await port.die()
        await wait_until(lambda: pool.breaker.state is CircuitState.OPEN, what="an open circuit")
        trouble = pool.servers.first.vitals.trouble
        assert trouble is not None
        assert f"no model server answers at {port.url}" in trouble
        assert port.ollama.asked("/api/generate") == []


async def test_a_server_is_known_to_accept_connections_while_one_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.core.model.idle_check.HELD_SECONDS", 60)  # it is not judged while it hangs
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url) as pool:
        vitals = pool.servers.first.vitals
        port.ollama.silence = asyncio.Event()
        await wait_until(lambda: vitals.accepts, what="the connection")
        port.ollama.silence.set()
        await port.die()
        await wait_until(lambda: not vitals.accepts, what="its end")


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
        assert rests == [ABSENT_SECONDS] * 3
        assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_that_hangs_up_on_who_asks_nothing_is_alive_and_not_called_ever_faster() -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        port.hangs_up = True
        async with OllamaConnectionPool(port.url, breaker=patient) as pool:
            assert await rests_of(pool, 5) == [0.1, 0.2, 0.4, 0.8, 1.6]
            assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_whose_connections_end_but_that_answers_is_alive() -> None:
    alive = (httpx.Response(200, json={"version": "0"}) for _ in itertools.count())
    async with OllamaPort(ScriptedOllama()) as port, watched(port.url, alive) as (pool, naps):
        await port.die()
        await wait_until(lambda: naps.taken.count(ABSENT_SECONDS) >= 3, what="three misses")
        assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_whose_last_words_tell_nothing_is_asked_again_until_it_is_found_dead() -> None:
    well = httpx.Response(200, json={"version": "0"})
    words = last_words(well, well, httpx.ReadTimeout("late"), refusal(503, "busy"))
    async with OllamaPort(ScriptedOllama()) as port, watched(port.url, words) as (pool, naps):
        await port.die()
        await wait_until(lambda: pool.breaker.state is CircuitState.OPEN, what="an open circuit")
        assert naps.taken.count(ABSENT_SECONDS) >= 3


async def test_a_wedged_server_that_is_restarted_too_fast_for_a_look_is_probed_at_once() -> None:
    async with OllamaPort(ScriptedOllama()) as port, OllamaConnectionPool(port.url, breaker=patient) as pool:
        naps = Naps()
        async with running(ServerWatch(pool.servers.first, sleep=naps.nap, clock=minutes())):
            await known(port)
            await pool.breaker.force_open()
            with capture_logs() as logs:
                await port.die()
                await wait_until(lambda: ABSENT_SECONDS in naps.taken, what="a miss")
                await port.come_back()
                await wait_until(lambda: "model.restarted" in {log["event"] for log in logs}, what="its return")
            await wait_until(lambda: pool.breaker.state is CircuitState.CLOSED, what="a closed circuit")


async def test_a_proxy_that_ends_idle_connections_each_minute_brings_no_probe_of_a_wedged_server_forward() -> None:
    async with OllamaPort(ScriptedOllama()) as port, OllamaConnectionPool(port.url, breaker=patient) as pool:
        port.hangs_up = True
        await pool.breaker.force_open()
        with capture_logs() as logs:
            assert await rests_of(pool, 5, minutes()) == [0.05] * 5
        assert "model.restarted" not in {log["event"] for log in logs}
        assert pool.breaker.state is CircuitState.OPEN


async def test_a_connection_that_nobody_ends_is_kept_alive_so_that_a_lost_peer_is_noticed() -> None:
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url):
        await known(port)
        place = (HOST, port.number)
        options = {options_of(link.fd) for link in psutil.Process().net_connections("tcp") if link.raddr == place}
        assert (1, KEEPALIVE["TCP_KEEPIDLE"]) in options


def options_of(descriptor: int) -> tuple[int, int]:
    """Return whether a connection is kept alive, and after how many seconds of silence."""
    with socket.socket(fileno=os.dup(descriptor)) as link:
        return (
            link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        )


async def test_a_system_that_keeps_no_connection_alive_is_no_reason_to_stop_watching(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KEEPALIVE, "TCP_KEEPIDLE", -1)
    async with OllamaPort(ScriptedOllama()) as port, watched_pool(port.url) as pool:
        await known(port)
        await port.die()
        await wait_until(lambda: pool.breaker.state is CircuitState.OPEN, what="an open circuit")


async def test_a_server_behind_tls_is_not_watched() -> None:
    async with OllamaConnectionPool("https://ollama.example") as pool, asyncio.timeout(10):
        await ServerWatch(pool.servers.first).run()


async def test_a_server_whose_name_nobody_can_look_up_is_absent() -> None:
    async with OllamaConnectionPool("http://a..b:11434") as pool:
        assert await rests_of(pool, 1) == [ABSENT_SECONDS]


async def test_a_server_that_lets_connections_wait_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{ServerWatch.__module__}.CONNECT_SECONDS", 0.2)
    with socket.create_server((HOST, 0), backlog=0) as full, socket.socket() as filling:
        url = f"http://{HOST}:{full.getsockname()[1]}"
        async with watched(url, last_words(httpx.Response(200, json={"version": "0"}))) as (pool, naps):
            held, _ = full.accept()
            filling.connect(full.getsockname())
            held.close()
            await wait_until(lambda: ABSENT_SECONDS in naps.taken, what="a connection that takes too long")
            assert pool.breaker.state is CircuitState.CLOSED


async def test_a_server_that_serves_one_connection_at_a_time_is_left_to_its_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{IdleCheck.__module__}.HELD_SECONDS", 0.2)
    monkeypatch.setattr(f"{IdleCheck.__module__}.FREED_SECONDS", 10.0)
    async with one_at_a_time() as url, OllamaConnectionPool(url, breaker=patient) as pool, asyncio.timeout(30):
        with capture_logs() as logs:
            await ServerWatch(pool.servers.first).run()
        assert [(log["event"], log["url"]) for log in logs if log["log_level"] == "warning"] == [
            ("model.unwatched", url)
        ]
        assert await pool.servers.first.control.version() == "0"


@asynccontextmanager
async def one_at_a_time() -> AsyncIterator[str]:
    """Serve one connection to its end before the next is looked at, each with one reply; give the address."""
    turn = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with turn:
            if await reader.read(1):
                writer.write(b'HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\n{"version":"0"}')
                await writer.drain()
            writer.close()

    async with serving(serve) as port:
        yield f"http://{HOST}:{port}"


@dataclass
class Naps:
    """The rests of a watch, each over at once."""

    taken: list[float] = field(default_factory=list)

    async def nap(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0.01)


def last_words(*words: httpx.Response | Exception) -> Iterator[httpx.Response | Exception]:
    """What a server answers from now on; then it is dead."""
    return itertools.chain(words, itertools.repeat(httpx.ConnectError("refused")))


def minutes() -> Callable[[], float]:
    """A clock by which every connection lasts."""
    return functools.partial(next, itertools.count(step=60.0))


@asynccontextmanager
async def watched(
    url: str, words: Iterator[httpx.Response | Exception]
) -> AsyncIterator[tuple[OllamaConnectionPool, Naps]]:
    """Watch a server whose requests are answered by `words`; the first answer has come."""
    answered = asyncio.Event()

    def answer(_: httpx.Request) -> httpx.Response:
        answered.set()
        word = next(words)
        if isinstance(word, Exception):
            raise word
        return word

    def client(url: str) -> OllamaClient:
        return OllamaClient(url, transport=httpx.MockTransport(answer))

    naps = Naps()
    async with (
        OllamaConnectionPool(url, breaker=patient, client_factory=client) as pool,
        running(ServerWatch(pool.servers.first, sleep=naps.nap)),
        asyncio.timeout(20),
    ):
        await answered.wait()
        yield pool, naps


async def rests_of(pool: OllamaConnectionPool, count: int, clock: Callable[[], float] = lambda: 0.0) -> list[float]:
    """Run a watch of the pool's server for so many connections; return its rests between them."""
    rests: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == count:
            done.set()
            await asyncio.Event().wait()

    async with running(ServerWatch(pool.servers.first, sleep=sleep, clock=clock)), asyncio.timeout(10):
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
