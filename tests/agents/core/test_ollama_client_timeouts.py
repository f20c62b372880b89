"""Each patience of the client ends on its own, and says which one it was."""

import asyncio

import httpx
import pytest

from agents.core.model.errors import ModelTimeout, TimeoutPhase
from agents.core.model.requests import GenerateRequest
from agents.core.model.timeouts import ModelTimeouts
from agents.core.ollama_client import OllamaClient
from tests.support.scripted_ollama import DONE, Body, ScriptedOllama, answer, lines, streamed

ASK = GenerateRequest(model="tinyllama:latest", prompt="Hi")


@pytest.mark.parametrize(
    ("timeouts", "is_loaded", "which"),
    [
        (ModelTimeouts(load=0.01, first_token=5, gap=5, total=5), False, TimeoutPhase.LOAD),
        (ModelTimeouts(load=5, first_token=0.01, gap=5, total=5), True, TimeoutPhase.FIRST_TOKEN),
    ],
)
async def test_a_server_that_never_answers_has_the_time_of_a_load_or_of_a_prompt_where_the_model_is_loaded(
    server: ScriptedOllama, timeouts: ModelTimeouts, which: TimeoutPhase, *, is_loaded: bool
) -> None:
    server.gate = asyncio.Event()
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=timeouts)
    with pytest.raises(ModelTimeout, match=rf"sent nothing for 0\.01 s.* SUTAZAI_MODEL_{which.name}_TIMEOUT") as caught:
        await client.complete(ASK, is_loaded=is_loaded)
    assert caught.value.which is which


async def test_a_preload_has_the_time_of_a_load(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    timeouts = ModelTimeouts(load=0.01, first_token=5, total=5, control=5)
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=timeouts)
    with pytest.raises(ModelTimeout) as caught:
        await client.preload("tinyllama")
    assert caught.value.which is TimeoutPhase.LOAD


async def test_embeddings_have_the_time_of_a_whole_request(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    timeouts = ModelTimeouts(load=5, first_token=5, total=0.01, control=5)
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=timeouts)
    with pytest.raises(ModelTimeout, match="did not finish within") as caught:
        await client.embed("all-minilm", ["a"])
    assert caught.value.which is TimeoutPhase.TOTAL


@pytest.mark.parametrize(
    ("timeouts", "which"),
    [
        (ModelTimeouts(load=5, gap=0.01, total=5), TimeoutPhase.GAP),
        (ModelTimeouts(load=5, gap=5, total=0.05), TimeoutPhase.TOTAL),
    ],
)
async def test_an_answer_that_falls_silent_times_out_and_is_closed(
    server: ScriptedOllama, timeouts: ModelTimeouts, which: TimeoutPhase
) -> None:
    body = Body(lines({"response": "half", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=timeouts)
    with pytest.raises(ModelTimeout) as caught:
        await client.complete(ASK)
    assert caught.value.which is which
    assert body.closed.is_set()


async def test_a_total_that_ends_before_the_first_token_says_so(server: ScriptedOllama) -> None:
    server.gate = asyncio.Event()
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(load=5, total=0.01))
    with pytest.raises(ModelTimeout, match=r"sent nothing within the 0\.01 s") as caught:
        await client.complete(ASK)
    assert caught.value.which is TimeoutPhase.TOTAL


async def test_the_time_of_on_chunk_counts_to_no_gap(server: ScriptedOllama) -> None:
    server.script.append(answer("a"))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(gap=0.05, total=5))

    async def slow(_: str) -> None:
        await asyncio.sleep(0.1)  # longer than the gap allows: the listener's time, not the server's

    assert (await client.complete(ASK, slow)).text == "a"


async def test_a_control_question_has_a_short_timeout_of_its_own() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    timeouts = ModelTimeouts(control=0.01)
    client = OllamaClient("http://ollama", transport=httpx.MockTransport(hang), timeouts=timeouts)
    with pytest.raises(ModelTimeout) as caught:
        await client.version()
    assert caught.value.which is TimeoutPhase.CONTROL


async def test_a_pull_that_falls_silent_times_out() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        return streamed({"status": "pulling manifest"}, hold=asyncio.Event())

    client = OllamaClient("http://ollama", transport=httpx.MockTransport(handle), timeouts=ModelTimeouts(pull=0.01))
    with pytest.raises(ModelTimeout, match="fell silent in mid-pull") as caught:
        await client.pull("m")
    assert caught.value.which is TimeoutPhase.PULL


async def test_a_finished_answer_counts_even_if_the_total_ends_before_its_connection_does(
    server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.ollama_client.DRAIN_SECONDS", 0.3)
    body = Body(lines({"response": "all", **DONE}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(total=0.1))
    assert (await client.complete(ASK)).text == "all"


async def test_an_answer_that_takes_too_long_is_closed_at_once_whoever_is_slow(
    server: ScriptedOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.ollama_client.DRAIN_SECONDS", 3600)
    body = Body(lines({"response": "half", "done": False}), asyncio.Event())
    server.script.append(httpx.Response(200, stream=body))
    client = OllamaClient("http://ollama", transport=server.transport, timeouts=ModelTimeouts(total=0.05))

    async def never(_: str) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ModelTimeout) as caught:
        await client.complete(ASK, never)
    assert caught.value.which is TimeoutPhase.TOTAL
    assert body.closed.is_set()
