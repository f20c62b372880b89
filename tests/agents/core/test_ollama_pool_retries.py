"""What is tried again, and what is not."""

import asyncio

import httpx
import pytest

from agents.core.circuit_breaker import CircuitBreaker
from agents.core.model.errors import (
    BadModelRequest,
    IncompleteStream,
    ModelPoolClosed,
    ModelServerFault,
    ModelUnreachable,
)
from agents.core.model.requests import GenerateRequest
from agents.core.model.task_scope import TaskScope, task_scope
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.pools import MakePool
from tests.support.scripted_ollama import ScriptedOllama, refusal, streamed


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        refusal(503, "server busy"),
        refusal(500, "an error was encountered while running the model: unexpected EOF"),
        streamed({"response": "half", "done": False}),
    ],
    ids=["no connection", "overloaded", "server error", "incomplete"],
)
async def test_a_failure_in_passing_is_tried_again_and_counts_as_one_request(
    make: MakePool, server: ScriptedOllama, failure: httpx.Response | Exception
) -> None:
    server.script.append(failure)
    pool = make()
    assert await pool.generate("Hi") == "ok"
    stats = pool.get_stats()
    assert (stats["total_requests"], stats["failed_requests"]) == (1, 0)


async def test_a_bad_request_is_never_tried_again(make: MakePool, server: ScriptedOllama, naps: list[float]) -> None:
    server.script.append(refusal(500, 'option "temperature" must be of type float32'))
    with pytest.raises(BadModelRequest):
        await make().generate("Hi", min_p="hot")
    assert (len(server.requests), naps) == (1, [])


async def test_a_try_that_failed_gives_its_slot_back_while_it_waits(server: ScriptedOllama) -> None:
    napping, go_on = asyncio.Event(), asyncio.Event()

    async def nap(_: float) -> None:
        napping.set()
        await go_on.wait()

    pool = OllamaConnectionPool("http://ollama", 1, transport=server.transport, sleep=nap)
    server.script.append(refusal(500, "no"))
    failing = asyncio.create_task(pool.generate("first"), name="failing")
    async with asyncio.timeout(5):
        await napping.wait()
        assert await pool.generate("second") == "ok"
        go_on.set()
        assert await failing == "ok"
        await pool.close()


async def test_a_stream_that_broke_after_text_was_shown_is_not_tried_again(
    make: MakePool, server: ScriptedOllama
) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(streamed({"response": "half", "done": False}))
    with pytest.raises(IncompleteStream):
        await make().complete(GenerateRequest(prompt="Hi"), on_chunk=hear)
    assert (heard, len(server.requests)) == (["half"], 1)


async def test_a_stream_that_broke_before_any_text_is_tried_again(make: MakePool, server: ScriptedOllama) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    server.script.append(streamed({"response": "", "done": False}))
    with task_scope(TaskScope(on_chunk=hear)):
        await make().complete(GenerateRequest(prompt="Hi"))
    assert heard == ["o", "k"]


async def test_a_breaker_of_ones_own_sees_every_failure_of_the_server(make: MakePool, server: ScriptedOllama) -> None:
    breaker = CircuitBreaker(failure_threshold=12, expected_exception=ModelServerFault)
    server.script.extend([httpx.ConnectError("refused") for _ in range(12)])
    pool = make(breaker=breaker, max_retries=3)
    for _ in range(3):
        with pytest.raises(ModelUnreachable):
            await pool.generate("Hi")
    assert breaker.get_stats()["failed_requests"] == 12
    assert not breaker.is_healthy
    assert len(server.asked("/api/generate")) == 12


async def test_a_caller_that_waits_to_try_again_hears_of_the_end(server: ScriptedOllama) -> None:
    pool: OllamaConnectionPool

    async def close_instead(_: float) -> None:
        await pool.close()

    pool = OllamaConnectionPool("http://ollama", transport=server.transport, sleep=close_instead)
    server.script.append(refusal(500, "no"))
    with pytest.raises(ModelPoolClosed):
        await pool.generate("Hi")
