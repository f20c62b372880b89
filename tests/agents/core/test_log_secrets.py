"""No password, prompt, answer or data of a task stands in any line, at any level, whatever happens to the task."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from agents import BaseAgentV2, Host
from agents.core.log import LogFormat
from agents.core.settings import load_settings
from bus.client import Client
from bus.connect import broker_at
from bus.errors import AccessRefused, RetryableError
from bus.message import Message
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import connected_client, memory_url, settings_for
from tests.support.log_lines import Lines, logged
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama, answer
from tests.support.waiting import wait_until

CANARY = "canary-7f3a"
LIMIT = 30.0
NUMBERED: Final = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
A_OR_B: Final = {"enum": ["a", "b"]}


class Amount(BaseModel):
    value: int


class Troubled(BaseAgentV2):
    """Does with a task what its `type` says, with the canary in its hands."""

    async def process_task(self, task: TaskMessage) -> object:
        held = {"prompt": task.prompt, "data": task.data}
        logging.getLogger("their.library").debug("at work on %s", task.type)
        match task.type:
            case "crash":
                raise ZeroDivisionError(f"no way with {len(held)} things")
            case "pydantic":
                Amount.model_validate({"value": task.prompt})
            case "address":
                raise RuntimeError(f"GET http://user:{CANARY}@host/path failed")
            case "later":
                raise RetryableError("not yet")
        return {"answer": await self.query_ollama(task["prompt"])}


class Typed(BaseAgentV2):
    input_model = NUMBERED

    async def process_task(self, task: TaskMessage) -> object:
        return task.data


class Structured(BaseAgentV2):
    output_model = A_OR_B

    async def process_task(self, task: TaskMessage) -> object:
        return await self.query_ollama(task["prompt"])


async def answered(client: Client, agent: str, **fields: Any) -> TaskStatus:
    return (await client.ask(agent, timeout=LIMIT, max_attempts=1, **fields)).status


async def unreadable(client: Client, results: AsyncIterator[TaskResult]) -> TaskStatus:
    body = json.dumps({"prompt": CANARY, "priority": [CANARY]}).encode()
    await client.broker.publish("sutazai.tasks", "troubled", Message(body=body, content_type="application/json"))
    return (await anext(results)).status


async def live_through_everything(client: Client, port: OllamaPort, lines: Lines) -> list[TaskStatus]:
    kinds = ("fine", "crash", "pydantic", "address", "later")
    ends = [await answered(client, "troubled", prompt=CANARY, data={"key": CANARY}, type=kind) for kind in kinds]
    ends.append(await answered(client, "typed", data={"n": CANARY}))
    port.ollama.script.extend(answer(f'"{CANARY}"') for _ in range(3))
    ends.append(await answered(client, "structured", prompt=CANARY))
    async with client.results() as results:
        ends.append(await unreadable(client, results))
        await port.die()
        await client.submit("troubled", CANARY)
        await wait_until(lambda: "host.paused" in lines.getvalue(), what="the pause")
        await port.come_back()
        ends.append((await anext(results)).status)
    return ends


@pytest.mark.parametrize("style", [LogFormat.JSON, LogFormat.TEXT])
async def test_no_line_tells_a_secret_or_what_a_task_says(style: LogFormat) -> None:
    ollama = ScriptedOllama()
    ollama.script.append(answer(CANARY))
    with logged("debug", style) as lines:
        async with OllamaPort(ollama) as port, asyncio.timeout(LIMIT):
            url = port.url.replace("http://", f"http://user:{CANARY}@")
            settings = settings_for(
                memory_url(), ollama_url=url, backend_url=url, breaker_failures=1, breaker_recovery=0.1
            )
            agents = [Troubled(name="troubled"), Typed(name="typed"), Structured(name="structured")]
            async with connected_client(settings) as client, Host(agents, settings):
                ends = await live_through_everything(client, port, lines)
    told = lines.getvalue()
    assert ends == ["completed", "failed", "failed", "failed", "failed", "rejected", "failed", "rejected", "completed"]
    assert CANARY not in told
    for event in ("task.raised", "task.buried", "breaker.opened", "host.paused", "request.started", "program.logged"):
        assert event in told
    assert "no way with 2 things" in told  # a bug's own text and its traceback are told
    assert "in process_task" in told


async def test_the_protocol_of_the_broker_is_not_logged_at_any_level(vhost_url: str) -> None:
    parts = urlsplit(vhost_url)
    wrong = vhost_url.replace(f":{parts.password}@", f":{CANARY}@")
    with logged("debug") as lines:
        with suppress(AccessRefused):
            async with broker_at(wrong, "canary", patience=LIMIT):
                pytest.fail("the broker takes a wrong password")
        settings = load_settings(None, amqp_url=vhost_url)
        async with connected_client(settings) as client, Host([Typed(name="typed")], settings):
            assert await answered(client, "typed", data={"n": 1, "key": CANARY}) == "completed"
    assert CANARY not in lines.getvalue()
    assert lines.of("task.ended")


async def test_prompts_and_answers_are_told_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTAZAI_LOG_PROMPTS", "true")
    ollama = ScriptedOllama()
    ollama.script.append(answer("x" * 1200))
    with logged("info") as lines:
        async with OllamaPort(ollama) as port:
            settings = settings_for(memory_url(), ollama_url=port.url)
            async with connected_client(settings) as client, Host([Troubled(name="troubled")], settings):
                await answered(client, "troubled", prompt="why?")
    (asked,), (answered_,) = lines.of("model.asked"), lines.of("model.answered")
    assert (asked["prompt"], asked["agent"]) == ("why?", "troubled")
    assert answered_["answer"] == "x" * 1000 + "... (1200 characters)"
