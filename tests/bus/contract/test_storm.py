"""Many tasks, known and anonymous, with failures and retries, through a storm of cuts, over both brokers."""

import asyncio
from collections import Counter

from bus.attempt import Attempt
from bus.errors import RetryableError
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, World, completed, within

TASKS = 40
CUTS = 6
PREFETCH = 4


class Stormy:
    """A handler that counts its runs; every third task fails at its first attempt."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, int]] = Counter()
        self.running = self.most = 0

    async def __call__(self, attempt: Attempt) -> TaskResult:
        self.running += 1
        self.most = max(self.most, self.running)
        self.runs[attempt.task.id, attempt.number] += 1
        await asyncio.sleep(0.02)
        self.running -= 1
        if attempt.number == 1 and int(attempt.task.prompt or "") % 3 == 0:
            raise RetryableError("busy")
        return completed(attempt)


async def test_each_attempt_runs_once_and_each_task_ends_once_in_a_storm_of_cuts(world: World) -> None:
    handler = Stormy()
    async with world.client.results() as results, world.consumer(handler, prefetch=PREFETCH) as consumer:
        storm = asyncio.create_task(cut_again_and_again(world), name="storm")
        known = [await world.client.submit(AGENT, str(number)) for number in range(TASKS // 2)]
        for number in range(TASKS // 2, TASKS):
            await world.publish_plain(AGENT, f'{{"prompt": "{number}"}}', {})
        ended: dict[str, str] = {}
        while len(set(ended.values())) < TASKS:
            result = await within(anext(results), 30)
            ended[result.task_id] = result.result
        await within(storm)
        await within(consumer.stop(grace=5))
        # An ack that a cut swallowed unnoticed costs an anonymous task a second run under a new id; no other task.
        again = Counter(ended.values()) - Counter(set(ended.values()))
        assert set(again) <= {str(number) for number in range(TASKS // 2, TASKS)}
        assert consumer.ended.keys() == {TaskStatus.COMPLETED}
        assert consumer.ended.total() == len({task_id for task_id, _ in handler.runs})
    assert {task.id for task in known} <= ended.keys()
    assert set(handler.runs.values()) == {1}
    assert handler.most <= PREFETCH
    assert await world.ready(world.queue) == 0
    assert await world.ready(world.topology.dead_queue(AGENT)) == 0


async def cut_again_and_again(world: World) -> None:
    for _ in range(CUTS):
        await asyncio.sleep(0.15)
        await world.cut()
