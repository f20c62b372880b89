"""The in-memory broker's own rules, against simple oracles; what it shares with RabbitMQ is in the contract."""

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import BusError, QueueFull
from bus.memory import MemoryBroker
from bus.memory_queue import MemoryQueue, QueueConsumer, Stored
from bus.memory_server import MemoryServer
from bus.message import Message
from bus.plan import Binding, Exchange, Plan, Queue
from tests.support.bus_world import taking, within
from tests.support.waiting import wait_until


def fed(queue: MemoryQueue, prefetch: int = 1) -> tuple[QueueConsumer, list[Stored]]:
    taken: list[Stored] = []
    consumer = QueueConsumer(prefetch, taken.append, lambda: None)
    queue.consumers.append(consumer)
    return consumer, taken


steps = st.lists(st.tuples(st.just("put"), st.none() | st.integers(0, 12)) | st.tuples(st.just("back"), st.just(0)))


@given(steps)
def test_messages_leave_by_priority_then_by_their_first_arrival(todo: list[tuple[str, int | None]]) -> None:
    queue = MemoryQueue("q", {"x-max-priority": 10})
    consumer, taken = fed(queue)
    waiting: list[tuple[int, int]] = []
    for arrival, (step, priority) in enumerate(todo):
        if step == "put":
            queue.put(Message(str(arrival).encode(), priority=priority), "k")
            waiting.append((-min(priority or 0, 10), arrival))
            waiting.sort()
        elif waiting:
            queue.dispatch()
            stored = taken.pop()
            assert int(stored.message.body) == waiting[0][1]
            consumer.unsettled.discard(stored.position)
            queue.put_back(stored)
    assert queue.ready == len(waiting)
    for _, arrival in waiting:
        queue.dispatch()
        stored = taken.pop()
        assert int(stored.message.body) == arrival
        consumer.unsettled.discard(stored.position)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 12))
def test_consumers_take_in_turn_and_never_more_than_their_prefetch(prefetches: list[int], messages: int) -> None:
    queue = MemoryQueue("q", {})
    taken = [fed(queue, prefetch)[1] for prefetch in prefetches]
    for number in range(messages):
        queue.put(Message(b"%d" % number), "k")
    queue.dispatch()
    assert all(len(got) <= prefetch for got, prefetch in zip(taken, prefetches, strict=True))
    assert sum(map(len, taken)) == min(messages, sum(prefetches))
    open_ended = [len(got) for got, prefetch in zip(taken, prefetches, strict=True) if len(got) < prefetch]
    assert not open_ended or max(map(len, taken)) - min(open_ended) <= 1


@given(st.lists(st.integers(0, 5), max_size=10), st.integers(1, 4))
def test_a_bounded_queue_keeps_its_newest(priorities: list[int], limit: int) -> None:
    queue = MemoryQueue("q", {"x-max-length": limit})
    for number, priority in enumerate(priorities):
        assert not queue.refuses
        queue.put(Message(b"%d" % number, priority=priority), "k")
    _, taken = fed(queue, 100)
    queue.dispatch()
    assert [int(stored.message.body) for stored in taken] == list(range(len(priorities)))[-limit:]


def test_a_message_is_removed_once() -> None:
    queue = MemoryQueue("q", {"x-message-ttl": 50})
    stored = queue.put(Message(b"x"), "k")
    assert queue.ttl == 0.05
    assert queue.remove(stored)
    assert not queue.remove(stored)


async def test_a_dead_letter_may_have_a_key_of_its_own_and_may_find_its_queue_full() -> None:
    plan = Plan(
        (Exchange("x"),),
        (
            Queue("short", {"x-message-ttl": 10, "x-dead-letter-exchange": "x", "x-dead-letter-routing-key": "other"}),
            Queue("dead", {"x-max-length": 1, "x-overflow": "reject-publish"}),
            Queue("gone", {"x-message-ttl": 10}),
        ),
        (Binding("x", "dead", "other"),),
    )
    async with MemoryBroker("dead-letters") as broker:
        await broker.declare(plan)
        for queue in ("short", "short", "gone"):
            await broker.publish("", queue, Message(b"x"))

        async def expired() -> bool:
            counts = [await broker.queue_info(name) for name in ("short", "gone")]
            return all(info is not None and info.ready == 0 for info in counts)

        await wait_until(expired, what="both to expire")
        with pytest.raises(QueueFull):
            await broker.publish("x", "other", Message(b"y"))
        async with taking(broker, "dead") as taken:
            assert (await taken.next()).routing_key == "other"


async def test_connections_to_one_name_share_its_queues() -> None:
    plan = Plan(queues=(Queue("q", {}),))
    async with MemoryBroker("shared") as one, MemoryBroker("shared") as two, MemoryBroker("other") as other:
        await one.declare(plan)
        await two.publish("", "q", Message(b"x", message_id="mine"))
        assert await other.queue_info("q") is None
        async with taking(one, "q") as taken:
            delivery = await taken.next()
            assert (delivery.message.body, delivery.message.message_id) == (b"x", "mine")


async def test_each_publish_without_an_id_gets_one_that_all_its_queues_share() -> None:
    bindings = (Binding("x", "one", "k"), Binding("x", "two", "k"))
    plan = Plan((Exchange("x", "topic"),), (Queue("one", {}), Queue("two", {})), bindings)
    async with MemoryBroker("ids") as broker:
        await broker.declare(plan)
        for _ in range(2):
            await broker.publish("x", "k", Message(b""))
        async with taking(broker, "one", prefetch=2) as of_one, taking(broker, "two", prefetch=2) as of_two:
            ids = [[(await taken.next()).message.message_id for _ in range(2)] for taken in (of_one, of_two)]
    assert ids[0] == ids[1]
    assert len({*ids[0]} - {None}) == 2


def test_a_server_ends_with_its_last_connection() -> None:
    broker = MemoryBroker("fleeting")
    MemoryServer.named("fleeting").declare(Plan(queues=(Queue("q", {}),)))
    del broker
    gc.collect()
    assert MemoryServer.named("fleeting").info("q") is None


async def test_a_broker_that_is_left_returns_what_it_holds() -> None:
    async with MemoryBroker("left") as outer:
        await outer.declare(Plan(queues=(Queue("q", {}),)))
        await outer.publish("", "q", Message(b"x"))
        got = asyncio.Event()
        async with MemoryBroker("left") as inner:
            inner.subscribe("q", lambda _: got.set(), prefetch=1, tag="t", plan=Plan())
            await within(got.wait())
        info = await outer.queue_info("q")
        assert info is not None
        assert (info.ready, info.consumers) == (1, 0)


async def test_a_consumer_that_has_left_is_given_nothing() -> None:
    async with MemoryBroker("late") as broker:
        await broker.declare(Plan(queues=(Queue("q", {}),)))
        async with taking(broker, "q") as taken:
            (consumer,) = MemoryServer.named("late").queues["q"].consumers
            await taken.subscription.pause()
            with pytest.raises(BusError, match="gave a message to a consumer that has left"):
                consumer.take(Stored(0, 0, Message(b"x"), "k"))


async def test_what_was_held_of_a_deleted_queue_is_gone() -> None:
    plan = Plan(queues=(Queue("q", {}),))
    async with MemoryBroker("deleted") as broker:
        await broker.declare(plan)
        await broker.publish("", "q", Message(b"x"))
        async with taking(broker, "q", plan=plan) as taken:
            await taken.next()
            await broker.delete_queue("q")
            await taken.subscription.close()  # before it has come back
        assert await broker.queue_info("q") is None


async def test_a_rung_that_keeps_what_no_queue_takes_delivers_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.memory_server.DEAD_LETTER_PAUSE_SECONDS", 0.01)
    rung: dict[str, str | int] = {
        "x-message-ttl": 10,
        "x-dead-letter-exchange": "x",
        "x-dead-letter-strategy": "at-least-once",
    }
    full: dict[str, str | int] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    plan = Plan((Exchange("x"),), (Queue("rung", rung), Queue("target", full)), (Binding("x", "target", "#"),))
    async with MemoryBroker("kept") as broker:
        await broker.declare(plan)
        for body in (b"1", b"2", b"3"):
            await broker.publish("", "rung", Message(body))
        async with taking(broker, "target") as taken:
            assert sorted(await taken.bodies(3)) == [b"1", b"2", b"3"]


async def test_a_quorum_queue_counts_what_comes_back() -> None:
    plan = Plan(queues=(Queue("q", {"x-queue-type": "quorum"}),))
    async with MemoryBroker("counting") as broker:
        await broker.declare(plan)
        await broker.publish("", "q", Message(b"x"))
        async with taking(broker, "q") as taken:
            seen = []
            for _ in range(3):
                delivery = await taken.next()
                seen.append(delivery.message.headers.get("x-delivery-count", 0))
                await delivery.requeue()
    assert seen == [0, 1, 2]
