"""Agents that ask agents, over both brokers."""

import asyncio
from datetime import timedelta

import pytest

from agents import PermanentError, Priority
from agents.core.delegation_rules import DelegationFailed
from schemas import TaskMessage, TaskStatus, now
from tests.support.agent_world import (
    Asker,
    agent_world,
    memory_url,
)
from tests.support.delegating import LIMIT, Boss, Worker, code_of, ended, raising
from tests.support.scripted_ollama import ScriptedOllama

DEADLINE = now() + timedelta(hours=1)


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def test_a_child_is_done_by_the_other_agent_with_its_parents_id_priority_and_deadline(amqp_url: str) -> None:
    worker = Worker()
    async with agent_world(Boss(), worker, amqp_url=amqp_url) as world:
        result = await ended(world, id="p-1", priority=Priority.HIGH, deadline=DEADLINE)
    (child,) = worker.tasks
    assert result.result == {"child": child.id, "said": "done: part"}
    assert (child.parent_id, child.priority, child.metadata["lineage"]) == ("p-1", 7, [{"agent": "boss", "id": "p-1"}])
    assert child.deadline == DEADLINE


async def test_agents_of_two_hosts_ask_each_other(amqp_url: str) -> None:
    async with (
        agent_world(Worker(), amqp_url=amqp_url, host_name="host-2"),
        agent_world(Boss(), amqp_url=amqp_url) as world,
    ):
        assert (await ended(world)).result["said"] == "done: part"


async def test_many_children_are_awaited_together_over_one_queue(amqp_url: str) -> None:
    class Crowd(Boss):
        async def process_task(self, _task: TaskMessage) -> object:
            parts = (self.delegate("worker", prompt) for prompt in ("a", "b", "same", "same"))
            return [result.result for result in await asyncio.gather(*parts)]

    worker = Worker()
    async with agent_world(Crowd(), worker, amqp_url=amqp_url) as world:
        assert (await ended(world)).result == ["done: a", "done: b", "done: same", "done: same"]
    assert len({task.id for task in worker.tasks}) == 4


async def test_a_child_that_fails_fails_its_parent_with_its_reason_unless_that_is_caught(amqp_url: str) -> None:
    class Forgiving(Boss):
        async def process_task(self, task: TaskMessage) -> object:
            try:
                return await super().process_task(task)
            except DelegationFailed as failed:
                return {"status": failed.result.status, "code": code_of(failed.result)}

    worker = Worker()
    worker.act = raising(PermanentError("the file is gone"))
    async with agent_world(Boss(), Forgiving("forgiving"), worker, amqp_url=amqp_url) as world:
        failed = await ended(world)
        caught = await ended(world, "forgiving")
    assert (failed.status, code_of(failed), failed.attempt) == (TaskStatus.FAILED, "delegation_failed", 1)
    assert "of agent 'worker' ended as failed: the file is gone" in str(failed.error)
    assert caught.result == {"status": "failed", "code": "permanent"}


async def test_an_agent_that_waits_for_its_own_answer_is_refused(amqp_url: str) -> None:
    async with agent_world(Boss("a", "b"), Boss("b", "c"), Boss("c", "a"), amqp_url=amqp_url) as world:
        result = await ended(world, "a")
        itself = Boss("a", "a")
        assert (result.status, code_of(result)) == (TaskStatus.FAILED, "delegation_failed")
        assert "agent 'c' cannot ask 'a', which waits for it itself: a -> b -> c -> a" in str(result.error)
    async with agent_world(itself, amqp_url=amqp_url) as world:
        assert code_of(await ended(world, "a")) == "delegation_refused"


async def test_an_agent_that_nobody_has_started_is_asked_again_later() -> None:
    async with agent_world(Boss(to="nobody", max_concurrent_tasks=1), max_attempts=1) as world:
        result = await ended(world)
    assert (result.status, code_of(result)) == (TaskStatus.FAILED, "retryable")
    told = str(result.error)
    assert "agent 'nobody' could not be asked: no agent 'nobody' is known to this broker, where no queue" in told


async def test_rules_that_nobody_reads_are_refused() -> None:
    boss = Boss()
    boss.asked = {"retry": {"bsae": 1}}
    async with agent_world(boss, Worker()) as world:
        result = await ended(world)
    assert code_of(result) == "delegation_refused"
    assert "retry has no key 'bsae'" in str(result.error)


async def test_parents_that_wait_for_children_of_their_own_host_leave_them_their_places(amqp_url: str) -> None:
    class Manager(Boss):
        needs_model = True

    staff = (Manager(max_concurrent_tasks=6), Asker(name="worker"))
    async with (
        agent_world(*staff, amqp_url=amqp_url, max_ollama_connections=1, max_held=2) as world,
        world.client.results(agent="boss") as results,
        asyncio.timeout(40),
    ):
        for number in range(6):
            await world.client.submit("boss", f"part {number}")
        told = [await anext(results) for _ in range(6)]
    assert {(result.status, result.attempt) for result in told} == {(TaskStatus.COMPLETED, 1)}


async def test_a_chain_of_agents_of_one_host_needs_no_place_but_the_last_ones(amqp_url: str) -> None:
    class Manager(Boss):
        needs_model = True

    ollama = ScriptedOllama()
    staff = (Manager("first", "second"), Manager("second", "third"), Manager("third", "worker"), Asker(name="worker"))
    async with agent_world(*staff, ollama=ollama, amqp_url=amqp_url, max_ollama_connections=1, max_held=1) as world:
        results = await asyncio.gather(*(ended(world, "first", f"part {number}") for number in range(4)))
    assert {result.status for result in results} == {TaskStatus.COMPLETED}


async def test_without_a_host_or_outside_a_task_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="delegate works within process_task: elsewhere"):
        await Boss().delegate("worker", "part")
    with pytest.raises(RuntimeError, match="agent 'boss' has no bus: a host has to run it"):
        _ = Boss().bus


async def test_an_agent_submits_tasks_by_the_bus_of_its_host() -> None:
    boss = Boss()
    async with agent_world(boss, Worker()):
        assert (await boss.bus.ask("worker", "part", timeout=LIMIT)).result == "done: part"
    with pytest.raises(RuntimeError, match="has no bus"):
        _ = boss.bus
