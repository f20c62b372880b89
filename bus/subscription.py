"""One supervised consumer on one RabbitMQ queue: it comes back after any loss, and pauses when told to."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPChannelError

from bus.amqp_errors import mapped_errors, words_of
from bus.broker import ConsumerState, OnState
from bus.connection import RPC_TIMEOUT_SECONDS, Connection, back_off
from bus.ending import end_tasks
from bus.envelope import repeated
from bus.errors import BusError, ConnectionLost
from bus.message import Delivery
from bus.rabbit_delivery import delivery_of, left_ladder_before

log = structlog.get_logger(__name__)

STEADY_SECONDS: Final = 5.0
"""A consumer that lasted this long was healthy: its next return begins with the shortest pause again."""


class RabbitSubscription:
    """Consumes a queue for as long as it is wanted. `prepare` is awaited before each new start: it declares."""

    def __init__(
        self,
        connection: Connection,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        prepare: Callable[[], Awaitable[None]],
        *,
        prefetch: int,
        tag: str,
        on_state: OnState | None = None,
        paused: bool = False,
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._on_delivery = on_delivery
        self._prepare = prepare
        self._prefetch = prefetch
        self._tag = tag
        self._starts = 0
        self._wanted = not paused
        self._news = asyncio.Event()
        self._quiet = True
        self._taken_by: BaseException | None = None
        self._on_channel: AbstractQueue | None = None
        self._requests: set[asyncio.Task[int | None]] = set()
        self._state = ConsumerState.PAUSED if paused else ConsumerState.STARTING
        self._on_state = on_state
        self._supervisor = asyncio.create_task(self._supervise(), name=f"amqp:consume:{queue}")

    @property
    def state(self) -> ConsumerState:
        """What it does at the moment."""
        return self._state

    async def pause(self) -> None:
        """See `Subscription.pause`."""
        self._wanted = False
        self._news.set()
        await self._until(lambda: self._quiet or self._wanted)
        if not self._wanted and self._state is not ConsumerState.STOPPED:
            self._enter(ConsumerState.PAUSED)  # also what had yet to begin, or was lost and would come back

    def resume(self) -> None:
        """See `Subscription.resume`."""
        self._wanted = True
        self._news.set()

    async def fetch(self) -> int | None:
        """See `Subscription.fetch`."""
        return await self._request(self._get(), "get")

    async def count(self) -> int:
        """See `Subscription.count`."""
        return await self._request(self._look(), "count") or 0

    async def close(self) -> None:
        """See `Subscription.close`."""
        self._wanted = False  # or its end would look like a loss
        await end_tasks([self._supervisor, *self._requests])
        self._enter(ConsumerState.STOPPED)

    def _enter(self, state: ConsumerState) -> None:
        if state is not self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)

    async def _request(self, asking: Coroutine[None, None, int | None], what: str) -> int | None:
        """Ask in a task of this subscription: a question that is cancelled half-way has aiormq close the channel."""
        if self._state is ConsumerState.STOPPED:
            asking.close()
            raise ConnectionLost(f"the subscription to queue {self._queue!r} is closed")
        request = asyncio.create_task(asking, name=f"amqp:{what}:{self._queue}")
        self._requests.add(request)
        self._news.set()
        request.add_done_callback(self._forget)
        await asyncio.wait({request})
        if request.cancelled():
            raise ConnectionLost(f"the subscription to queue {self._queue!r} was closed")
        return request.result()

    def _forget(self, request: asyncio.Task[int | None]) -> None:
        self._requests.discard(request)
        if not request.cancelled():
            request.exception()  # whoever asked may be gone

    async def _get(self) -> int | None:
        queue = await self._open_queue()
        with mapped_errors(f"taking a message from {self._queue!r}"):
            incoming = await queue.get(fail=False, timeout=None)
        if incoming is None:
            return None
        await self._receive(incoming)
        return incoming.message_count or 0

    async def _look(self) -> int:
        queue = await self._open_queue()
        with mapped_errors(f"looking at queue {self._queue!r}"):
            found = await queue.channel.declare_queue(self._queue, passive=True)
        return found.declaration_result.message_count or 0

    async def _open_queue(self) -> AbstractQueue:
        await self._until(lambda: self._on_channel is not None)
        if self._on_channel is None:
            raise ConnectionLost("the channel has just been lost")
        return self._on_channel

    @property
    def _needs_channel(self) -> bool:
        return self._wanted or bool(self._requests)

    async def _supervise(self) -> None:
        failures = 0
        while True:
            await self._until(lambda: self._needs_channel)
            started = asyncio.get_running_loop().time()
            try:
                async with self._connection.channel() as channel:
                    await self._consume_on(channel)
            except BusError as error:
                lasted = asyncio.get_running_loop().time() - started
                failures = 0 if lasted > STEADY_SECONDS else failures + 1
                self._tell_loss(error)
                await asyncio.sleep(back_off(failures))
            except Exception:
                # Whatever it is: a consumer that nobody brings back would be silent.
                log.exception("consumer.crashed", queue=self._queue)
                await asyncio.sleep(STEADY_SECONDS)

    def _tell_loss(self, error: BusError) -> None:
        # Whoever follows the state tells of many losses in one line, but not why this channel alone was closed.
        is_told = self._on_state is not None and self._state is ConsumerState.LOST
        tell = log.debug if is_told and not isinstance(self._taken_by, AMQPChannelError) else log.warning
        tell("consumer.lost", queue=self._queue, reason=str(error))

    async def _consume_on(self, channel: AbstractChannel) -> None:
        """Consume on one channel, with pauses, until the channel or the consumer is taken away."""
        self._taken_by = None
        self._opened = datetime.now(UTC)
        await self._prepare()
        with mapped_errors(f"preparing to consume {self._queue!r}"):
            async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
                await channel.set_qos(prefetch_count=self._prefetch)
                queue = await channel.get_queue(self._queue, ensure=False)
        gone = await self._watch(channel)
        self._on_channel = queue
        self._news.set()
        try:
            while not gone.is_set():
                # Nothing may be awaited between this check and the consume, or a pause in between would be missed.
                if self._wanted:
                    await self._consume_until_unwanted(queue, gone)
                await self._until(lambda: self._wanted or gone.is_set())
        finally:
            self._on_channel = None
        if self._wanted:
            raise ConnectionLost(f"the channel or the consumer was taken away{words_of(self._taken_by)}")

    async def _consume_until_unwanted(self, queue: AbstractQueue, gone: asyncio.Event) -> None:
        self._starts += 1
        tag = f"{self._tag}#{self._starts}"
        self._quiet = False
        try:
            with mapped_errors(f"consuming {self._queue!r}"):
                async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
                    await queue.consume(self._receive, consumer_tag=tag)
            self._enter(ConsumerState.CONSUMING)
            log.debug("consumer.started", queue=self._queue, tag=tag, prefetch=self._prefetch)
            await self._until(lambda: not self._wanted or gone.is_set())
            await self._cancel(queue, tag, gone)
        finally:
            self._enter(ConsumerState.LOST if self._wanted else ConsumerState.PAUSED)
            self._quiet = True
            self._news.set()

    async def _cancel(self, queue: AbstractQueue, tag: str, gone: asyncio.Event) -> None:
        if gone.is_set():
            return
        with mapped_errors(f"pausing the consumer of {self._queue!r}"):
            async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
                await queue.cancel(tag)
        log.debug("consumer.paused", queue=self._queue, tag=tag)

    async def _receive(self, incoming: AbstractIncomingMessage) -> None:
        # aiormq runs this in a task of the channel, which it cancels with the channel: no work may happen here.
        delivery = delivery_of(incoming)
        if left_ladder_before(delivery.message.headers, self._opened):
            delivery = replace(delivery, message=repeated(delivery.message))
        self._on_delivery(delivery)

    async def _watch(self, channel: AbstractChannel) -> asyncio.Event:
        """Return an event that is set once the channel has died or the broker has cancelled the consumer."""
        gone = asyncio.Event()

        def tell(_: object, error: BaseException | None = None) -> None:
            self._taken_by = error
            # Called inside the channel's reader: anything sent on the channel from here would wait for itself.
            gone.set()
            self._news.set()

        channel.close_callbacks.add(tell)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(tell)
        if channel.is_closed:
            tell(channel)
        return gone

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._news.clear()
            await self._news.wait()
