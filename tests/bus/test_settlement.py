"""Settling a task while somebody else asks for it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bus.asker import Asker
from bus.broker import DEFAULT_EXCHANGE
from bus.codec import encode_result, encode_task, receive_task
from bus.endings import Endings
from bus.envelope import read_envelope
from bus.inflight import Entry, InFlight
from bus.message import Message
from bus.outcome import Finished, HandedBack
from bus.settlement import Settlement
from bus.shelf import Shelf
from bus.task_publisher import TaskPublisher
from schemas import TaskMessage, TaskResult, TaskStatus, now
from tests.support.bus_world import AGENT, World, memory_world, within

TASK = TaskMessage(id="order-17", agent=AGENT, prompt="x")
DONE = TaskResult(task_id=TASK.id, agent=AGENT, host="host-1", status=TaskStatus.COMPLETED, result="y", timestamp=now())


class Acked:
    """A delivery; `meanwhile` happens before the broker has taken its acknowledgement."""

    routing_key, redelivered, alive = AGENT, False, True

    def __init__(self, message: Message, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self.message = message
        self._meanwhile = meanwhile

    async def ack(self) -> None:
        if self._meanwhile is not None:
            await self._meanwhile()

    requeue = ack


async def nothing() -> None:
    """Declare nothing."""


@pytest.fixture
def inflight() -> InFlight:
    return InFlight()


def settlement_in(world: World, inflight: InFlight) -> Settlement:
    publisher = TaskPublisher(world.broker, world.topology, AGENT, "host-1")
    return Settlement(AGENT, publisher, inflight, nothing, Endings(world.broker, world.topology), Shelf())


def begun(inflight: InFlight, delivery: Acked) -> Entry:
    return inflight.begin(receive_task(delivery.message, AGENT, now()), delivery, 0.0, 0.0)


async def test_who_asks_while_the_last_delivery_is_acknowledged_is_answered(inflight: InFlight) -> None:
    async with memory_world("asks") as world, world.client.replies() as one, world.client.replies() as other:
        settlement = settlement_in(world, inflight)
        first = encode_task(TASK, reply_to=one.queue)
        second = Acked(encode_task(TASK, reply_to=other.queue))

        async def ask() -> None:
            await settlement.settle_duplicate(receive_task(second.message, AGENT, now()), second)

        await settlement.settle(begun(inflight, Acked(first, ask)), Finished(DONE))
        assert [await within(replies.next()) for replies in (one, other)] == [DONE, DONE]


async def test_who_waits_beside_a_copy_that_comes_twice_is_answered_once(inflight: InFlight) -> None:
    async with memory_world("twice") as world, world.client.replies() as one, world.client.replies() as other:
        settlement = settlement_in(world, inflight)
        waits = f'[{{"reply_to": "{other.queue}", "correlation_id": "mine"}}]'
        headers = {"x-copies": 1, "x-repeated": True, "x-askers": waits}
        copy = replace(encode_task(TASK, reply_to=one.queue), headers=headers)
        await settlement.settle(begun(inflight, Acked(copy)), Finished(DONE))
        await settlement.settle_duplicate(receive_task(copy, AGENT, now()), Acked(copy))
        last = DONE.model_copy(update={"task_id": "last"})
        for replies in (one, other):
            message = encode_result(last, correlation_id=None)
            await world.broker.publish(DEFAULT_EXCHANGE, replies.queue, message)
            assert [await within(replies.next()) for _ in range(2)] == [DONE, last]


async def test_who_is_borne_by_a_copy_is_left_to_the_host_that_ends_it(inflight: InFlight) -> None:
    async with memory_world("borne") as world, world.client.replies() as other:
        settlement = settlement_in(world, inflight)
        second = encode_task(TASK, reply_to=other.queue)
        await settlement.settle_duplicate(receive_task(second, AGENT, now()), Acked(second))
        settlement.is_leaving = True
        await settlement.settle(begun(inflight, Acked(encode_task(TASK))), HandedBack("a test"))
        copy = await world.take(world.queue)
        assert read_envelope(copy.headers).askers == (Asker(other.queue, TASK.id),)
        await settlement.settle(begun(inflight, Acked(encode_task(TASK))), Finished(DONE))
        last = encode_result(DONE.model_copy(update={"task_id": "last"}), correlation_id=None)
        await world.broker.publish(DEFAULT_EXCHANGE, other.queue, last)
        assert (await within(other.next())).task_id == "last"
