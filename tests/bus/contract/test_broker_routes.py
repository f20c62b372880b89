"""Exchanges, the delay ladder, limits, announcements and declarations, over both brokers."""

import asyncio

import pytest

from bus.broker import DEFAULT_EXCHANGE
from bus.errors import QueueFull, TopologyError, Unroutable
from bus.message import Message
from bus.plan import Binding, Exchange, Plan, Queue
from tests.support.bus_world import AGENT, World, taking, within

SMALL = Queue("small", {"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"})
LAST = Queue("last", {"x-queue-type": "classic", "x-max-length": 1})


async def test_a_mandatory_message_that_no_queue_takes_is_unroutable(world: World) -> None:
    with pytest.raises(Unroutable, match="no queue took the message while publishing to"):
        await world.broker.publish(world.topology.results, "nobody.completed", Message(b"x"))
    await world.broker.publish(world.topology.results, "nobody.completed", Message(b"x"), mandatory=False)
    with pytest.raises(Unroutable):
        await world.broker.publish(DEFAULT_EXCHANGE, "no-such-queue", Message(b"x"))


async def test_a_task_for_an_agent_nobody_declared_waits_in_the_unrouted_queue(world: World) -> None:
    await world.broker.publish(world.topology.tasks, "stranger", Message(b"x"))
    assert (await world.take(world.topology.unrouted)).body == b"x"


async def test_a_rung_delays_and_keeps_key_priority_headers_and_properties(world: World) -> None:
    loop = asyncio.get_running_loop()
    key = world.topology.delay_key(200, AGENT)
    sent = Message(b"x", priority=7, headers={"x-attempt": 2}, correlation_id="c", reply_to="r", type="t")
    begun = loop.time()
    await world.broker.publish(world.topology.delay, key, sent)
    async with taking(world.broker, world.queue) as taken:
        delivery = await taken.next()
        assert loop.time() - begun > 0.19
        await delivery.ack()
    found = delivery.message
    assert delivery.routing_key == key
    assert (found.body, found.priority, found.headers["x-attempt"]) == (b"x", 7, 2)
    assert (found.correlation_id, found.reply_to, found.type) == ("c", "r", "t")


async def test_a_shorter_rung_is_not_blocked_by_a_longer_one(world: World) -> None:
    for rung in (200, 50):
        key = world.topology.delay_key(rung, AGENT)
        await world.broker.publish(world.topology.delay, key, Message(b"%d" % rung))
    async with taking(world.broker, world.queue) as taken:
        assert await taken.bodies(2) == [b"50", b"200"]


async def test_a_full_queue_refuses_and_drops_nothing(world: World) -> None:
    await world.broker.declare(Plan(queues=(SMALL,)))
    await world.broker.publish(DEFAULT_EXCHANGE, SMALL.name, Message(b"a"))
    with pytest.raises(QueueFull, match="full"):
        await world.broker.publish(DEFAULT_EXCHANGE, SMALL.name, Message(b"b"))
    assert (await world.take(SMALL.name)).body == b"a"


async def test_a_bounded_queue_without_refusal_drops_its_oldest(world: World) -> None:
    await world.broker.declare(Plan(queues=(LAST,)))
    await world.broker.publish(DEFAULT_EXCHANGE, LAST.name, Message(b"a"))
    await world.broker.publish(DEFAULT_EXCHANGE, LAST.name, Message(b"b"))
    assert (await world.take(LAST.name)).body == b"b"


async def test_a_queue_bound_twice_gets_one_copy(world: World) -> None:
    twice = (Binding(world.topology.results, LAST.name, "#"), Binding(world.topology.results, LAST.name, "*.completed"))
    await world.broker.declare(Plan(queues=(SMALL, LAST), bindings=twice))
    await world.broker.publish(world.topology.results, "worker.completed", Message(b"x"))
    assert (await world.take(LAST.name)).body == b"x"
    assert await world.ready(LAST.name) == 0


async def test_publishing_to_a_missing_exchange_is_a_topology_error_for_that_publish_alone(world: World) -> None:
    good = [world.broker.publish(world.topology.tasks, AGENT, Message(b"%d" % n)) for n in range(20)]
    bad = [world.broker.publish("no-such-exchange", "k", Message(b"x")) for _ in range(3)]
    ended = await within(asyncio.gather(*good[:10], *bad, *good[10:], return_exceptions=True))
    assert [type(error) for error in ended if error is not None] == [TopologyError] * 3
    assert "no-such-exchange" in str(ended[10])


async def test_an_announcement_nobody_can_take_does_no_harm(world: World) -> None:
    await world.broker.declare(Plan(queues=(SMALL,), bindings=(Binding(world.topology.events, SMALL.name, "b"),)))
    world.broker.announce("no-such-exchange", "a", Message(b"x"))
    world.broker.announce(world.topology.events, "nobody-listens", Message(b"x"))
    async with taking(world.broker, SMALL.name) as taken:

        async def keep_announcing() -> None:
            while True:
                world.broker.announce(world.topology.events, "b", Message(b"y"))
                await asyncio.sleep(0.05)

        announcing = asyncio.create_task(keep_announcing())
        assert (await taken.next()).message.body == b"y"
        announcing.cancel()


@pytest.mark.parametrize(
    "plan",
    [
        Plan(queues=(Queue("sutazai.tasks.worker", {"x-queue-type": "classic"}),)),
        Plan(exchanges=(Exchange("sutazai.tasks"),)),
    ],
    ids=["queue", "exchange"],
)
async def test_what_exists_with_other_arguments_is_a_topology_error(world: World, plan: Plan) -> None:
    if world.topology.prefix != "sutazai":
        pytest.skip("the shared virtual host of SUTAZAI_TEST_AMQP_URL has other names")
    with pytest.raises(TopologyError, match=r"differs from what is expected.*sutazai\.tasks"):
        await world.broker.declare(plan)


@pytest.mark.parametrize(
    "binding", [Binding("no-such-exchange", SMALL.name, "#"), Binding("sutazai.tasks", "no-such-queue", "#")]
)
async def test_a_binding_of_what_is_missing_is_a_topology_error(world: World, binding: Binding) -> None:
    with pytest.raises(TopologyError, match=r"missing on the broker.*no-such"):
        await world.broker.declare(Plan((Exchange("sutazai.tasks", "sutazai.unrouted"),), (SMALL,), (binding,)))


async def test_declaring_again_changes_nothing(world: World) -> None:
    await world.broker.publish(world.topology.tasks, AGENT, Message(b"x"))
    for plan in (world.topology.shared(), world.topology.agent(AGENT)):
        await world.broker.declare(plan)
    assert await world.ready(world.queue) == 1
