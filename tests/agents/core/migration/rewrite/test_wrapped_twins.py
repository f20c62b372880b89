"""Over RabbitMQ, a wrapped v1 agent and its rewritten twin give the same results for the same tasks."""

import asyncio
from typing import Any

import pytest

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.lineage import Lineages
from agents.core.migration.rewrite.rewriting import Rewritten, rewrite_file
from schemas import TaskError
from tests.agents.core.migration.programs import SAMPLES, loaded
from tests.agents.core.migration.rewrite.sample_tasks import TASKS
from tests.support.agent_world import agent_world
from tests.support.scripted_ollama import ScriptedOllama, refusal


async def told(agent: BaseAgentV2, tasks: list[dict[str, Any]], amqp_url: str) -> list[tuple[object, ...]]:
    """Run an agent alone and let it do tasks one after the other; the first query of the first one fails in passing."""
    ollama = ScriptedOllama()
    ollama.script.append(refusal(500, "out of order"))
    quick: dict[str, Any] = {"retry_base": 0.01, "retry_jitter": 0}
    async with (
        # The prefix keeps the twins apart, which bear one name and are at work at the same time.
        agent_world(agent, ollama=ollama, amqp_url=amqp_url, prefix=type(agent).__name__.lower(), **quick) as world,
        asyncio.timeout(40),
    ):
        results = [await world.client.ask(agent.name, **task) for task in tasks]
    errors = [result.error if isinstance(result.error, TaskError) else None for result in results]
    return [
        (result.status, result.result, result.attempt, error and error.code, error and error.message)
        for result, error in zip(results, errors, strict=True)
    ]


@pytest.mark.parametrize("name", TASKS)
async def test_a_wrapped_agent_and_its_rewritten_twin_give_the_same_results(
    name: str, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, class_name, tasks = TASKS[name]
    outcome = rewrite_file(SAMPLES / name / file, Lineages(SAMPLES))
    assert isinstance(outcome, Rewritten)
    old = loaded(outcome.before.decode(), name, monkeypatch)[class_name]
    wrapped = await asyncio.to_thread(LegacyAgentWrapper, old, name="twin")
    monkeypatch.setenv("AGENT_NAME", "twin")
    rewritten = loaded(outcome.after.decode(), name, monkeypatch)[class_name]()
    assert isinstance(rewritten, BaseAgentV2)
    published = [{"prompt": None} | task for task in [*tasks, {"type": "sing", "prompt": "la"}]]
    of_new, of_old = await asyncio.gather(*(told(agent, published, vhost_url) for agent in (rewritten, wrapped)))
    assert of_new == of_old
