"""Cut connections and late confirms: one run, one result, nothing lost, over both brokers."""

import asyncio

from bus.attempt import Attempt
from bus.errors import RetryableError
from bus.message import Message
from bus.task_publisher import REPLY_TRIES
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.faulty_brokers import LateConfirms, Refusing
from tests.support.waiting import wait_until


async def test_a_cut_during_a_handler_leaves_one_run_and_one_result(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        task = await world.client.submit(AGENT, "x")
        await worker.next()
        await world.cut()
        worker.leave.set()
        await world.client.submit(AGENT, "last")
        ends = [await within(anext(results)) for _ in range(2)]
        await within(consumer.stop(grace=5))
    assert [end.task_id == task.id for end in ends] == [True, False]
    assert (worker.runs, worker.cancelled) == (2, 0)
    assert await world.ready(world.queue) == 0


async def test_a_redelivery_joins_the_handler_that_runs(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.client.submit(AGENT, "x")
        await worker.next()
        await world.until_ready(world.queue, 0)
        await world.cut()
        await until_consumed(world)
        worker.leave.set()
        assert (await within(anext(results))).status is TaskStatus.COMPLETED
        await within(consumer.stop(grace=5))
        assert consumer.ended == {TaskStatus.COMPLETED: 1}
    assert (worker.runs, worker.cancelled, await world.ready(world.queue)) == (1, 0, 0)


async def test_a_cut_during_an_anonymous_task_leaves_one_run_and_one_result(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.publish_plain(AGENT, '{"prompt": "x"}', {})
        await worker.next()
        await world.cut()
        await until_consumed(world)
        worker.leave.set()
        first = await within(anext(results))
        await world.client.submit(AGENT, "last")
        assert (await within(anext(results))).result == "last"
        await within(consumer.stop(grace=5))
    assert (first.result, worker.runs, worker.cancelled) == ("x", 2, 0)
    assert await world.ready(world.queue) == 0


async def test_two_equal_anonymous_tasks_stay_two_over_a_cut(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker, prefetch=2) as consumer:
        for _ in range(2):
            await world.publish_plain(AGENT, '{"prompt": "same"}', {})
            await worker.next()
        await world.cut()
        await until_consumed(world)
        worker.leave.set()
        ids = {(await within(anext(results))).task_id for _ in range(2)}
        await within(consumer.stop(grace=5))
        assert consumer.ended == {TaskStatus.COMPLETED: 2}
    assert (len(ids), worker.runs, await world.ready(world.queue)) == (2, 2, 0)


async def test_an_anonymous_task_whose_ack_was_lost_does_not_run_again(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.publish_plain(AGENT, '{"prompt": "x"}', {"priority": 9})
        await worker.next()
        await within(consumer.pause("so that the redelivery waits in the queue"))
        await world.cut()
        worker.leave.set()
        await within(anext(results))
        await wait_until(lambda: consumer.held == 0, what="the end of the task")
        await world.until_ready(world.queue, 1)
        consumer.resume()
        await world.client.submit(AGENT, "last")
        assert (await within(anext(results))).result == "last"
        await within(consumer.stop(grace=5))
    assert (worker.runs, await world.ready(world.queue)) == (2, 0)


async def test_never_more_handlers_than_the_prefetch_run_over_cuts(world: World) -> None:
    worker = Worker(hold=True)
    async with world.client.results() as results, world.consumer(worker, prefetch=2) as consumer:
        ids = {(await world.client.submit(AGENT, str(number))).id for number in range(6)}
        await worker.next()
        await worker.next()
        for _ in range(2):
            await world.cut()
            await until_consumed(world)
        worker.leave.set()
        ended = [(await within(anext(results))).task_id for _ in range(6)]
        await within(consumer.stop(grace=5))
    assert (sorted(ended), worker.most, worker.runs, worker.cancelled) == (sorted(ids), 2, 6, 0)
    assert await world.ready(world.queue) == 0


async def test_a_task_submitted_during_a_cut_arrives(world: World) -> None:
    async with world.client.results() as results, world.consumer(Worker()):
        cutting = asyncio.create_task(world.cut())
        known, unknown = world.client, world.client
        tasks = [await within(client.submit(AGENT, "x")) for client in (known, unknown, known)]
        await cutting
        ended = {(await within(anext(results))).task_id for _ in tasks}
    assert ended == {task.id for task in tasks}


async def test_a_listener_misses_nothing_over_a_cut(world: World) -> None:
    async with world.client.results() as results, world.consumer(Worker()) as consumer:
        ids = []
        for _ in range(3):
            ids.append((await world.client.submit(AGENT, "x")).id)
            await world.cut()
        assert {(await within(anext(results))).task_id for _ in ids} == set(ids)
        await within(consumer.stop(grace=5))


async def test_a_retry_that_overtakes_its_own_confirm_is_not_lost(world: World) -> None:
    late = LateConfirms(world.broker, world.topology.delay)

    def act(attempt: Attempt) -> TaskResult:
        if attempt.number == 1:
            raise RetryableError("busy")
        return completed(attempt)

    async with world.client.results() as results, world.consumer(Worker(act), prefetch=2, broker=late) as consumer:
        await world.client.submit(AGENT, "x")
        assert (await within(anext(results))).attempt == 2
        late.confirm.set()
        await within(consumer.stop(grace=5))
        assert consumer.ended == {TaskStatus.COMPLETED: 1}
    assert await world.ready(world.queue) == 0


async def test_a_reply_queue_that_refuses_neither_holds_up_the_task_nor_repeats_its_result(world: World) -> None:
    refusing = Refusing(world.broker, "")
    async with world.client.results() as results, world.consumer(Worker(), broker=refusing) as consumer:
        asked = Message(b'{"prompt": "x"}', reply_to="full")
        await world.broker.publish(world.topology.tasks, AGENT, asked)
        assert (await within(anext(results))).result == "x"
        await within(consumer.stop(grace=5))
        assert (consumer.ended, refusing.refused) == ({TaskStatus.COMPLETED: 1}, REPLY_TRIES)
    assert await world.ready(world.queue) == 0


async def test_a_task_is_not_acked_before_its_result_could_be_published(world: World) -> None:
    refusing = Refusing(world.broker, world.topology.results)
    async with world.client.results() as results, world.consumer(Worker(), broker=refusing) as consumer:
        await world.client.submit(AGENT, "x")
        await wait_until(lambda: refusing.refused >= 2, what="the second try")
        assert consumer.held == 1
        refusing.refuses = False
        assert (await within(anext(results))).result == "x"
        await within(consumer.stop(grace=5))
    assert await world.ready(world.queue) == 0


async def until_consumed(world: World) -> None:
    """Wait until the queue has its consumer again and all that it may take has been delivered."""

    async def settled() -> bool:
        info = await world.broker.queue_info(world.queue)
        return info is not None and info.consumers == 1

    await wait_until(settled, what="the consumer to be back")
    await asyncio.sleep(0.05)  # for deliveries under way: a run too many would come with them
