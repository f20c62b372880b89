"""Messages and results that nobody should send: each ends in one result, and the agent goes on, over both brokers."""

import json
from collections.abc import Callable

import pytest

from bus.attempt import Attempt
from bus.errors import PermanentError
from bus.message import Message
from schemas import TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, within


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


BODIES = {
    "empty": "",
    "null": "null",
    "a list": "[1]",
    "a number": "12",
    "nothing asked": "{}",
    "nulls": '{"prompt": null, "data": null}',
    "half a surrogate pair": '{"data": "\\ud800"}',
    "nested beyond the reader": nested(100_000),
    "nested beyond the writer": f'{{"data": {nested(400)}}}',
    "nested in the wrong field": f'{{"prompt": {nested(900)}}}',
    "outside of all years": '{"prompt": "x", "created_at": "9999-12-31T23:59:59-23:00"}',
    "an absurd priority": '{"prompt": "x", "priority": 1e999}',
    "a timeout that is no number": '{"prompt": "x", "timeout": NaN}',
    "a huge number": f'{{"prompt": "x", "created_at": 1{"0" * 5000}}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_hostile_body_is_rejected_once_and_the_agent_goes_on(world: World, body: str) -> None:
    ends = await ends_of(world, Worker(), body)
    assert ends == [TaskStatus.REJECTED, TaskStatus.COMPLETED]
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert dead.body == body.encode()


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "x", "created_at": "9999-12-31T00:00:00Z", "timeout": 31536000}',
        '{"prompt": "x", "deadline": "9999-12-31T23:59:59Z"}',
        f'{{"data": {nested(150)}}}',
        f'{{"data": [NaN, Infinity, 1{"0" * 3000}]}}',
        f'{{"data": "{"x" * 1_048_576}"}}',
        '{"prompt": "x", "schema": 1, "get": 2, "model_dump_json": 3}',
        '{"prompt": "x", "options": {"\\ud800": 1}}',
    ],
    ids=[
        "the end of time",
        "the last day",
        "nested",
        "numbers",
        "one MiB",
        "names of methods",
        "half a pair as a name",
    ],
)
async def test_an_odd_task_is_done(world: World, body: str) -> None:
    assert await ends_of(world, Worker(), body) == [TaskStatus.COMPLETED] * 2


@pytest.mark.parametrize(
    "headers",
    [
        {"x-attempt": "many"},
        {"x-attempt": -1},
        {"x-attempt": [1], "deadline": None},
        {"traceparent": 7, "x-death": "mine", "nested": {"a": [1, None, {"b": True}]}},
    ],
)
async def test_hostile_headers_do_no_harm(world: World, headers: dict[str, object]) -> None:
    async with world.client.results() as results, world.consumer(Worker(fail)):
        await world.broker.publish(world.topology.tasks, AGENT, Message(b'{"prompt": "x"}', headers=headers))
        result = await within(anext(results))
    assert (result.status, result.attempt) == (TaskStatus.FAILED, 1)
    assert "x-death" not in (await world.take(world.topology.dead_queue(AGENT))).headers


@pytest.mark.parametrize("priority", [0, 10, 255])
async def test_an_absurd_priority_property_is_clamped(world: World, priority: int) -> None:
    worker = Worker()
    async with world.client.results() as results, world.consumer(worker):
        await world.publish_plain(AGENT, '{"prompt": "x"}', {"priority": priority})
        assert (await within(anext(results))).status is TaskStatus.COMPLETED
    assert (await worker.next()).task.priority == min(priority, 9)


def fail(_attempt: Attempt) -> TaskResult:
    raise PermanentError("never")


def unwritable(attempt: Attempt) -> TaskResult:
    return completed(attempt).model_copy(update={"result": object()})


def no_result(_attempt: Attempt) -> TaskResult:
    return json.loads("null")  # type: ignore[no-any-return]  # what a careless handler returns


def unspeakable(_attempt: Attempt) -> TaskResult:
    raise PermanentError("file \udcff is gone")


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (unwritable, "cannot be written as JSON"),
        (no_result, "returned NoneType, not TaskResult"),
        (unspeakable, "file \\udcff is gone"),
    ],
)
async def test_a_handler_s_odd_end_is_a_failed_task(
    world: World, act: Callable[[Attempt], TaskResult], told: str
) -> None:
    async with world.client.results() as results, world.consumer(Worker(act)) as consumer:
        await world.client.submit(AGENT, "x")
        result = await within(anext(results))
        await within(consumer.stop(grace=5))
    assert result.status is TaskStatus.FAILED
    assert told in result["error"].message
    assert await world.ready(world.queue) == 0


async def ends_of(world: World, worker: Worker, body: str) -> list[TaskStatus]:
    """Publish a body and a good task behind it; return how both ended."""
    async with world.client.results() as results, world.consumer(worker) as consumer:
        await world.publish_plain(AGENT, body, {"priority": 9})
        await world.client.submit(AGENT, "readable")
        ends = [(await within(anext(results))).status for _ in range(2)]
        await within(consumer.stop(grace=5))
    assert await world.ready(world.queue) == 0
    return ends
