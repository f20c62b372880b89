"""A confirm that is lost between the broker and here: the message goes out again, and says so."""

import asyncio
from urllib.parse import urlsplit

from bus.client import Client
from bus.envelope import REPEATED_HEADER
from bus.rabbitmq import RabbitBroker
from bus.topology import Topology
from tests.support.bus_world import AGENT, RUNGS_MS, taking, within
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until


async def test_a_task_whose_confirm_was_lost_is_published_again_with_a_mark(vhost_url: str, prefix: str) -> None:
    parts = urlsplit(vhost_url)
    topology = Topology(prefix=prefix, rungs_ms=RUNGS_MS)
    queue = topology.task_queue(AGENT)
    async with (
        TcpProxy(parts.hostname or "localhost", parts.port or 5672) as proxy,
        RabbitBroker([vhost_url], "sees", "1") as direct,
        RabbitBroker([proxy.url_for(vhost_url)], "loses", "1") as behind,
    ):
        await direct.declare(topology.shared())
        await direct.declare(topology.agent(AGENT))

        async def ready(count: int) -> bool:
            info = await direct.queue_info(queue)
            return info is not None and info.ready == count

        client = Client(behind, topology)
        confirmed = await client.submit(AGENT, "confirmed")
        proxy.mute()
        submitting = asyncio.create_task(client.submit(AGENT, "arrives, and nobody says so"))
        await wait_until(lambda: ready(2), what="the first publish")
        assert not submitting.done()
        await proxy.drop()
        await proxy.heal()
        task = await within(submitting)
        async with taking(direct, queue, prefetch=3) as taken:
            messages = [(await taken.next()).message for _ in range(3)]
        assert [message.correlation_id for message in messages] == [confirmed.id, task.id, task.id]
        assert [message.headers.get(REPEATED_HEADER) for message in messages] == [None, None, True]
