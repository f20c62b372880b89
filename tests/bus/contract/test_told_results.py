"""A consumer tells its own process of each terminal result, once that is on the bus; over both brokers."""

from bus.errors import PermanentError, RetryableError
from schemas import TaskResult, TaskStatus
from tests.support.at_work import raising
from tests.support.bus_world import AGENT, World, within
from tests.support.fault_world import every_result


async def test_each_terminal_result_is_told_once_it_is_on_the_bus_and_no_retry_is(world: World) -> None:
    told: list[TaskResult] = []
    consumer = world.consumer(raising(RetryableError("busy"), PermanentError("never")))
    consumer.tell_results_to(told.append)
    async with every_result(world) as results, consumer:
        failed = await world.client.submit(AGENT, "fails")
        ends = [await within(anext(results))]
        done = await world.client.submit(AGENT, "succeeds")
        ends.append(await within(anext(results)))
        await world.publish_plain(AGENT, "not json", {})
        ends.append(await within(anext(results)))
        await within(consumer.stop(grace=5))
    assert [(end.task_id, end.status) for end in ends[:2]] == [
        (failed.id, TaskStatus.FAILED),
        (done.id, TaskStatus.COMPLETED),
    ]
    assert told == ends
    assert told[2].status is TaskStatus.REJECTED
