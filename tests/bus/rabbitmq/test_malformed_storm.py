"""A thousand messages that nobody should send, published at once between good tasks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus.message import Delivery
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.fault_world import every_result
from tests.support.malformed import samples
from tests.support.malformed_ledger import Ledger
from tests.support.malformed_publisher import publish_samples

LIMIT = 50.0
"""Seconds for all of it."""


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_malformed_message_is_rejected_and_kept_and_every_good_task_completes(
    world: World, vhost_url: str, seed: int
) -> None:
    ledger, worker = Ledger(), Worker()
    storm = samples(seed, good=50, bad=450, huge=3)
    async with witnessed(world, ledger), world.consumer(worker, prefetch=10) as consumer:
        await within(publish_samples(vhost_url, world.topology.tasks, AGENT, storm, ledger.expect), LIMIT)
        await within(complete(ledger), LIMIT)
        await within(consumer.stop(grace=5))
    assert ledger.faults() == []
    assert (len(ledger.good), ledger.bad, worker.runs) == (50, 450, 50)
    assert (consumer.losses, consumer.held, await world.ready(world.queue)) == (0, 0, 0)


async def complete(ledger: Ledger) -> None:
    """Wait until there are as many results and dead letters as there must be."""
    while not ledger.is_complete:
        ledger.news.clear()
        await ledger.news.wait()


@asynccontextmanager
async def witnessed(world: World, ledger: Ledger) -> AsyncIterator[None]:
    """Show all results and dead letters to the ledger for the length of a block."""
    async with every_result(world) as results, asyncio.TaskGroup() as group:

        async def listen() -> None:
            async for result in results:
                ledger.note_result(result)

        def take(delivery: Delivery) -> None:
            ledger.note_dead(delivery.message)
            group.create_task(delivery.ack(), name="ack:dead")

        dead = world.topology.dead_queue(AGENT)
        subscription = world.broker.subscribe(dead, take, prefetch=10, tag="test", plan=world.topology.agent(AGENT))
        listening = group.create_task(listen(), name="listen")
        try:
            yield
        finally:
            listening.cancel()
            await subscription.close()
