"""The storm's publisher: it sends each order when its time has come, and again until the broker has confirmed it."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from benchmarks.chaos_storm.workload import Order
from bus.broker import Broker
from bus.client import Client
from bus.errors import BusError
from bus.topology import Topology

log = structlog.get_logger(__name__)

CONFIRM_SECONDS: Final = 4.0
"""Short, so that black holes and alarms make publishes time out; those are sent again under the same id."""

AGAIN_SECONDS: Final = 0.5


class Publisher:
    """Publishes orders through a broker that the storm may cut off."""

    def __init__(self, broker: Broker, topology: Topology, reply_queue: str) -> None:
        self.tries: Counter[str] = Counter()
        """Publishes of each task that this publisher knows of."""
        self._client = Client(broker, topology)
        self._reply_queue = reply_queue

    async def run(self, orders: Sequence[Order], began: float) -> None:
        """Publish all orders; return when the last one is confirmed. `began`: seconds since 1970."""
        async with asyncio.TaskGroup() as group:
            for order in orders:
                await asyncio.sleep(max(0.0, began + order.at - time.time()))
                group.create_task(self._carry_out(order), name=f"order:{order.id}")

    async def _carry_out(self, order: Order) -> None:
        await self._publish(order)
        if order.cancel_after is not None:
            await asyncio.sleep(order.cancel_after)
            await self._cancel(order)

    async def _publish(self, order: Order) -> None:
        task, reply_to = order.task(), self._reply_queue if order.wants_reply else None
        while True:
            self.tries[order.id] += 1
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    return await self._client.send(task, reply_to=reply_to, again=self.tries[order.id] > 1)
            except (BusError, TimeoutError) as error:
                log.info("order.published_again", task=order.id, reason=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _cancel(self, order: Order) -> None:
        while True:
            try:
                return await self._client.cancel(order.id, agent=order.agent)
            except BusError as error:
                log.info("order.cancelled_again", task=order.id, reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
