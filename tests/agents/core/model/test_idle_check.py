"""Only a server that answers as soon as the idle connection has gone, time and again, is one that it harms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from agents.core.model.idle_check import TIMES, IdleCheck
from agents.core.ollama_client import OllamaClient
from agents.core.ollama_pool import OllamaConnectionPool

MODULE = IdleCheck.__module__


class Scene:
    """A server whose every answer is made by `answer`, which gets what says that the idle connection has gone."""

    def __init__(self, answer: Callable[[asyncio.Event], Awaitable[httpx.Response]]) -> None:
        self.answer = answer
        self.dropped = asyncio.Event()
        self.asked = 0

    async def handle(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        return await self.answer(self.dropped)

    @asynccontextmanager
    async def check(self) -> AsyncIterator[IdleCheck]:
        def client(url: str) -> OllamaClient:
            return OllamaClient(url, transport=httpx.MockTransport(self.handle))

        async with OllamaConnectionPool("http://ollama", client_factory=client) as pool:
            yield IdleCheck(pool.servers.first)

    async def looks(self, check: IdleCheck, times: int) -> None:
        for _ in range(times):
            self.dropped.clear()
            await check.look(self.dropped.set)


async def at_once(_: asyncio.Event) -> httpx.Response:
    return httpx.Response(200, json={"version": "0"})


async def refused(_: asyncio.Event) -> httpx.Response:
    return httpx.Response(404)


async def unreachable(_: asyncio.Event) -> httpx.Response:
    raise httpx.ConnectError("refused")


async def once_dropped(dropped: asyncio.Event) -> httpx.Response:
    await dropped.wait()
    return httpx.Response(200, json={"version": "0"})


async def never(_: asyncio.Event) -> httpx.Response:
    return await once_dropped(asyncio.Event())


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.HELD_SECONDS", 0.05)


@pytest.mark.usefixtures("hurried")
async def test_a_server_that_answers_only_once_the_idle_connection_has_gone_is_harmed_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{MODULE}.FREED_SECONDS", 10.0)
    scene = Scene(once_dropped)
    async with scene.check() as check:
        await scene.looks(check, 2)  # chance may have it twice
        assert not check.is_harmful
        await scene.looks(check, 1)
        assert check.is_harmful


@pytest.mark.parametrize("answer", [at_once, refused])
async def test_a_server_that_has_answered_beside_an_idle_connection_keeps_it_and_is_asked_no_more(
    answer: Callable[[asyncio.Event], Awaitable[httpx.Response]],
) -> None:
    scene = Scene(answer)
    async with scene.check() as check:
        await scene.looks(check, TIMES)
        assert (check.is_harmful, scene.asked, scene.dropped.is_set()) == (False, 1, False)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("answer", [never, unreachable])
async def test_a_server_that_does_not_answer_at_all_leaves_a_doubt_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[asyncio.Event], Awaitable[httpx.Response]]
) -> None:
    monkeypatch.setattr(f"{MODULE}.FREED_SECONDS", 0.05)
    scene = Scene(answer)
    async with scene.check() as check:
        await scene.looks(check, TIMES)
        assert (check.is_harmful, scene.asked) == (False, TIMES)
