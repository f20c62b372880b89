"""A task that came back has no second result where the log of results knows of the first."""

import asyncio

import pytest

from bus.codec import encode_result
from bus.endings import Endings
from bus.routing_keys import result_key
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.at_work import at_work
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.fault_world import every_result
from tests.support.faulty_brokers import LosesConfirms
from tests.support.obedience import declare_logs


async def came_back(world: World, prompt: str = "x") -> TaskMessage:
    """Submit a task and have it delivered once to a consumer that ends without settling it."""
    worker = Worker(hold=True)
    async with world.consumer(worker):
        task = await world.client.submit(AGENT, prompt)
        await worker.next()
    return task


async def answer(world: World, task_id: str) -> None:
    """Publish the result that the consumer had published in the instant before it ended."""
    result = TaskResult(task_id=task_id, agent=AGENT, status=TaskStatus.COMPLETED, result="the first one")
    key = result_key(AGENT, result.status)
    await world.broker.publish(world.topology.results, key, encode_result(result), mandatory=False)


async def test_the_reply_that_was_not_sent_before_the_end_is_sent(world: World) -> None:
    await declare_logs(world)
    worker = Worker(hold=True)
    async with world.client.replies() as replies:
        task = TaskMessage(agent=AGENT, prompt="x")
        async with world.consumer(worker):
            await world.client.send(task, reply_to=replies.queue)
            await worker.next()
        await answer(world, task.id)
        async with world.consumer(Worker()) as consumer:
            consumer.cancel(task.id)
            reply = await within(anext(aiter(replies)))
            await within(consumer.stop(grace=5))
    assert (reply.task_id, reply.result, reply.redelivered) == (task.id, "the first one", True)


async def test_a_result_whose_confirm_was_lost_is_found_and_not_sent_again(world: World) -> None:
    await declare_logs(world)
    async with at_work(world, Worker(), broker=LosesConfirms(world.broker, world.topology.results)) as ends:
        task = await world.client.submit(AGENT, "x")
        first = await ends.next()
        await within(ends.consumer.stop(grace=5))
        following = await world.client.submit(AGENT, "after it")
        ends.consumer.resume()
        second = await ends.next()
    assert (first.task_id, second.task_id) == (task.id, following.id)


async def test_its_late_cancellation_does_not_contradict_the_result(world: World) -> None:
    await declare_logs(world)
    task = await came_back(world)
    await answer(world, task.id)
    async with every_result(world) as results, world.consumer(Worker()) as consumer:
        consumer.cancel(task.id)
        following = await world.client.submit(AGENT, "after it", priority=0)
        assert (await within(anext(results))).task_id == following.id
        await within(consumer.stop(grace=5))
    assert await world.ready(world.queue) == 0


@pytest.mark.parametrize("with_log", [True, False])
async def test_a_task_that_came_back_without_a_result_has_one_marked_one(world: World, with_log: bool) -> None:
    if with_log:
        await declare_logs(world)
    task = await came_back(world)
    async with at_work(world, Worker()) as ends:
        result = await ends.next()
    assert (result.task_id, result.status, result.redelivered) == (task.id, TaskStatus.COMPLETED, True)


async def test_two_tasks_with_one_unreadable_id_both_have_their_rejection(world: World) -> None:
    await declare_logs(world)
    async with at_work(world, Worker()) as ends:
        for _ in range(2):
            await world.publish_plain(AGENT, '{"id": "same"}', {})
        found = [await ends.next() for _ in range(2)]
    assert [(end.task_id, end.status) for end in found] == [("same", TaskStatus.REJECTED)] * 2


async def test_only_a_result_of_that_very_task_counts(world: World) -> None:
    await declare_logs(world)
    endings = Endings(world.broker, world.topology)
    tasks = {name: TaskMessage(id=name, agent=AGENT, prompt="x") for name in ("t-1", "t-10", "t-2")}
    await answer(world, "t-10")
    found = [await endings.find(task) for task in tasks.values()]
    assert [one and one.task_id for one in found] == [None, "t-10", None]
    looks = await asyncio.gather(*(endings.find(tasks["t-10"]) for _ in range(9)))
    assert all(looks)
    assert await endings.find(tasks["t-10"].model_copy(update={"agent": "other"})) is None
