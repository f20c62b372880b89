"""What an old agent asks a model goes through the host's pool, in the name of its task, and fails as it should."""

import asyncio
from typing import Any

import pytest

from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.model.errors import ModelServerError
from schemas import Priority, TaskMessage, TaskResult, TaskStatus
from tests.agents.core.migration.old_agents import Thermometer
from tests.support.agent_world import AgentWorld, agent_world
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal


async def told(world: AgentWorld, kind: str, prompt: str = "x", **task: Any) -> TaskResult:
    return await world.client.ask("thermometer", prompt, type=kind, timeout=15, **task)


async def test_a_query_goes_through_the_pool_in_the_name_of_its_task() -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    async with agent_world(wrapper) as world:
        ended = await told(world, "ask", "How warm?", model="tinyllama", options={"seed": 3})
        asked = world.ollama.asked("/api/generate")
        total = world.host.pool.get_stats()["total_requests"]
    assert ended.result == {"status": "success", "answer": "ok"}
    assert (asked[0]["prompt"], asked[0]["options"]["seed"], total) == ("How warm?", 3, 1)
    assert ended.usage is not None
    assert ended.usage.model_calls == 1


async def test_a_query_names_its_model_and_passes_its_options_on() -> None:
    async with agent_world(LegacyAgentWrapper(Thermometer)) as world:
        await told(world, "ask_so")
        (asked,) = world.ollama.asked("/api/generate")
    assert (asked["model"], asked["options"]["temperature"]) == ("tinyllama:latest", 0.25)


async def test_a_query_has_the_priority_of_its_task_also_from_threads_that_old_code_starts() -> None:
    seen: list[int] = []

    class Watched(LegacyAgentWrapper):
        async def query_ollama(self, *args: Any, **options: Any) -> Any:
            from agents.core.model.task_scope import current_priority

            seen.append(current_priority())
            return await super().query_ollama(*args, **options)

    async with agent_world(Watched(Thermometer)) as world:
        ended = await told(world, "ask_in_threads", priority=Priority.HIGH)
    assert ended.result == {"status": "success", "answers": ["ok", "ok"]}
    assert seen == [Priority.HIGH] * 2


@pytest.mark.parametrize("kind", ["ask", "ask_and_catch", "ask_and_rename"])
async def test_a_failure_of_the_model_is_neither_swallowed_nor_the_tasks_fault(kind: str) -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    wrapper.max_attempts = 1
    ollama = ScriptedOllama()
    ollama.script.append(refusal(500, "broken"))
    async with agent_world(wrapper, ollama=ollama) as world:
        ended = await told(world, kind)
        again = await told(world, kind)
    assert ended.status is TaskStatus.FAILED
    assert getattr(ended.error, "retryable", None) is True
    assert again.result == {"status": "success", "answer": "ok"}


async def test_old_code_that_can_do_without_the_model_completes_its_task() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(refusal(500, "broken"))
    async with agent_world(LegacyAgentWrapper(Thermometer), ollama=ollama) as world:
        assert (await told(world, "ask_and_go_on")).result == {"status": "success", "answer": "none"}


async def test_an_outage_opens_the_breaker_and_costs_a_task_of_old_code_that_catches_all_no_attempt() -> None:
    import httpx

    ollama = ScriptedOllama()
    ollama.script.extend(httpx.ConnectError("refused") for _ in range(2))
    wrapper = LegacyAgentWrapper(Thermometer)
    async with agent_world(wrapper, ollama=ollama, breaker_failures=2, breaker_recovery=0.05) as world:
        ended = await told(world, "ask_and_catch")
    assert (ended.status, ended.attempt, ended.result) == (
        TaskStatus.COMPLETED,
        1,
        {"status": "success", "answer": "ok"},
    )


async def test_outside_of_a_task_a_thread_queries_with_the_hosts_pool() -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    async with agent_world(wrapper) as world:
        assert await asyncio.to_thread(wrapper.old.query_ollama, "Hello") == "ok"
        assert world.ollama.asked("/api/generate")[0]["prompt"] == "Hello"
        with pytest.raises(RuntimeError, match="would block the host's event loop"):
            wrapper.old.query_ollama("Hello")


async def test_a_query_of_a_task_in_the_hosts_own_loop_is_refused_instead_of_waiting_for_itself() -> None:
    class Odd(LegacyAgentWrapper):
        async def query_ollama(self, *args: Any, **options: Any) -> Any:
            return self.old.query_ollama(*args, **options)

    async with agent_world(Odd(Thermometer)) as world:
        ended = await told(world, "ask")
    assert "would block the host's event loop" in str(ended.error)


def test_without_a_host_a_query_has_a_pool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.core.model import access
    from agents.core.settings import load_settings
    from tests.support.agent_world import scripted_pool

    ollama = ScriptedOllama()
    monkeypatch.setattr(access, "make_pool", lambda settings: scripted_pool(ollama, settings or load_settings(None)))
    ollama.script.extend([answer("wrapped"), answer("alone")])
    assert LegacyAgentWrapper(Thermometer).old.query_ollama("x") == "wrapped"
    assert Thermometer().query_ollama("x", model="tinyllama", temperature=0.5) == "alone"


async def test_a_direct_call_of_process_task_works_as_at_an_agent_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.core.model import access
    from tests.support.agent_world import scripted_pool

    ollama = ScriptedOllama()
    monkeypatch.setattr(access, "make_pool", lambda settings: scripted_pool(ollama, settings))
    wrapper = LegacyAgentWrapper(Thermometer)
    task = TaskMessage(agent="thermometer", type="ask", prompt="x")
    assert await wrapper.process_task(task) == {"status": "success", "answer": "ok"}
    ollama.script.append(refusal(500, "broken"))
    with pytest.raises(ModelServerError):
        await wrapper.process_task(task)
