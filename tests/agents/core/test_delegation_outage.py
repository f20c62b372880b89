"""What an attempt of a parent costs whose child does not come to work, over both brokers."""

import asyncio

import pytest

from schemas import TaskStatus
from tests.support.agent_world import Gate, Holder, agent_world, memory_url
from tests.support.delegating import LIMIT, Boss, Worker
from tests.support.waiting import wait_until


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def test_a_parent_uses_no_attempt_while_its_child_waits_for_an_agent_that_is_paused(amqp_url: str) -> None:
    boss = Boss(max_concurrent_tasks=1)
    boss.task_timeout = 0.2
    async with agent_world(boss, Worker(), amqp_url=amqp_url) as world, world.client.results(agent="boss") as results:
        bosses, workers = world.host.consumers
        await workers.pause("the model server is out of order")
        await world.client.submit("boss", "part")
        await wait_until(lambda: bosses.attempts == 2, what="the boss to ask again")
        workers.resume()
        async with asyncio.timeout(LIMIT):
            result = await anext(results)
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())


async def test_a_parent_whose_child_is_only_slow_uses_an_attempt(amqp_url: str) -> None:
    boss, gate = Boss(max_concurrent_tasks=1), Gate()
    boss.task_timeout = 0.2
    staff = (boss, Holder(gate, "worker"))
    async with agent_world(*staff, amqp_url=amqp_url) as world, world.client.results(agent="boss") as results:
        bosses, _ = world.host.consumers
        await world.client.submit("boss", "part")
        await wait_until(lambda: bosses.attempts == 2, what="the boss to ask again")
        gate.leave.set()
        async with asyncio.timeout(LIMIT):
            result = await anext(results)
    assert (result.status, result.attempt) == (TaskStatus.COMPLETED, 2)
