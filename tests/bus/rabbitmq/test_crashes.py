"""Tasks whose process dies of them, or hands them back, on both types of queues: real processes, a real SIGKILL."""

import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bus import reception as reception_module
from bus.envelope import read_envelope
from bus.errors import NotNowError
from bus.retry import RetryPolicy
from bus.topology import DELIVERY_LIMIT, QueueType
from schemas import TaskResult, TaskStatus
from tests.support.at_work import at_work, error_of, raising
from tests.support.bus_world import AGENT, World, within
from tests.support.deadly_agent import MAX_REDELIVERIES, POISON
from tests.support.fault_world import every_result
from tests.support.program import ended, program
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
LONG = 20.0
"""Seconds for the start of a process on a busy machine."""

INNOCENT = 8


@pytest.fixture(params=QueueType)
async def typed(world: World, request: pytest.FixtureRequest) -> World:
    """The world with task queues of one type."""
    kind: QueueType = request.param
    topology = replace(world.topology, prefix=f"{world.topology.prefix}-{kind.value}", queue_type=kind)
    await world.broker.declare(topology.shared())
    await world.broker.declare(topology.agent(AGENT))
    return replace(world, topology=topology)


async def test_a_task_that_kills_its_process_is_buried_and_all_others_complete(typed: World, vhost_url: str) -> None:
    agent = (sys.executable, "-m", "tests.support.deadly_agent", vhost_url, typed.topology.prefix)
    command = (*agent, typed.topology.queue_type.value)
    results: list[TaskResult] = []
    async with every_result(typed) as heard:
        poison = await typed.client.submit(AGENT, POISON, priority="high")
        innocent = {(await typed.client.submit(AGENT, str(number))).id for number in range(INNOCENT)}
        for _ in range(MAX_REDELIVERIES + 1):
            code, _ = await ended(*command, cwd=ROOT)
            assert code == -signal.SIGKILL
        async with program(*command, cwd=ROOT):
            while {result.task_id for result in results} != innocent | {poison.id}:
                results.append(await within(anext(heard), LONG))
            await wait_until(lambda: settled(typed), what="an empty queue and an empty ladder")
    (buried,) = (result for result in results if result.task_id == poison.id)
    assert (buried.status, error_of(buried).code, buried.attempt) == (TaskStatus.FAILED, "poison", 1)
    assert {result.status for result in results if result is not buried} == {TaskStatus.COMPLETED}
    # A process may die between a result's confirm and its ack: only then is there a second one, with a mark.
    assert set(Counter(result.task_id for result in results if not result.redelivered).values()) <= {1}
    dead = await typed.take(typed.topology.dead_queue(AGENT))
    assert read_envelope(dead.headers).redeliveries >= MAX_REDELIVERIES
    assert await typed.ready(typed.topology.dead_queue(AGENT)) == 0


async def settled(world: World) -> bool:
    """Whether nothing waits for a consumer or on the ladder."""
    queues = (world.queue, *map(world.topology.delay_queue, world.topology.rungs_ms))
    return [await world.ready(queue) for queue in queues] == [0] * len(queues)


async def test_what_is_handed_back_more_often_than_a_queue_allows_deliveries_is_not_lost(
    typed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "COOLING_SECONDS", 0.01)
    worker = raising(*[NotNowError("the breaker is open")] * (DELIVERY_LIMIT + 2))
    async with at_work(typed, worker, policy=RetryPolicy(max_redeliveries=0)) as ends:
        await typed.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    assert (result.status, result.attempt, result.history) == (TaskStatus.COMPLETED, 1, ())
    assert worker.runs == DELIVERY_LIMIT + 3
