"""What clients, hanging threads, forked children and a lack of descriptors do to the HTTP server: little."""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from agents.core.pages.answer import Answer, sentence
from agents.core.pages.http_server import HttpServer
from agents.core.pages.server import PageServer
from tests.support.waiting import wait_until

MODULE = HttpServer.__module__


async def fine() -> Answer:
    return sentence("fine")


async def slow() -> Answer:
    await asyncio.sleep(0.5)
    return sentence("slow")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with PageServer({"/fine": fine, "/slow": slow}, "127.0.0.1", 0, patience=10, options="") as running:
        yield port_of(running)


def port_of(running: PageServer) -> int:
    return int(running.url.rpartition(":")[2])


async def get(port: int, path: str = "/fine") -> int:
    """Return the status, or 0 where the connection is closed without a reply."""
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"http://127.0.0.1:{port}{path}")).status_code
        except httpx.TransportError:
            return 0


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


async def test_threads_that_hang_do_not_hold_up_the_end() -> None:
    release = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    hanging = asyncio.create_task(asyncio.to_thread(release.wait, 30), name="hanging")
    async with asyncio.timeout(5):
        async with PageServer({}, "127.0.0.1", 0, patience=1, options=""):
            await asyncio.sleep(0)
    assert not hanging.done()
    release.set()
    await hanging


async def test_a_request_that_comes_byte_by_byte_is_cut_off(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(f"{MODULE}.EXCHANGE_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def drip() -> None:
        writer.write(b"GET /fine HTTP/1.0\r\nX: ")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip(), name="drip")
    async with asyncio.timeout(4):
        assert await until_closed(reader) == b""
    dripping.cancel()
    writer.close()


async def test_a_page_may_take_longer_than_a_request(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(f"{MODULE}.EXCHANGE_SECONDS", 0.2)
    assert await get(port, "/slow") == 200


async def test_connections_beyond_the_bound_are_closed_until_others_have_their_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{MODULE}.CONNECTIONS_MOST", 2)
    release, waiting = asyncio.Event(), asyncio.Semaphore(0)

    async def held() -> Answer:
        waiting.release()
        await release.wait()
        return sentence("held")

    async with (
        asyncio.timeout(20),
        PageServer({"/fine": fine, "/held": held}, "127.0.0.1", 0, patience=20, options="") as running,
        asyncio.TaskGroup() as group,
    ):
        port = port_of(running)
        clients = [group.create_task(get(port, "/held"), name=f"client {number}") for number in range(2)]
        for _ in clients:
            await waiting.acquire()
        assert await get(port) == 0
        release.set()
        assert [await client for client in clients] == [200, 200]

        async def is_served() -> bool:
            return await get(port) == 200

        await wait_until(is_served, what="the place of one that has its reply")


async def test_strangers_who_ask_nothing_keep_nobody_out_and_the_oldest_of_them_has_to_go(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setattr(f"{MODULE}.CONNECTIONS_MOST", 2)
    (first, first_writer), (second, second_writer) = [
        await asyncio.open_connection("127.0.0.1", port) for _ in range(2)
    ]
    assert await get(port) == 200
    async with asyncio.timeout(4):  # less than a silent one gets where there is room
        assert await until_closed(first) == b""
        second_writer.write(b"GET /fine HTTP/1.0\r\n\r\n")
        assert (await until_closed(second)).startswith(b"HTTP/1.0 200")
    for writer in (first_writer, second_writer):
        writer.close()


def test_who_has_sent_what_nobody_has_read_yet_is_no_silent_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.CONNECTIONS_MOST", 2)
    pairs = [socket.socketpair() for _ in range(4)]
    clients, accepted = zip(*pairs, strict=True)
    with HttpServer(socket.AF_INET, ("127.0.0.1", 0), lambda _path: sentence("fine"), patience=1) as server:
        clients[0].sendall(b"GET")
        assert [server.verify_request(each, None) for each in accepted[:3]] == [True, True, True]
        assert clients[1].recv(1) == b""
        clients[2].sendall(b"GET")
        assert not server.verify_request(accepted[3], None)
        server.note_asked(accepted[1])
        server.shutdown_request(accepted[0])
        assert server.verify_request(accepted[3], None)
    for pair in pairs:
        for each in pair:
            each.close()


@contextlib.contextmanager
def no_free_descriptor() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Counting(HttpServer):
    """Counts how often it tries to accept a connection."""

    tries = 0

    def get_request(self) -> tuple[socket.socket, Any]:
        self.tries += 1
        return super().get_request()


def test_a_lack_of_descriptors_burns_no_cpu_and_the_client_is_served_after_it() -> None:
    server = Counting(socket.AF_INET, ("127.0.0.1", 0), lambda _path: sentence("fine"), patience=1)
    serving = threading.Thread(target=server.run, name="serving", daemon=True)
    with socket.socket() as client:
        client.settimeout(10)
        with no_free_descriptor():
            serving.start()
            client.connect(server.server_address[:2])
            client.sendall(b"GET /fine HTTP/1.0\r\n\r\n")
            time.sleep(0.5)
            tries = server.tries
        assert client.recv(100).startswith(b"HTTP/1.0 200")
    server.shutdown()
    serving.join(10)
    assert 1 <= tries <= 10


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_does_not_keep_the_port() -> None:
    context = multiprocessing.get_context("fork")
    release = context.Event()
    async with PageServer({}, "127.0.0.1", 0, patience=1, options="") as running:
        child = context.Process(target=release.wait, args=(30,))
        child.start()
    async with PageServer({"/fine": fine}, "127.0.0.1", port_of(running), patience=1, options="") as again:
        assert await get(port_of(again)) == 200
        assert child.is_alive()
    release.set()
    child.join(10)
