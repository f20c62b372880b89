"""A consumer at work for the length of a block, and the ends of its tasks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.attempt import Attempt, Handler
from bus.broker import Broker
from bus.consumer import Consumer
from bus.patience import Patience
from bus.retry import RetryPolicy
from schemas import TaskError, TaskResult
from tests.support.bus_world import FAST, Worker, World, completed, within
from tests.support.fault_world import every_result


class AtWork:
    """A consumer and all the results of its tasks, second ones as well."""

    def __init__(self, consumer: Consumer, results: AsyncIterator[TaskResult]) -> None:
        self.consumer = consumer
        self._results = results

    async def next(self) -> TaskResult:
        """Return the next result."""
        return await within(anext(self._results))


@asynccontextmanager
async def at_work(
    world: World,
    handler: Handler,
    *,
    prefetch: int = 1,
    policy: RetryPolicy = FAST,
    patience: Patience | None = None,
    broker: Broker | None = None,
) -> AsyncIterator[AtWork]:
    """Run a consumer of the agent `worker`; at the end it stops, and nothing of its tasks may be left."""
    worker = world.consumer(handler, prefetch=prefetch, policy=policy, patience=patience, broker=broker)
    async with every_result(world) as results:
        async with worker as consumer:
            yield AtWork(consumer, results)
            await within(consumer.stop(grace=5))
            assert consumer.held == 0
        assert await world.ready(world.queue) == 0


def raising(*errors: Exception) -> Worker:
    """A handler that raises each error once and then completes."""
    left = list(errors)

    def act(attempt: Attempt) -> TaskResult:
        if left:
            raise left.pop(0)
        return completed(attempt)

    return Worker(act)


def error_of(result: TaskResult) -> TaskError:
    """Return the error of a task that has one with a code."""
    assert isinstance(result.error, TaskError)
    return result.error
