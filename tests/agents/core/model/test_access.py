import asyncio

import pytest

from agents import BaseAgentV2
from agents.core.model.task_scope import TaskScope, task_scope
from schemas import Priority, TaskMessage
from tests.support.agent_world import agent_world, memory_url
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


class Threaded(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> str:
        return await asyncio.to_thread(self.query_ollama_sync, task["prompt"], "tinyllama")


class Blocking(BaseAgentV2):
    async def process_task(self, _task: TaskMessage) -> str:
        return self.query_ollama_sync("Hi")


async def test_a_thread_asks_through_the_hosts_pool_in_the_tasks_priority() -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with agent_world(Threaded(name="worker"), ollama=ollama, max_ollama_connections=1) as world:
        first = asyncio.create_task(world.client.ask("worker", "Hi", priority="low", timeout=10))
        await ollama.arrivals(1)
        second = asyncio.create_task(world.client.ask("worker", "Hi", priority="critical", timeout=10))
        queue = world.host.pool.queue
        await wait_until(lambda: queue.waiting, what="the second task at the slot")
        assert queue.waiting_by_priority() == {"critical": 1}
        ollama.gate.set()
        results = await asyncio.gather(first, second)
    assert [result.result for result in results] == ["ok", "ok"]
    assert all(result.usage is not None and result.usage.model_calls == 1 for result in results)
    assert {result.model for result in results} == {"tinyllama:latest"}


async def test_asking_synchronously_in_the_event_loop_is_refused_with_the_remedy() -> None:
    async with agent_world(Blocking(name="worker")) as world:
        result = await world.client.ask("worker", "Hi", timeout=10)
    assert "query_ollama_sync would block the event loop: use `await self.query_ollama(...)`" in str(result.error)


async def test_outside_a_host_a_call_has_a_pool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        monkeypatch.setenv("OLLAMA_URL", port.url)
        agent = Threaded()
        assert await agent.query_ollama("Hi") == "ok"
        assert (await agent.health_check())["healthy"]
        # In a thread there is no event loop, as in a program that has none.
        with task_scope(TaskScope(Priority.HIGH)) as scope:
            assert await asyncio.to_thread(agent.query_ollama_sync, "Hi") == "ok"
        assert (scope.usage.model_calls, scope.spent.model) == (1, "tinyllama:latest")


async def test_a_host_that_has_ended_leaves_no_pool_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OllamaPort(ScriptedOllama()) as port:
        monkeypatch.setenv("OLLAMA_URL", port.url)
        agent = Threaded(name="worker")
        async with agent_world(agent, amqp_url=memory_url()):
            pass
        assert await agent.query_ollama("Hi") == "ok"
