"""Who asks for a task that runs, waits on the ladder or has ended gets its one result; it is not done again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bus.attempt import Attempt
from bus.codec import encode_task
from bus.errors import RetryableError
from bus.listener import Listener
from bus.message import Message
from bus.pieces import Piece
from bus.shelf import KEPT_BYTES
from schemas import EventKind, TaskMessage, TaskResult, TaskStatus
from tests.support.at_work import AtWork, at_work, raising
from tests.support.bus_world import AGENT, FAST, Worker, World, completed, taking, within
from tests.support.obedience import declare_logs
from tests.support.waiting import wait_until

TASK = TaskMessage(id="order-17", agent=AGENT, prompt="first")
SLOWER = replace(FAST, base=0.1)
"""Over the second rung, long enough to ask meanwhile."""

AGAIN = TASK.model_copy(update={"prompt": "second", "created_at": TASK.created_at + timedelta(hours=1)})


def large(attempt: Attempt) -> TaskResult:
    """Return a result that no host keeps, and one for other prompts that is."""
    result = completed(attempt)
    return result.model_copy(update={"result": "x" * KEPT_BYTES}) if attempt.task.prompt == "first" else result


async def ended(world: World, ends: AtWork) -> TaskResult:
    """Have the task done for somebody who does not wait for it."""
    await world.client.send(TASK)
    result = await ends.next()
    await until_settled(ends)
    return result


async def until_settled(ends: AtWork) -> None:
    """Wait for the acknowledgement: who asks before it is one of the first askers."""
    await wait_until(lambda: ends.consumer.held == 0, what="the task to be settled")


async def is_all(world: World, ends: AtWork) -> bool:
    """Whether no result of an earlier task is still to come."""
    last = await world.client.submit(AGENT, "last", priority="background")
    return (await ends.next()).task_id == last.id


async def test_who_asks_for_an_ended_task_gets_its_result(world: World) -> None:
    worker = Worker()
    async with at_work(world, worker) as ends:
        first = await ended(world, ends)
        answers = [await world.client.wait_for(AGAIN, timeout=10) for _ in range(2)]
        assert await is_all(world, ends)
    assert answers == [first.model_copy(update={"redelivered": True})] * 2
    assert (first.result, worker.runs) == ("first", 2)


async def test_the_answer_bears_what_the_second_asker_knows_the_task_by(world: World) -> None:
    def itself(message: Message) -> Message:
        return message

    async with at_work(world, Worker()) as ends, Listener(world.broker, world.topology, "replies", itself) as replies:
        await ended(world, ends)
        asking = encode_task(AGAIN, reply_to=replies.queue)
        for correlation_id in ("mine", None):
            message = replace(asking, correlation_id=correlation_id)
            await world.broker.publish(world.topology.tasks, AGENT, message)
        heard = [(await within(replies.next())).correlation_id for _ in range(2)]
    assert heard == ["mine", TASK.id]


async def test_a_failure_is_told_again_too(world: World) -> None:
    async with at_work(world, raising(ValueError("no such order"))) as ends:
        first = await ended(world, ends)
        answer = await world.client.wait_for(AGAIN, timeout=10)
        assert await is_all(world, ends)
    assert (answer.status, answer.error) == (TaskStatus.FAILED, first.error)


async def test_a_stream_of_an_ended_task_is_its_result(world: World) -> None:
    async with at_work(world, Worker()) as ends:
        await ended(world, ends)
        async with world.client.watch(AGAIN.model_copy(update={"stream": True}), timeout=10) as stream:
            steps = [step async for step in stream.steps()]
            result = await stream.result()
    assert (steps, result.result) == ([Piece("first", 1)], "first")


async def test_all_who_ask_while_it_runs_get_the_same_result(world: World) -> None:
    worker = Worker(hold=True)
    async with (
        world.client.replies() as one,
        world.client.replies() as other,
        at_work(world, worker, prefetch=3) as ends,
    ):
        await world.client.send(TASK, reply_to=one.queue)
        await worker.next()
        for queue in (None, other.queue):
            await world.client.send(AGAIN, reply_to=queue)
        await world.until_ready(world.queue, 0)
        worker.leave.set()
        result = await ends.next()
        answers = [await within(replies.next()) for replies in (one, other)]
        assert await is_all(world, ends)
    assert answers == [result, result]
    assert (result.redelivered, worker.runs) == (False, 2)


@pytest.mark.parametrize("failed_before", [True, False])
async def test_who_asks_for_a_task_that_is_tried_again_gets_its_last_result(world: World, failed_before: bool) -> None:
    worker = raising(RetryableError("busy"))
    worker.leave.clear()
    async with (
        world.client.replies() as one,
        world.client.replies() as other,
        world.client.events(kind=EventKind.RETRYING) as retrying,
        at_work(world, worker, prefetch=2, policy=SLOWER) as ends,
    ):
        await world.client.send(TASK, reply_to=one.queue)
        await worker.next()
        if failed_before:
            worker.leave.set()
            await within(anext(retrying))
        await world.client.send(AGAIN, reply_to=other.queue)
        await world.until_ready(world.queue, 0)
        worker.leave.set()
        result = await ends.next()
        answers = [await within(replies.next()) for replies in (one, other)]
        assert await is_all(world, ends)
    assert [(answer.result, answer.attempt) for answer in answers] == [("first", 2)] * 2
    assert (answers[0], worker.runs) == (result, 3)


async def test_who_asks_for_a_task_whose_host_stops_is_answered_by_the_next_host(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.replies() as one, world.client.replies() as other:
        async with world.consumer(worker, prefetch=2) as consumer:
            await world.client.send(TASK, reply_to=one.queue)
            await worker.next()
            await world.client.send(AGAIN, reply_to=other.queue)
            await world.until_ready(world.queue, 0)
            await within(consumer.stop(grace=0))
        async with at_work(world, Worker()) as ends:
            answers = [await within(replies.next()) for replies in (one, other)]
            assert answers == [await ends.next()] * 2
            assert await is_all(world, ends)


async def test_who_asks_for_a_task_that_another_host_tries_again_is_answered_by_that_one(world: World) -> None:
    worker = raising(RetryableError("busy"))
    worker.leave.clear()
    async with (
        world.client.replies() as one,
        world.client.replies() as other,
        world.client.events(kind=EventKind.RETRYING) as retrying,
    ):
        async with world.consumer(worker, prefetch=2, policy=SLOWER) as consumer:
            await world.client.send(TASK, reply_to=one.queue)
            await worker.next()
            await world.client.send(AGAIN, reply_to=other.queue)
            await world.until_ready(world.queue, 0)
            worker.leave.set()
            await within(anext(retrying))
            await within(consumer.stop(grace=5))
        async with at_work(world, Worker()) as ends:
            answers = [await within(replies.next()) for replies in (one, other)]
            assert answers == [await ends.next()] * 2


async def test_a_result_too_large_to_be_kept_is_found_in_the_log(world: World) -> None:
    await declare_logs(world)
    async with at_work(world, Worker(large)) as ends:
        first = await ended(world, ends)
        answer = await world.client.wait_for(AGAIN, timeout=10)
        assert await is_all(world, ends)
    assert answer == first.model_copy(update={"redelivered": True})


async def test_without_a_log_it_stays_unanswered_and_is_not_done_again(world: World) -> None:
    worker = Worker(large)
    async with at_work(world, worker) as ends:
        await ended(world, ends)
        await world.client.send(AGAIN, reply_to="nobody's")
        assert await is_all(world, ends)
    assert worker.runs == 2


async def test_a_second_asker_that_is_gone_holds_up_nobody(world: World) -> None:
    async with at_work(world, Worker()) as ends:
        await ended(world, ends)
        await world.client.send(AGAIN, reply_to="deleted")
        assert await is_all(world, ends)


async def test_who_asks_anew_with_the_same_queue_is_answered_anew(world: World) -> None:
    async with world.client.replies() as replies, at_work(world, Worker()) as ends:
        await world.client.send(TASK, reply_to=replies.queue)
        answers = [await within(replies.next())]
        await until_settled(ends)
        await world.client.send(TASK, reply_to=replies.queue)
        answers.append(await within(replies.next()))
    assert [answer.redelivered for answer in answers] == [False, True]


async def test_an_asking_that_may_be_the_first_one_again_is_not_answered_twice(world: World) -> None:
    async with world.client.replies() as replies, at_work(world, Worker()) as ends:
        await world.client.send(TASK, reply_to=replies.queue)
        first = await within(replies.next())
        await world.client.send(AGAIN, reply_to=replies.queue, again=True)
        await world.client.send(AGAIN.model_copy(update={"id": "other"}), reply_to=replies.queue)
        assert (first.task_id, (await within(replies.next())).task_id) == (TASK.id, "other")
        assert await world.client.wait_for(AGAIN, timeout=10) == first.model_copy(update={"redelivered": True})
        assert (await ends.next()).task_id == TASK.id
        assert (await ends.next()).task_id == "other"


async def test_nor_is_one_that_comes_back(world: World) -> None:
    async with world.client.replies() as replies, at_work(world, Worker()) as ends:
        await world.client.send(TASK, reply_to=replies.queue)
        await within(replies.next())
        await ends.consumer.pause("a test")
        await world.client.send(AGAIN, reply_to=replies.queue)
        async with taking(world.broker, world.queue) as taken:
            await taken.next()
        ends.consumer.resume()
        await world.client.send(AGAIN.model_copy(update={"id": "other"}), reply_to=replies.queue)
        assert (await within(replies.next())).task_id == "other"
