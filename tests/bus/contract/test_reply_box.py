"""One reply queue for all that a process asks, over both brokers."""

import asyncio

import pytest

from bus.errors import UnknownAgent
from bus.reply_box import ReplyBox
from schemas import TaskMessage, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, within


def a_task(task_id: str, agent: str = AGENT) -> TaskMessage:
    return TaskMessage(id=task_id, agent=agent, prompt=task_id)


async def test_many_answers_come_over_one_queue_each_to_whoever_asked(world: World) -> None:
    async with ReplyBox(world.client) as box, world.consumer(Worker(), prefetch=5):
        ids = [f"t-{number}" for number in range(20)]
        results = await within(asyncio.gather(*(box.ask(a_task(task_id)) for task_id in ids)))
    assert [result.task_id for result in results] == ids


async def test_who_asks_again_for_a_task_that_has_ended_is_answered_again(world: World) -> None:
    worker = Worker()
    async with ReplyBox(world.client) as box, world.consumer(worker):
        first = await within(box.ask(a_task("t")))
        for _ in range(2):
            second = await within(box.ask(a_task("t"), again=True))
            assert (second.result, second.redelivered) == (first.result, True)
    assert (worker.runs, first.redelivered) == (1, False)


async def test_two_who_ask_for_one_task_at_the_same_time_both_get_its_result(world: World) -> None:
    worker = Worker(hold=True)
    async with ReplyBox(world.client) as box, world.consumer(worker, prefetch=2):
        first = asyncio.create_task(box.ask(a_task("t")))
        await worker.next()
        second = asyncio.create_task(box.ask(a_task("t"), again=True))
        await world.until_ready(world.queue, 0)
        worker.leave.set()
        results = await within(asyncio.gather(first, second))
    assert [result.task_id for result in results] == ["t", "t"]
    assert worker.runs == 1


async def test_an_answer_outlives_a_cut(world: World) -> None:
    worker = Worker(hold=True)
    async with ReplyBox(world.client) as box, world.consumer(worker):
        asking = asyncio.create_task(box.ask(a_task("t")))
        await worker.next()
        await world.cut()
        worker.leave.set()
        assert (await within(asking)).status is TaskStatus.COMPLETED


async def test_an_answer_that_nobody_waits_for_any_more_is_passed_over(world: World) -> None:
    worker = Worker(hold=True)
    async with ReplyBox(world.client) as box, world.consumer(worker, prefetch=2):
        late = asyncio.create_task(box.ask(a_task("late")))
        await worker.next()
        late.cancel()
        await asyncio.wait([late])
        worker.leave.set()
        assert (await within(box.ask(a_task("next")))).task_id == "next"


async def test_an_agent_that_nobody_knows_is_told_and_a_box_that_asks_nothing_has_no_queue(world: World) -> None:
    async with ReplyBox(world.client) as box:
        with pytest.raises(UnknownAgent):
            await within(box.ask(a_task("t", agent="nobody")))
    async with ReplyBox(world.client):
        pass
