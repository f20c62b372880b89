"""Which hosts are connected, as the control log and their queues tell; over both brokers."""

import asyncio

import pytest

from bus.broker import QueueInfo
from bus.codec import encode_control
from bus.control import ControlLink
from bus.live_hosts import MOST, live_crews, live_hosts
from bus.routing_keys import EVERYBODY
from schemas import Hello
from tests.support.bus_world import AGENT, World
from tests.support.faulty_brokers import Refusing, Through
from tests.support.obedience import Ear, declare_logs
from tests.support.waiting import wait_until


def link(world: World, host: str, *agents: str) -> ControlLink:
    return ControlLink(world.broker, world.topology, host, agents or [AGENT], Ear())


async def until_crews(world: World, crews: dict[str, set[str]]) -> None:
    async def are_told() -> bool:
        told = await live_crews(world.broker, world.topology)
        return told is not None and {host: set(agents) for host, agents in told.items()} == crews

    await wait_until(are_told, what=f"the crews {crews}")


async def say(world: World, hello: Hello) -> None:
    await world.broker.publish(world.topology.control, EVERYBODY, encode_control(hello))


async def test_a_host_lives_from_its_first_word_until_it_ends(world: World) -> None:
    await declare_logs(world)

    async def live(*hosts: str) -> bool:
        return await live_hosts(world.broker, world.topology) == frozenset(hosts)

    await world.client.cancel("whatever else is said")
    await wait_until(live, what="nobody")
    async with link(world, "host-1"):
        async with link(world, "host-2"):
            await wait_until(lambda: live("host-1", "host-2"), what="both")
        await wait_until(lambda: live("host-1"), what="the one that is left")
    await wait_until(live, what="the end of both")


async def test_of_hosts_that_share_a_name_all_agents_are_told_and_none_outlives_its_host(world: World) -> None:
    await declare_logs(world)
    async with link(world, "host-1", AGENT, "first"):
        async with link(world, "host-1", AGENT, "second"):
            await until_crews(world, {"host-1": {AGENT, "first", "second"}})
        await until_crews(world, {"host-1": {AGENT, "first"}})
    await until_crews(world, {})


async def test_a_host_that_starts_again_and_again_is_known_by_its_last_words(world: World) -> None:
    await declare_logs(world)
    for number in range(MOST):
        await say(world, Hello(host="host-1", agents=("old",), queue=f"gone-{number}"))
    async with link(world, "host-1"), link(world, "host-2"):
        await until_crews(world, {"host-1": {AGENT}, "host-2": {AGENT}})


async def test_a_host_that_was_killed_is_not_among_them_though_its_queue_is_there_still(world: World) -> None:
    await declare_logs(world)
    queue = world.topology.listener_queue("control", "killed")
    await world.broker.declare(world.topology.listener("control", "killed", world.topology.control, (EVERYBODY,)))
    await say(world, Hello(host="killed", agents=(AGENT,), queue=queue))
    async with link(world, "host-1"):

        async def is_alone() -> bool:
            return await live_hosts(world.broker, world.topology) == frozenset({"host-1"})

        await wait_until(is_alone, what="the one that lives")
    await world.broker.delete_queue(queue)


async def test_a_word_that_could_not_be_said_is_said_again_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.control.HELLO_AGAIN_SECONDS", 0.05)
    await declare_logs(world)
    broker = Refusing(world.broker, world.topology.control)
    async with ControlLink(broker, world.topology, "host-1", [AGENT], Ear()):
        await wait_until(lambda: broker.refused, what="the first try")
        broker.refuses = False

        async def is_known() -> bool:
            return await live_hosts(world.broker, world.topology) == frozenset({"host-1"})

        await wait_until(is_known, what="the second try")


async def test_a_host_that_does_not_say_where_it_listens_makes_the_rest_uncertain(world: World) -> None:
    await declare_logs(world)
    async with link(world, "host-1"):
        await say(world, Hello(host="of an older version", agents=(AGENT,)))

        async def is_unknown() -> bool:
            return await live_hosts(world.broker, world.topology) is None

        await wait_until(is_unknown, what="the word of the older host")


async def test_a_host_that_has_been_updated_since_makes_nothing_uncertain(world: World) -> None:
    await declare_logs(world)
    await say(world, Hello(host="host-1", agents=("old",)))
    async with link(world, "host-1"):
        await until_crews(world, {"host-1": {AGENT}})


async def test_too_many_names_are_not_looked_at(world: World) -> None:
    await declare_logs(world)
    for number in range(MOST + 1):
        await say(world, Hello(host=f"host-{number}", agents=(AGENT,), queue=f"gone-{number}"))

    class Uninterested(Through):
        async def queue_info(self, name: str) -> QueueInfo | None:
            raise AssertionError(name)

    assert await live_hosts(Uninterested(world.broker), world.topology) is None


async def test_without_a_control_log_nobody_knows(world: World) -> None:
    await world.broker.delete_queue(world.topology.control_log)
    assert await live_hosts(world.broker, world.topology) is None


async def test_a_look_that_takes_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.live_hosts.LOOK_SECONDS", 0.2)
    await declare_logs(world)
    await say(world, Hello(host="host-1", agents=(AGENT,), queue="any"))

    class Slow(Through):
        async def queue_info(self, name: str) -> QueueInfo | None:
            await asyncio.Event().wait()
            raise AssertionError(name)

    assert await live_hosts(Slow(world.broker), world.topology) is None
