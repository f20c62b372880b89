"""RabbitMQ behind the bus's seam: two supervised connections, one to consume and one to publish."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import Final, Self

import structlog
from aio_pika.abc import AbstractChannel, ExchangeType
from aiormq.exceptions import ConnectionInternalError

from bus import tolerant_decoding
from bus.amqp_errors import mapped_errors, safe_url
from bus.broker import ConsumerState, LinkState, OnState, QueueInfo
from bus.browsing import browsing
from bus.client_properties import client_properties
from bus.connection import RPC_TIMEOUT_SECONDS, Connection
from bus.errors import ConnectionLost, TopologyError
from bus.log_reader import LogReader
from bus.message import Delivery, Message
from bus.plan import Plan, Queue
from bus.publisher import RETRY_PAUSE_SECONDS, Publisher
from bus.queue_descriptions import DESCRIPTION_ARGUMENT
from bus.subscription import RabbitSubscription

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 10.0
"""How long the first connect may take before the caller is told that nobody answers."""


class RabbitBroker:
    """A RabbitMQ, or a cluster of several addresses. Used inside `async with`.

    Two connections, because a publishing connection that the broker blocks (memory or disk alarm) also swallows
    the acknowledgements made on it.
    """

    def __init__(
        self,
        urls: Sequence[str],
        name: str,
        version: str,
        *,
        properties: Mapping[str, str] | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """`name` is what the management UI shows for this process; `version` is this product's.

        `properties` are told to the broker beside those of every process; whoever may look there reads them.
        """
        tolerant_decoding.install()
        told = client_properties(version, properties or {})
        self._where = safe_url(urls[0])
        self._consuming = Connection(urls, f"{name} consumes", told, patience=patience)
        self._publishing = Connection(urls, f"{name} publishes", told, patience=patience)
        self._publisher = Publisher(self._publishing)
        self._subscriptions: set[RabbitSubscription] = set()
        self._shared: list[Plan] = []
        """Plans with exchanges that were declared: what a subscription needs again after the broker lost them."""
        self._exit = contextlib.AsyncExitStack()

    @property
    def description(self) -> str:
        """See `Broker.description`."""
        return f"RabbitMQ {self._publishing.server_version} at {self._where}"

    @property
    def links(self) -> Mapping[str, LinkState]:
        """See `Broker.links`."""
        return {"consuming": self._consuming.state, "publishing": self._publishing.state}

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._publishing)
            await stack.enter_async_context(self._consuming)
            await stack.enter_async_context(self._publisher)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        await self._exit.aclose()

    async def declare(self, plan: Plan) -> None:
        """See `Broker.declare`."""
        if not await self._declared(plan):
            for part in plan.parts():
                if not await self._declared(part):
                    await self._on_a_channel("checking the topology", partial(_check, part))
        is_lasting = not any("x-expires" in queue.arguments for queue in plan.queues)
        if plan.exchanges and is_lasting and plan not in self._shared:
            self._shared.append(plan)

    async def queue_info(self, name: str) -> QueueInfo | None:
        """See `Broker.queue_info`."""
        found: list[QueueInfo] = []

        async def look(channel: AbstractChannel) -> None:
            queue = await channel.declare_queue(name, passive=True)
            counts = queue.declaration_result
            found.append(QueueInfo(name, counts.message_count or 0, counts.consumer_count or 0))

        try:
            await self._on_a_channel(f"looking at queue {name!r}", look)
        except TopologyError as error:
            if "NOT_FOUND" not in str(error):
                raise
        return found[0] if found else None

    async def delete_queue(self, name: str) -> None:
        """See `Broker.delete_queue`."""

        async def delete(channel: AbstractChannel) -> None:
            await channel.queue_delete(name)

        await self._on_a_channel(f"deleting queue {name!r}", delete)

    async def publish(
        self,
        exchange: str,
        key: str,
        message: Message,
        *,
        mandatory: bool = True,
        timeout: float | None = 30.0,
        again: Message | None = None,
        once: bool = False,
    ) -> None:
        """See `Broker.publish`."""
        await self._publisher.publish(
            exchange, key, message, mandatory=mandatory, timeout=timeout, again=again, once=once
        )

    def announce(self, exchange: str, key: str, message: Message) -> None:
        """See `Broker.announce`."""
        self._publisher.announce(exchange, key, message)

    def subscribe(
        self,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        *,
        prefetch: int,
        tag: str,
        plan: Plan,
        on_state: OnState | None = None,
        paused: bool = False,
    ) -> RabbitSubscription:
        """See `Broker.subscribe`."""

        async def prepare() -> None:
            try:
                await self.declare(plan)
            except TopologyError as error:
                log.warning("topology.repairing", queue=queue, reason=str(error))
                for shared in self._shared:
                    await self.declare(shared)
                await self.declare(plan)

        subscription = RabbitSubscription(
            self._consuming,
            queue,
            on_delivery,
            prepare,
            prefetch=prefetch,
            tag=tag,
            on_state=on_state,
            paused=paused,
        )
        self._subscriptions = {other for other in self._subscriptions if other.state is not ConsumerState.STOPPED}
        self._subscriptions.add(subscription)
        return subscription

    def browse(self, queue: str) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """See `Broker.browse`."""
        return browsing(self._consuming, queue)

    def read_log(self, name: str, since: datetime) -> AsyncGenerator[Message, None]:
        """See `Broker.read_log`."""
        return LogReader(self._consuming, self._publisher, name, since).messages()

    async def _declared(self, plan: Plan) -> bool:
        """Declare all of `plan`; False where that is not permitted: with least privilege, somebody else made it."""
        try:
            await self._on_a_channel("declaring the topology", partial(_declare, plan))
        except TopologyError as error:
            if "ACCESS_REFUSED" not in str(error):
                raise
            log.debug("topology.not_permitted", reason=str(error))
            return False
        return True

    async def _on_a_channel(self, doing: str, act: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        """Act on a channel of its own. All that is done here may be done twice: a lost connection is waited out."""
        with mapped_errors(doing):
            async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
                while True:
                    try:
                        return await self._act_once(doing, act)
                    except ConnectionLost:
                        if self._consuming.state is LinkState.CLOSED:
                            raise
                        await asyncio.sleep(RETRY_PAUSE_SECONDS)

    async def _act_once(self, doing: str, act: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        # On the consuming connection: a blocked publishing one would not even open a channel. And each time on a
        # channel of its own, since a refusal closes the channel.
        async with self._consuming.channel() as channel:
            with mapped_errors(doing):
                await act(channel)


async def _declare(plan: Plan, channel: AbstractChannel) -> None:
    for exchange in plan.exchanges:
        await channel.declare_exchange(
            exchange.name, ExchangeType.TOPIC, durable=True, arguments={**exchange.arguments}
        )
    for queue in plan.queues:
        await _declare_queue(queue, channel)
    for binding in plan.bindings:
        queue_to_bind = await channel.get_queue(binding.queue, ensure=False)
        await queue_to_bind.bind(binding.exchange, binding.key)


async def _declare_queue(queue: Queue, channel: AbstractChannel) -> None:
    told = {DESCRIPTION_ARGUMENT: queue.description} if queue.description else {}
    try:
        await channel.declare_queue(
            queue.name,
            durable=not queue.exclusive,
            exclusive=queue.exclusive,
            arguments={**queue.arguments, **told},
        )
    except ConnectionInternalError as error:
        # 3.10 with streams or quorum queues turned off closes the whole connection, which looks like a lost one.
        if "feature flag is disabled" not in str(error):
            raise
        kind = queue.arguments.get("x-queue-type")
        raise TopologyError(
            f"queues of type {kind} are turned off on this broker: {queue.name!r} cannot be declared before "
            f"`rabbitmqctl enable_feature_flag {kind}_queue`"
        ) from error


async def _check(plan: Plan, channel: AbstractChannel) -> None:
    # AMQP has no way to look at a binding; a task that reaches no queue tells soon enough.
    for exchange in plan.exchanges:
        await channel.declare_exchange(exchange.name, ExchangeType.TOPIC, passive=True)
    for queue in plan.queues:
        await channel.declare_queue(queue.name, passive=True)
