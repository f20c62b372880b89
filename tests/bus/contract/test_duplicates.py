"""A message that may exist twice: it says so, one host does it once, and a second result is marked."""

import pytest

from bus.client import Client
from bus.envelope import REPEATED_HEADER, Envelope, read_envelope
from bus.errors import RetryableError
from bus.task_publisher import TaskPublisher
from schemas import TaskResult, TaskStatus
from tests.support.at_work import AtWork, at_work, raising
from tests.support.bus_world import AGENT, Worker, World, taking, within
from tests.support.entries import entry_of
from tests.support.faulty_brokers import LosesConfirms


async def submitted_twice(world: World) -> str:
    """Submit a task whose confirm is lost; return its id."""
    broker = LosesConfirms(world.broker, world.topology.tasks)
    task = await Client(broker, world.topology).submit(AGENT, "x")
    await world.until_ready(world.queue, 2)
    return task.id


async def results_before_the_last(world: World, ends: AtWork) -> list[TaskResult]:
    """Submit a last task and return all results up to its own."""
    last = await world.client.submit(AGENT, "last", priority="background")
    results: list[TaskResult] = []
    while (result := await ends.next()).task_id != last.id:
        results.append(result)
    return results


async def test_the_second_publish_of_a_task_says_that_it_is_one(world: World) -> None:
    await submitted_twice(world)
    first, second = await world.take(world.queue), await world.take(world.queue)
    assert REPEATED_HEADER not in first.headers
    assert second.headers[REPEATED_HEADER] is True
    assert (first.body, first.correlation_id) == (second.body, second.correlation_id)


@pytest.mark.parametrize("prefetch", [1, 2])
async def test_one_host_does_a_repeated_task_once(world: World, prefetch: int) -> None:
    worker = Worker()
    task_id = await submitted_twice(world)
    async with at_work(world, worker, prefetch=prefetch) as ends:
        results = await results_before_the_last(world, ends)
    assert [result.task_id for result in results] == [task_id]
    assert worker.runs == 2


async def test_another_host_that_does_it_again_marks_its_result(world: World) -> None:
    await submitted_twice(world)
    await world.take(world.queue)  # the first one, by another host
    async with at_work(world, raising(RetryableError("busy"))) as ends:
        result = await ends.next()
    assert (result.status, result.attempt, result.redelivered) == (TaskStatus.COMPLETED, 2, True)


async def test_a_result_whose_confirm_was_lost_goes_out_again_and_says_so(world: World) -> None:
    broker = LosesConfirms(world.broker, world.topology.results)
    async with at_work(world, Worker(), broker=broker) as ends:
        await world.client.submit(AGENT, "x")
        first, second = [await ends.next() for _ in range(2)]
    assert (first.redelivered, second.redelivered) == (False, True)
    assert second == first.model_copy(update={"redelivered": True})


async def test_a_reply_whose_confirm_was_lost_says_so_too(world: World) -> None:
    broker = LosesConfirms(world.broker, "")
    async with world.client.replies() as replies, at_work(world, Worker(), broker=broker) as ends:
        task = await world.client.submit(AGENT, "not asked")
        assert (await ends.next()).task_id == task.id
        await world.client.send(task.model_copy(update={"id": "asked"}), reply_to=replies.queue)
        heard = aiter(replies)
        assert [(await within(anext(heard))).redelivered for _ in range(2)] == [False, True]
        assert (await ends.next()).redelivered is False


@pytest.mark.parametrize("prefetch", [1, 2])
async def test_a_retry_whose_confirm_was_lost_runs_once(world: World, prefetch: int) -> None:
    worker = raising(RetryableError("busy"))
    broker = LosesConfirms(world.broker, world.topology.delay)
    async with at_work(world, worker, prefetch=prefetch, broker=broker) as ends:
        task = await world.client.submit(AGENT, "x")
        first = await ends.next()
        assert await results_before_the_last(world, ends) == []
    assert (first.task_id, first.status, first.attempt, worker.runs) == (task.id, TaskStatus.COMPLETED, 2, 3)


async def test_a_copy_whose_confirm_was_lost_says_so(world: World) -> None:
    publisher = TaskPublisher(LosesConfirms(world.broker, world.topology.tasks), world.topology, AGENT, "host-1")
    await publisher.hand_back(entry_of(Envelope(2, redeliveries=1)), again=False)
    async with taking(world.broker, world.queue, prefetch=2) as taken:
        envelopes = [read_envelope((await taken.next()).message.headers) for _ in range(2)]
    assert envelopes == [Envelope(2, redeliveries=1, copies=1, repeated=repeated) for repeated in (False, True)]
