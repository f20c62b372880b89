"""A node of a cluster is killed with SIGKILL under load."""

import asyncio
import time

import pytest

from bus.broker import ConsumerState
from bus.errors import QueueFull
from bus.message import Message
from bus.plan import Plan, Queue
from bus.rabbitmq import RabbitBroker
from bus.topology import QueueType
from tests.support.cluster import Cluster
from tests.support.cluster_fleet import Places, fleet_on
from tests.support.fleet_report import RecordProperty, assert_each_ended_once, tell
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

RESUMED_WITHIN = 10.0
"""Seconds, from the issue that asks for clusters."""


@pytest.mark.parametrize("places", [Places(), Places(client=0)], ids=["client-beside", "client-on-it"])
async def test_a_killed_leader_costs_no_task_and_work_resumes(
    cluster: Cluster, places: Places, record_property: RecordProperty
) -> None:
    async with fleet_on(cluster, QueueType.QUORUM, places) as fleet:
        leader = await asyncio.to_thread(cluster.leader_of, fleet.queue)
        assert leader == places.first
        killed = time.monotonic()
        await asyncio.to_thread(cluster.kill, leader)
        resumed = await fleet.load.until_resumed(killed, RESUMED_WITHIN)
        await fleet.load.until_done(60)
        await asyncio.to_thread(cluster.mend)
        await fleet.load.until_done(40)
        await fleet.load.end()
        assert [consumer.state for consumer in fleet.consumers] == [ConsumerState.CONSUMING] * 2
        tell(record_property, fleet, resumed)
        assert_each_ended_once(fleet)


async def test_a_listener_on_the_killed_node_misses_no_result(
    cluster: Cluster, record_property: RecordProperty
) -> None:
    async with fleet_on(cluster, QueueType.QUORUM, Places(listener=0)) as fleet:
        killed = time.monotonic()
        await asyncio.to_thread(cluster.kill, 0)
        resumed = await fleet.load.until_resumed(killed, RESUMED_WITHIN)
        await fleet.load.until_done(60)
        await fleet.load.end()
        tell(record_property, fleet, resumed)
        assert_each_ended_once(fleet)


async def test_tasks_of_a_classic_queue_wait_for_their_node_and_none_is_lost(
    cluster: Cluster, record_property: RecordProperty
) -> None:
    async with fleet_on(cluster, QueueType.CLASSIC, Places()) as fleet:
        await asyncio.to_thread(cluster.kill, 0)
        refused = len(fleet.load.refusals)
        await wait_until(lambda: len(fleet.load.refusals) > refused, 30, what="a refused submission")
        started = time.monotonic()
        await asyncio.to_thread(cluster.mend)
        resumed = await fleet.load.until_resumed(started, 60)
        await fleet.load.end()
        tell(record_property, fleet, resumed)
        assert_each_ended_once(fleet)


async def test_a_publish_refused_during_an_election_succeeds_after_it(cluster: Cluster) -> None:
    # On one channel RabbitMQ 3.10 refuses for ever what it refused once, if that was its first publish to the queue and
    # the election was on. Forty queues, each published to a little later than the one before, do not all miss that.
    names = [f"elects-{number}" for number in range(40)]
    async with (
        RabbitBroker(cluster.urls_from(0), "declares", "test") as declaring,
        RabbitBroker(cluster.urls_from(1), "publishes", "test") as publishing,
    ):
        await declaring.declare(Plan(queues=tuple(Queue(name, {"x-queue-type": "quorum"}) for name in names)))

        async def is_refused(name: str, *, after: float = 0) -> bool:
            await asyncio.sleep(after)
            try:
                await publishing.publish("", name, Message(b"x"))
            except QueueFull:
                return True
            return False

        kill = asyncio.create_task(asyncio.to_thread(cluster.kill, 0), name="kill")
        refused = sum(await asyncio.gather(*(is_refused(name, after=n * 0.04) for n, name in enumerate(names))))
        await kill

        async def none_is_refused() -> bool:
            return not any([await is_refused(name) for name in names])

        await wait_until(none_is_refused, 20, what=f"publishes to all queues; {refused} were refused at first")
