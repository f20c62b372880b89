"""A consumer's slots, its pauses and its end, over both brokers."""

import asyncio

import pytest

from bus.attempt import Attempt
from bus.broker import ConsumerState
from bus.errors import NotNowError
from bus.message import Message
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, taking, within
from tests.support.waiting import wait_until


async def test_never_more_handlers_run_than_the_prefetch(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker, prefetch=3) as consumer:
        for number in range(9):
            await world.client.submit(AGENT, str(number))
        for _ in range(3):
            await worker.next()
        await world.until_ready(world.queue, 6)
        assert (consumer.running, consumer.held) == (3, 3)
        worker.leave.set()
        found = {(await within(anext(results))).result for _ in range(9)}
        await within(consumer.stop(grace=5))
    assert (len(found), worker.most) == (9, 3)
    assert consumer.ended == {TaskStatus.COMPLETED: 9}


@pytest.mark.classic_queues("3.10 ignores priorities there, and 4.0 to 4.2 know two")
async def test_a_critical_task_overtakes_ten_low_ones_while_the_slot_is_busy(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker):
        await world.client.submit(AGENT, "first", priority="low")
        await worker.next()
        for number in range(10):
            await world.client.submit(AGENT, f"low {number}", priority="low")
        await world.client.submit(AGENT, "critical", priority="critical")
        worker.leave.set()
        assert (await worker.next()).task.prompt == "critical"
        assert (await worker.next()).task.prompt == "low 0"


async def test_a_stop_lets_what_runs_finish_and_takes_nothing_more(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.client.submit(AGENT, "running")
        await world.client.submit(AGENT, "waiting")
        await worker.next()
        stopping = asyncio.create_task(consumer.stop(grace=5))
        await wait_until(lambda: consumer.state is ConsumerState.PAUSED, what="the pause")
        worker.leave.set()
        await within(stopping)
        assert (await within(anext(results))).result == "running"
    assert (consumer.state, worker.cancelled, worker.runs) == (ConsumerState.STOPPED, 0, 1)
    assert await world.ready(world.queue) == 1


@pytest.mark.classic_queues("what is handed back is a copy there, at the end of the queue")
async def test_a_stop_hands_back_what_outlasts_the_grace_period(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker) as consumer:
        await world.client.submit(AGENT, "endless", max_attempts=1)
        await worker.next()
        await within(consumer.stop(grace=0.1))
        assert (worker.cancelled, consumer.held) == (1, 0)
        await world.until_ready(world.queue, 1)
    async with world.client.results() as results, world.consumer(Worker()):
        result = await within(anext(results))
    # A copy: the next host could not tell a delivery that came back from what a crash has left.
    assert (result.status, result.attempt, result.redelivered) == (TaskStatus.COMPLETED, 1, False)


async def test_a_handler_that_ignores_its_end_goes_back_with_the_consumer(world: World) -> None:
    running, release = asyncio.Event(), asyncio.Event()

    async def deaf(attempt: Attempt) -> TaskResult:
        running.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return completed(attempt)

    async with world.consumer(deaf) as consumer:
        await world.client.submit(AGENT, "x")
        await within(running.wait())
        stopping = asyncio.create_task(consumer.stop(grace=0))
        await wait_until(lambda: consumer.state is ConsumerState.PAUSED, what="the pause")
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
    await world.until_ready(world.queue, 1)
    release.set()


async def test_leaving_without_a_stop_ends_what_runs_and_returns_it(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker, prefetch=2):
        for prompt in ("a", "b", "c"):
            await world.client.submit(AGENT, prompt)
        await worker.next()
        await worker.next()
    await world.until_ready(world.queue, 3)
    assert (worker.cancelled, worker.running) == (2, 0)


async def test_a_pause_lets_what_runs_finish_and_a_resume_takes_the_rest(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        for prompt in ("running", "waiting"):
            await world.client.submit(AGENT, prompt)
        await worker.next()
        await within(consumer.pause("the breaker is open"))
        assert (consumer.state, consumer.reason) == (ConsumerState.PAUSED, "the breaker is open")
        worker.leave.set()
        assert (await within(anext(results))).result == "running"
        assert (await world.ready(world.queue), worker.runs) == (1, 1)
        consumer.resume()
        assert (await within(anext(results))).result == "waiting"
        assert consumer.reason is None


async def test_a_pause_hands_back_what_has_not_started(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.client.submit(AGENT, "running")
        await worker.next()
        await within(consumer.pause("first"))
        consumer.resume()  # a fresh consumer has its own prefetch: one more is in hand, waiting for the slot
        await world.client.submit(AGENT, "waiting")
        await wait_until(lambda: consumer.held == 2, what="the second delivery")
        await within(consumer.pause("second"))
        await world.until_ready(world.queue, 1)
        assert (consumer.held, worker.runs) == (1, 1)
        worker.leave.set()
        consumer.resume()
        assert [(await within(anext(results))).result for _ in range(2)] == ["running", "waiting"]


async def test_a_resume_during_a_pause_leaves_the_consumer_working(world: World) -> None:
    async with world.client.results() as results, world.consumer(Worker()) as consumer:
        await wait_until(lambda: consumer.state is ConsumerState.CONSUMING, what="the consumer")
        pausing = asyncio.create_task(consumer.pause("a short outage"))
        await asyncio.sleep(0)
        consumer.resume()
        await within(pausing)
        await world.client.submit(AGENT, "x")
        assert (await within(anext(results))).result == "x"


async def test_what_is_handed_back_while_consuming_is_no_hot_loop(world: World) -> None:
    calls = 0

    async def not_now(_attempt: Attempt) -> TaskResult:
        nonlocal calls
        calls += 1
        raise NotNowError("later")

    async with world.consumer(not_now) as consumer:
        await world.client.submit(AGENT, "x")
        await asyncio.sleep(0.7)
        assert calls <= 2
        await within(consumer.stop(grace=0))  # a stop does not wait for the cooling
    assert await world.ready(world.queue) == 1


async def test_a_duplicate_of_an_ended_task_is_acked_without_a_run(world: World) -> None:
    worker = Worker()
    async with world.client.results() as results, world.consumer(worker) as consumer:
        task = await world.client.submit(AGENT, "once")
        await within(anext(results))
        await world.client.send(task)
        await world.client.submit(AGENT, "next")
        assert (await within(anext(results))).result == "next"
        await within(consumer.stop(grace=5))
    assert worker.runs == 2
    assert await world.ready(world.queue) == 0


async def test_a_duplicate_of_a_running_task_joins_it(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker, prefetch=2) as consumer:
        task = await world.client.submit(AGENT, "once")
        await worker.next()
        await world.client.send(task)
        await world.until_ready(world.queue, 0)
        worker.leave.set()
        await within(anext(results))
        await within(consumer.stop(grace=5))
        assert consumer.ended == {TaskStatus.COMPLETED: 1}
    assert (worker.runs, await world.ready(world.queue)) == (1, 0)


async def test_two_equal_tasks_without_ids_are_two_tasks(world: World) -> None:
    worker = Worker()
    async with world.client.results() as results, world.consumer(worker):
        for _ in range(2):
            await world.publish_plain(AGENT, '{"prompt": "same"}', {})
        ids = {(await within(anext(results))).task_id for _ in range(2)}
    assert (len(ids), worker.runs) == (2, 2)


async def test_two_consumers_share_the_work(world: World) -> None:
    one, two = Worker(hold=True), Worker(hold=True)
    async with world.consumer(one), world.consumer(two):
        for prompt in ("a", "b"):
            await world.broker.publish(world.topology.tasks, AGENT, Message(b'{"prompt": "%s"}' % prompt.encode()))
        assert {(await one.next()).task.prompt, (await two.next()).task.prompt} == {"a", "b"}
        one.leave.set()
        two.leave.set()
        await world.until_ready(world.queue, 0)


async def test_an_agent_that_was_never_declared_is_declared_by_its_consumer(world: World) -> None:
    await world.broker.delete_queue(world.queue)
    async with world.consumer(Worker()), taking(world.broker, world.topology.dead_queue(AGENT)):
        assert await world.ready(world.queue) == 0
