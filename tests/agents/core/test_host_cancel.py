"""A task that nobody wants any more is ended wherever it is, and its place is free for the next."""

import asyncio

from schemas import TaskStatus
from tests.support.agent_world import Asker, Gate, Holder, agent_world
from tests.support.scripted_ollama import ScriptedOllama, held
from tests.support.waiting import wait_until

LIMIT = 10.0


async def test_a_cancel_closes_the_request_at_the_model_and_frees_slot_and_place() -> None:
    ollama = ScriptedOllama()
    endless, body = held("Once ", "upon")
    ollama.script.append(endless)
    async with (
        agent_world(Asker(name="asker", max_concurrent_tasks=1), ollama=ollama, max_ollama_connections=1) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        unwanted = await world.client.submit("asker", "Tell me all")
        wanted = await world.client.submit("asker", "Hi")
        await ollama.arrivals(1)
        await world.client.cancel(unwanted.id, reason="nobody reads that")
        await body.closed.wait()
        first, second = await anext(results), await anext(results)
    assert (first.task_id, first.status, first.attempt) == (unwanted.id, TaskStatus.CANCELLED, 1)
    assert "cancelled during the work: nobody reads that" in str(first.error)
    assert (second.task_id, second.status) == (wanted.id, TaskStatus.COMPLETED)
    assert len(ollama.asked("/api/generate")) == 2


async def test_a_task_that_waits_for_the_slot_is_cancelled_there_and_never_asks_the_model() -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with (
        agent_world(Asker(name="asker", max_concurrent_tasks=2), ollama=ollama, max_ollama_connections=1) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        queue = world.host.pool.queue
        asking = await world.client.submit("asker", "first")
        await ollama.arrivals(1)
        waiting = await world.client.submit("asker", "second")
        await wait_until(lambda: queue.waiting == 1, what="the second task at the slot")
        await world.client.cancel(waiting.id, agent="asker")
        cancelled = await anext(results)
        assert (cancelled.task_id, cancelled.status) == (waiting.id, TaskStatus.CANCELLED)
        assert (queue.waiting, queue.active) == (0, 1)
        ollama.gate.set()
        assert (await anext(results)).task_id == asking.id
    assert [body["prompt"] for body in ollama.asked("/api/generate")] == ["first"]


async def test_a_cancel_for_one_agent_leaves_another_agent_of_the_host_alone() -> None:
    one, two = Gate(), Gate()
    async with (
        agent_world(Holder(one, "one"), Holder(two, "two")) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        for name, gate in (("one", one), ("two", two)):
            await world.client.submit(name, "work", id="the same")
            await gate.next()
        await world.client.cancel("the same", agent="one")
        assert (await anext(results)).agent == "one"
        assert (one.running, two.running) == (0, 1)


async def test_a_cancel_from_before_the_start_of_a_host_holds(vhost_url: str) -> None:
    gate = Gate()
    gate.leave.set()
    async with agent_world(Holder(gate), amqp_url=vhost_url) as before:
        topology = before.client.topology
        await before.host.stop()
        unwanted = await before.client.submit("holder", "unwanted")
        await before.client.cancel(unwanted.id, reason="changed my mind")
        wanted = await before.client.submit("holder", "wanted")
        async with (
            before.client.results() as results,
            agent_world(Holder(gate), amqp_url=vhost_url, host_name="host-2"),
            asyncio.timeout(30),
        ):
            ended = {result.task_id: result for result in [await anext(results), await anext(results)]}
    assert topology.control_log
    assert ended[unwanted.id].status is TaskStatus.CANCELLED
    assert "cancelled before the work: changed my mind" in str(ended[unwanted.id].error)
    assert ended[wanted.id].status is TaskStatus.COMPLETED
    assert gate.started.qsize() == 1
