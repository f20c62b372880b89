"""A host's ear on the control exchange, and what the control log knows of hosts, over both brokers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from bus import control as control_module
from bus.broker import Broker, ConsumerState, Subscription
from bus.client import Client
from bus.codec import encode_control
from bus.control import ControlLink, known_agents
from bus.errors import TopologyError, UnknownAgent
from bus.message import Delivery, Message
from bus.orders import say
from bus.routing_keys import EVERYBODY
from bus.topology import Topology
from schemas import CancelTask, DrainHost, Order, PauseAgents, ResumeAgents
from tests.support.bus_world import AGENT, World, within
from tests.support.faulty_brokers import Through
from tests.support.obedience import Ear, declare_logs, listening
from tests.support.waiting import wait_until


async def test_a_host_hears_what_is_said_to_its_agents_and_to_all_and_nothing_else(world: World) -> None:
    ear = Ear()
    for agent in ("second", "stranger"):
        await world.broker.declare(world.topology.agent(agent))
    async with listening(world, ear, AGENT, "second"):
        with pytest.raises(UnknownAgent):
            await world.client.cancel("nobody's", agent="misspelt")
        await world.client.cancel("not mine", agent="stranger")
        await world.client.cancel("mine", agent=AGENT)
        await world.client.cancel("mine too", agent="second")
        await world.client.cancel("of all")
        await ear.hears("of all")
    assert ear.heard == ["mine", "mine too", "of all"]


async def test_a_cancellation_is_logged_with_its_reason_where_it_has_one(world: World) -> None:
    ear = Ear()
    async with listening(world, ear):
        with capture_logs() as logs:
            await world.client.cancel("plain", agent=AGENT)
            await world.client.cancel("for a reason", agent=AGENT, reason="too late")
            await ear.hears("for a reason")
    told = [line for line in logs if line["event"] == "control.cancel"]
    assert told == [
        {"event": "control.cancel", "log_level": "info", "task": "plain"},
        {"event": "control.cancel", "log_level": "info", "task": "for a reason", "reason": "too late"},
    ]


async def test_an_operators_order_reaches_the_host_that_is_named_or_all_and_is_not_obeyed_later(world: World) -> None:
    await declare_logs(world)
    before, here = PauseAgents(reason="before it started"), PauseAgents(host="host-1", reason="here")
    await say(world.broker, world.topology, before)
    ear, orders = Ear(), list[Order]()
    link = ControlLink(world.broker, world.topology, "host-1", [AGENT], ear, on_order=orders.append)
    async with link, listening(world, Ear(), "deaf"):
        for order in (PauseAgents(host="host-2"), here, ResumeAgents(agent="stranger"), DrainHost(host="host-2")):
            await say(world.broker, world.topology, order)
        await say(world.broker, world.topology, ResumeAgents(agent=AGENT))
        await world.client.cancel("the last word")
        await ear.hears("the last word")
    assert [(order.kind, order.host) for order in orders] == [("pause", "host-1"), ("resume", None)]


async def test_what_nobody_can_read_on_the_control_exchange_is_passed_over(world: World) -> None:
    await declare_logs(world)

    async def say(body: bytes) -> None:
        await world.broker.publish(world.topology.control, EVERYBODY, Message(body))

    await say(b'{"kind": "dance"}')
    await say(encode_control(CancelTask(task_id="before")).body)
    ear = Ear()
    async with listening(world, ear):
        assert ear.heard == ["before"]
        await say(b"not json")
        await say(encode_control(CancelTask(task_id="after")).body)
        await ear.hears("after")


async def test_without_a_log_a_host_starts_and_hears_what_is_said_from_then_on(world: World) -> None:
    await world.client.cancel("before")
    ear = Ear()
    async with listening(world, ear):
        await world.client.cancel("after")
        await ear.hears("after")
    assert ear.heard == ["after"]


async def test_what_was_said_during_a_cut_is_heard(world: World) -> None:
    ear = Ear()
    async with listening(world, ear):
        await world.cut()
        await within(world.client.cancel("said meanwhile"))
        await ear.hears("said meanwhile")


class NamesQueues(Through):
    """Knows the names of the queues that are subscribed to."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.queues: list[str] = []

    def subscribe(self, queue: str, on_delivery: Callable[[Delivery], None], **options: Any) -> Subscription:
        self.queues.append(queue)
        return super().subscribe(queue, on_delivery, **options)


class LateEar(Through):
    """Delivers nothing from what is subscribed to until that is resumed."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.subscribed: asyncio.Queue[Subscription] = asyncio.Queue()

    def subscribe(
        self, queue: str, on_delivery: Callable[[Delivery], None], *, paused: bool = False, **options: Any
    ) -> Subscription:
        subscription = super().subscribe(queue, on_delivery, paused=not paused, **options)
        self.subscribed.put_nowait(subscription)
        return subscription


async def test_a_host_goes_on_to_its_tasks_only_once_it_hears_what_is_said_of_them(world: World) -> None:
    broker = LateEar(world.broker)
    async with AsyncExitStack() as stack:
        entering = asyncio.create_task(stack.enter_async_context(listening(world, Ear(), broker=broker)), name="enter")
        ear = await within(broker.subscribed.get())
        await within(known_agents(world.broker, world.topology))  # what it has yet to ask took no longer
        assert not entering.done()
        ear.resume()
        await within(entering)
        assert ear.state is ConsumerState.CONSUMING


async def test_a_host_that_cannot_listen_yet_goes_on_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "LISTENING_SECONDS", 0.01)
    async with listening(world, Ear(), broker=LateEar(world.broker)):
        pass


async def test_what_was_said_to_a_queue_that_has_gone_is_read_from_the_log(world: World) -> None:
    await declare_logs(world)
    ear, broker = Ear(), NamesQueues(world.broker)
    async with listening(world, ear, broker=broker):
        await world.broker.delete_queue(*broker.queues)
        await within(world.client.cancel("said meanwhile"))
        await ear.hears("said meanwhile")


async def test_the_agents_that_were_here_are_known(world: World) -> None:
    await declare_logs(world)

    async def known() -> set[str]:
        return await known_agents(world.broker, world.topology)

    assert await known() == set()
    async with listening(world, Ear(), "a", "b"):
        await wait_until(known, what="the first host")
        assert await known() == {"a", "b"}
    async with listening(world, Ear(), "b", "c"):
        await wait_until(lambda: known_is(known, {"a", "b", "c"}), what="the second host")


async def known_is(known: Callable[[], Awaitable[set[str]]], agents: set[str]) -> bool:
    return await known() == agents


async def test_without_a_log_no_agent_is_known(world: World) -> None:
    async with listening(world, Ear()):
        assert await known_agents(world.broker, world.topology) == set()


async def test_where_no_host_has_ever_started_there_is_nobody_to_tell(world: World) -> None:
    nowhere = Client(world.broker, Topology(prefix=f"{world.topology.prefix}-nowhere"))
    with pytest.raises(TopologyError):
        await within(nowhere.cancel("t"))
