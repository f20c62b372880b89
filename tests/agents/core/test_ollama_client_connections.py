"""Connections: used again where an answer was read to its end, closed at once where nobody wants it."""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from agents.core.model.errors import (
    IncompleteStream,
    ModelError,
    ModelNotFound,
    ModelServerError,
    ModelTimeout,
    ModelUnreachable,
)
from agents.core.model.requests import GenerateRequest
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from agents.local_model import LocalModelServer
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import DONE, VERSION, Body, ScriptedOllama, lines, streamed
from tests.support.tiny_http import TinyHttp, chunked
from tests.support.waiting import wait_until

ASK = GenerateRequest(model="tinyllama:latest", prompt="Hi")


async def test_a_finished_answer_counts_even_if_its_connection_stays_open(
    client: OllamaClient, server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.ollama_client.DRAIN_SECONDS", 0.01)
    body = Body(lines({"response": "all", **DONE}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    assert (await client.complete(ASK)).text == "all"
    assert body.closed.is_set()


async def test_what_follows_a_finished_answer_is_ignored(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(streamed({"response": "all", **DONE}, {"response": "more", "done": False}))
    assert (await client.complete(ASK)).text == "all"


async def test_an_end_that_breaks_costs_no_finished_answer(client: OllamaClient, server: ScriptedOllama) -> None:
    server.script.append(httpx.Response(200, content=b"".join(lines({"response": "all", **DONE})) + b"<rubbish>"))
    assert (await client.complete(ASK)).text == "all"


async def test_cancelling_closes_the_answer_at_once(client: OllamaClient, server: ScriptedOllama) -> None:
    body = Body(lines({"response": "half", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    begun = asyncio.Event()

    async def hear(_: str) -> None:
        begun.set()

    task = asyncio.create_task(client.complete(ASK, hear), name="asking")
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert body.closed.is_set()


VERSION_REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"version":"0.0.0"}'


async def test_a_proxy_of_the_environment_catches_no_server_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    async with TinyHttp(VERSION_REPLY) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with OllamaClient(server.url) as client:
            assert await client.version() == VERSION
    assert server.request_lines == ["GET /api/version HTTP/1.1"]


async def test_a_distant_server_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with TinyHttp(VERSION_REPLY) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with OllamaClient("http://models.example:11434") as client:
            assert await client.version() == VERSION
    assert proxy.request_lines == ["GET http://models.example:11434/api/version HTTP/1.1"]


GOOD = chunked({"response": "all", **DONE})


def refused(status: int, body: bytes) -> bytes:
    """A refusal with its length, as Ollama sends it."""
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def connected_to(port: int | None) -> set[int]:
    """The ports of this process from which it is connected to a port of this machine."""
    links = (link for link in psutil.Process().net_connections("tcp4") if link.status == psutil.CONN_ESTABLISHED)
    return {link.laddr.port for link in links if link.raddr.port == port}


async def test_many_requests_of_all_kinds_share_one_connection() -> None:
    async with TinyHttp(GOOD) as tcp, OllamaClient(tcp.url) as client:
        for _ in range(5):
            await client.complete(ASK)
        tcp.reply = chunked({"status": "success"})
        await client.pull("m")
        tcp.reply = VERSION_REPLY
        await client.version()
        assert (tcp.connections, len(tcp.request_lines)) == (1, 7)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(404, b'{"error":"model \'m\' not found"}'), ModelNotFound),
        (refused(500, b'{"error":"llama runner process has terminated"}'), ModelServerError),
        (refused(503, b"<html>no server here</html>"), ModelUnreachable),
        (chunked({"response": "half", "done": False}, {"error": "unexpected EOF"}), ModelServerError),
        (chunked({"response": ["no", "text"]}, {"response": "", "done": True}), ModelServerError),
        (chunked({"response": "half", "done": False}), IncompleteStream),
    ],
    ids=["missing model", "failure", "proxy", "error in mid-answer", "unknown shape", "unfinished"],
)
async def test_a_connection_is_used_again_after_an_error_that_was_answered(
    reply: bytes, error: type[ModelError]
) -> None:
    async with TinyHttp(reply) as tcp, OllamaClient(tcp.url) as client:
        for _ in range(3):
            with pytest.raises(error):
                await client.complete(ASK)
        tcp.reply = GOOD
        assert (await client.complete(ASK)).text == "all"
        assert (tcp.connections, len(tcp.request_lines)) == (1, 4)


async def test_a_real_model_server_sees_one_connection_for_many_requests(model_server: LocalModelServer) -> None:
    served, seen = urlsplit(model_server.url).port, set[int]()
    short = GenerateRequest(model="smollm2:135m", prompt="Hi", options={"num_predict": 2})
    before = connected_to(served)
    async with OllamaClient(model_server.url) as client:
        for _ in range(4):
            await client.complete(short)
            with pytest.raises(ModelNotFound):
                await client.complete(replace(short, model="nope"))
            await client.tags()
            seen |= connected_to(served) - before
    assert len(seen) == 1


async def test_a_connection_that_broke_is_never_used_again() -> None:
    async with (
        TinyHttp(chunked({"response": "half", "done": False}, end=False)) as tcp,
        OllamaClient(tcp.url) as client,
    ):
        tcp.cuts = True
        with pytest.raises(IncompleteStream):
            await client.complete(ASK)
        tcp.reply, tcp.cuts = GOOD, False
        assert (await client.complete(ASK)).text == "all"
        assert (tcp.connections, len(tcp.request_lines)) == (2, 2)


async def test_a_connection_whose_server_fell_silent_is_never_used_again() -> None:
    half, timeouts = chunked({"response": "half", "done": False}, end=False), ModelTimeouts(gap=0.01)
    async with TinyHttp(half) as tcp, OllamaClient(tcp.url, timeouts=timeouts) as client:
        with pytest.raises(ModelTimeout):
            await client.complete(ASK)
        tcp.reply = VERSION_REPLY
        assert await client.version() == VERSION
        assert tcp.connections == 2


async def test_cancelling_closes_the_connection_so_that_the_server_is_free() -> None:
    async with (
        TinyHttp(chunked({"response": "half", "done": False}, end=False)) as tcp,
        OllamaClient(tcp.url) as client,
    ):
        begun = asyncio.Event()

        async def hear(_: str) -> None:
            begun.set()

        task = asyncio.create_task(client.complete(ASK, hear), name="asking")
        async with asyncio.timeout(5):
            await begun.wait()
            task.cancel()
            await tcp.left.wait()
            await asyncio.wait([task])


async def test_a_refused_connection_is_unreachable_with_a_remedy() -> None:
    async with TinyHttp(b"") as tcp:
        url = tcp.url
    async with OllamaClient(url) as client:
        with pytest.raises(ModelUnreachable, match="start Ollama there, or set OLLAMA_URL"):
            await client.version()


@pytest.mark.parametrize("passes", range(12))
async def test_a_client_that_is_closed_while_it_connects_leaves_no_connection_open(passes: int) -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        client = OllamaClient(port.url)
        asking = asyncio.create_task(client.version(), name="asking")
        for _ in range(passes):
            await asyncio.sleep(0)
        await client.close()
        async with asyncio.timeout(10):
            await asyncio.wait([asking])
        asking.exception()  # closed before it began, or answered
        served = urlsplit(port.url).port
        await wait_until(lambda: not connected_to(served), what="the end of its connection")


@pytest.mark.parametrize("passes", range(12))
async def test_nor_does_one_that_is_refused_meanwhile(passes: int) -> None:
    async with TinyHttp(refused(404, b'{"error":"model \'m\' not found"}')) as tcp:
        client = OllamaClient(tcp.url)
        asking = asyncio.create_task(client.complete(ASK), name="asking")
        for _ in range(passes):
            await asyncio.sleep(0)
        await client.close()
        async with asyncio.timeout(10):
            await asyncio.wait([asking])
        asking.exception()
        served = urlsplit(tcp.url).port
        await wait_until(lambda: not connected_to(served), what="the end of its connection")
