"""The spans of agents at work: slots, models, delegation, and the log beside them."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from agents import BaseAgentV2
from agents.core.model.requests import ChatRequest, GenerateRequest
from bus.otel import CONTENT_VARIABLE
from bus.tracing import Kind, tracing
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import Asker, agent_world
from tests.support.delegating import LIMIT, Boss
from tests.support.log_lines import logged
from tests.support.pools import MakePool
from tests.support.scripted_ollama import DONE, ScriptedOllama, answer, held, interrupted, refusal, streamed
from tests.support.spans import Spans, spans_seen, tree

ASKED = "Name the secret."
ANSWERED = "forty-two"


@pytest.fixture
def spans() -> Iterator[Spans]:
    """All spans that the test makes."""
    with spans_seen() as seen:
        yield seen


def answering(body: dict[str, Any]) -> httpx.Response:
    """Tell the secret."""
    if "messages" in body:
        return streamed({"message": {"role": "assistant", "content": ANSWERED}, "done": False}, DONE)
    return answer(ANSWERED)


class Threaded(BaseAgentV2):
    """Asks the model from a thread."""

    async def process_task(self, task: TaskMessage) -> str:
        return await asyncio.to_thread(self.query_ollama_sync, task.prompt or "")


async def test_a_delegated_task_and_its_model_are_in_the_trace_of_the_one_who_asked(spans: Spans) -> None:
    async with agent_world(Boss(to="asker"), Asker(name="asker")) as world:
        await world.client.ask("boss", "p", timeout=LIMIT)
    assert tree(spans.all) == [
        "publish sutazai.tasks:boss",
        "  queue wait",
        "  process sutazai.tasks.boss",
        "    invoke_agent boss",
        "      publish sutazai.tasks:asker",
        "        queue wait",
        "        process sutazai.tasks.asker",
        "          invoke_agent asker",
        "            slot wait",
        "            text_completion tinyllama:latest",
        "          settle asker",
        "            publish sutazai.results:asker.completed",
        "    settle boss",
        "      publish sutazai.results:boss.completed",
    ]


async def test_the_span_of_a_model_tells_request_cost_and_server_and_no_word_of_either_side(spans: Spans) -> None:
    async with agent_world(Asker(name="asker")) as world:
        world.ollama.script.append(answering)
        await world.client.ask("asker", ASKED, timeout=LIMIT, options={"seed": 7, "stop": [ASKED], "num_ctx": "x"})
    model = spans.one("text_completion")
    first = model.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first < model.end - model.start
    assert (model.kind, model.is_error) == ("CLIENT", False)
    assert model.attributes == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "tinyllama:latest",
        "gen_ai.agent.name": "asker",
        "server.address": "scripted",
        "server.port": 80,
        "gen_ai.request.stream": True,
        "gen_ai.output.type": "text",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.8,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.seed": 7,
        "gen_ai.response.model": "tinyllama:latest",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "sutazai.model.load_time": 2.0,
        "sutazai.model.prompt_time": 0.5,
        "sutazai.model.generation_time": 1.5,
    }
    assert not [span for span in spans.all if ASKED in repr(span) or ANSWERED in repr(span)]


async def test_prompts_and_answers_are_told_where_the_variable_asks_for_them(
    monkeypatch: pytest.MonkeyPatch, make: MakePool, server: ScriptedOllama
) -> None:
    monkeypatch.setenv(CONTENT_VARIABLE, "true")
    server.script.extend([answering, answering])
    with spans_seen() as spans:
        await make().complete(GenerateRequest(prompt=ASKED, system="Be brief."))
        await make().complete(ChatRequest(messages=[{"role": "user", "content": ASKED}]))
    completion, chat = spans.one("text_completion").attributes, spans.one("chat").attributes
    asked = '[{"role": "user", "parts": [{"type": "text", "content": "Name the secret."}]}]'
    assert (completion["gen_ai.input.messages"], chat["gen_ai.input.messages"]) == (asked, asked)
    assert completion["gen_ai.system_instructions"] == '[{"type": "text", "content": "Be brief."}]'
    assert "gen_ai.system_instructions" not in chat
    assert ANSWERED in completion["gen_ai.output.messages"]


async def test_the_time_to_the_first_text_is_that_of_the_first_one_and_the_listener_hears_all(
    spans: Spans, make: MakePool, server: ScriptedOllama
) -> None:
    go_on, heard, times = asyncio.Event(), list[str](), list[float]()

    async def hear(text: str) -> None:
        heard.append(text)
        times.append(time.time())
        go_on.set()

    server.script.append(interrupted("one ", go_on, "two"))
    await make().complete(GenerateRequest(prompt="p"), on_chunk=hear)
    model = spans.one("text_completion")
    assert model.start + model.attributes["gen_ai.response.time_to_first_chunk"] <= times[0]
    assert heard == ["one ", "two"]


async def test_a_request_from_a_thread_is_in_the_trace_too(spans: Spans) -> None:
    async with agent_world(Threaded(name="threaded")) as world:
        await world.client.ask("threaded", "p", timeout=LIMIT)
    handle = spans.one("invoke_agent")
    assert (spans.one("text_completion").parent, spans.one("slot wait").parent) == (handle.id, handle.id)


async def test_each_try_at_a_model_has_spans_of_its_own_and_a_failed_one_tells_its_error(
    spans: Spans, make: MakePool, server: ScriptedOllama
) -> None:
    server.script.append(refusal(503, "server busy"))
    with tracing().span("own", Kind.INTERNAL, dict):
        await make().generate("Hi")
    first, second = spans.named("text_completion")
    assert (first.is_error, first.attributes["error.type"]) == (True, "model_overloaded")
    assert (second.is_error, len(spans.named("slot wait"))) == (False, 2)
    assert {span.parent for span in (first, second)} == {spans.one("own").id}


async def test_a_wait_for_a_slot_outside_any_trace_makes_no_trace_of_its_own(spans: Spans, make: MakePool) -> None:
    pool = make()
    await pool.generate("Hi")
    await pool.preload()
    assert [span.name for span in spans.all] == ["text_completion tinyllama:latest"]


async def test_a_probe_has_no_span_also_where_a_task_caused_it(spans: Spans, make: MakePool) -> None:
    with tracing().span("own", Kind.INTERNAL, dict):
        await make().probe()
    assert [span.name for span in spans.all] == ["own"]


async def test_a_request_that_is_cut_off_says_so(spans: Spans) -> None:
    response, body = held("begun")
    async with agent_world(Asker(name="asker")) as world, asyncio.timeout(LIMIT):
        world.ollama.script.append(response)
        async with world.client.stream("asker", "p") as stream:
            await anext(aiter(stream))
            await world.client.cancel(stream.task.id)
            result = await stream.result()
        await body.closed.wait()
    assert result.status is TaskStatus.CANCELLED
    assert spans.one("text_completion").attributes["error.type"] == "cancelled"
    process = spans.one("process")
    assert (process.is_error, process.attributes["sutazai.outcome"]) == (False, "cancelled")


async def test_embeddings_have_a_span_as_well(spans: Spans, make: MakePool) -> None:
    await make().embeddings("text")
    span = spans.one("embeddings tinyllama:latest")
    assert (span.kind, span.attributes["gen_ai.usage.input_tokens"]) == ("CLIENT", 3)


async def test_every_line_of_a_traced_task_tells_its_trace_and_span(spans: Spans) -> None:
    class Logging(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> str:
            self.logger.info("at.work")
            return task.id

    with logged("info") as lines:
        async with agent_world(Logging(name="logging")) as world:
            structlog.get_logger("x").info("outside")
            await world.client.ask("logging", "p", timeout=LIMIT)
    told: dict[str, dict[str, Any]] = {line["event"]: line for line in lines.read_all()}
    handle, settle = spans.one("invoke_agent"), spans.one("settle")
    assert (told["at.work"]["trace_id"], told["at.work"]["span_id"]) == (handle.trace, handle.id)
    assert (told["task.ended"]["trace_id"], told["task.ended"]["span_id"]) == (handle.trace, settle.id)
    assert "trace_id" not in told["outside"]
