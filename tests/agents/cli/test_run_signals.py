"""A `sutazai run` that is told to stop loses nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents import Client
from agents.core.catalog import load_catalog
from agents.core.markdown_agent import MarkdownAgent
from agents.core.process import ONE_PRESS_SECONDS
from schemas import TaskStatus
from tests.support.agent_world import agent_world, connected_client, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.program import Program, program, sutazai
from tests.support.scripted_ollama import ScriptedOllama

NAME = "senior-engineer"
QUEUE = f"sutazai.tasks.{NAME}"


@asynccontextmanager
async def at_work(vhost_url: str, *arguments: str) -> AsyncIterator[tuple[Program, Client, ScriptedOllama]]:
    """A host in a process of its own that works on the first of two tasks, until the model's gate opens."""
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with (
        OllamaPort(ollama) as port,
        connected_client(settings_for(vhost_url)) as client,
        program(
            *sutazai("run", NAME, "--concurrency", "1", *arguments), env={"AMQP_URL": vhost_url, "OLLAMA_URL": port.url}
        ) as running,
    ):
        await running.says("host.started")
        for task in ("first", "second"):
            await client.submit(NAME, task, id=task)
        await ollama.arrivals(1)
        yield running, client, ollama


async def ready(client: Client) -> tuple[int, int]:
    info = await client.broker.queue_info(QUEUE)
    assert info is not None
    return info.ready, info.consumers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_running_work_ends_within_the_grace_period_and_the_rest_stays_in_its_queue(
    number: signal.Signals, vhost_url: str
) -> None:
    async with at_work(vhost_url, "--grace", "10") as (running, client, ollama), client.results() as results:
        running.send(number)
        await running.says("host.stopping")
        assert ollama.gate is not None
        ollama.gate.set()
        assert await running.ends() == 0
        result = await anext(results)
        assert (result.task_id, result.status) == ("first", TaskStatus.COMPLETED)
        assert await ready(client) == (1, 0)
    assert "Traceback" not in running.err
    assert "traceback" not in running.err
    assert running.out == ""


async def test_what_does_not_end_in_time_is_handed_back(vhost_url: str) -> None:
    async with at_work(vhost_url, "--grace", "0.1") as (running, client, _):
        running.send(signal.SIGINT)
        assert await running.ends() == 0
        assert await ready(client) == (2, 0)
    assert "Traceback" not in running.err


async def test_a_second_signal_ends_at_once_and_the_next_host_gets_the_task(vhost_url: str) -> None:
    async with at_work(vhost_url) as (running, client, _), client.results() as results:
        running.send(signal.SIGINT)
        await running.says("process.stopping")
        await asyncio.sleep(ONE_PRESS_SECONDS)  # a finger's pace: what comes sooner is the same key
        running.send(signal.SIGINT)
        assert await running.ends() == 130
        assert "Traceback" not in running.err
        async with agent_world(MarkdownAgent(load_catalog()[NAME]), amqp_url=vhost_url):
            ended = {result.task_id: result for result in [await anext(results), await anext(results)]}
    assert ended.keys() == {"first", "second"}
    assert (ended["first"].redelivered, ended["first"].attempt) == (True, 1)
