"""Reading a log (a stream of RabbitMQ) from a point in time to the present, and no further."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from bus.amqp_errors import mapped_errors
from bus.broker import DEFAULT_EXCHANGE, LinkState
from bus.connection import RPC_TIMEOUT_SECONDS, Connection, back_off
from bus.errors import ConnectionLost, LogUnavailable, PublishError, TopologyError
from bus.message import Message
from bus.publisher import Publisher
from bus.rabbit_delivery import delivery_of

log = structlog.get_logger(__name__)

MARKER_TYPE: Final = "sutazai.marker.v1"
"""A stream tells no end: a reader writes a message of this type behind all there is, and reads until it comes."""

OFFSET_HEADER: Final = "x-stream-offset"
"""Written by the broker on what it delivers; also the argument that says where to begin. A classic queue refuses it."""

PREFETCH: Final = 100
"""A stream needs one. This many messages hide the way to the broker."""

QUIET_SECONDS: Final = 2.0
"""A silence that counts as the end where no marker could be written."""

MARKER_TIMEOUT_SECONDS: Final = 10.0
"""A broker with a memory or disk alarm takes no marker; it takes nothing else either, so a silence is the end then."""

EARLIEST: Final = datetime.fromtimestamp(0, UTC)
"""AMQP knows no time before."""

Arrivals = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker delivers, in order; None once the channel or the consumer is gone."""


class LogReader:
    """One reading of one log. After a lost connection it goes on behind the last message it has seen.

    Never with `no_ack`, nor with a `basic.get` or a `nack`: on a stream each of them can close the whole connection.
    """

    def __init__(self, connection: Connection, publisher: Publisher, name: str, since: datetime) -> None:
        self._connection = connection
        self._publisher = publisher
        self._name = name
        self._begin: datetime | int = max(since, EARLIEST)
        self._marker = Message(uuid4().hex.encode(), type=MARKER_TYPE, content_type=None)

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Yield what is in the log; see `Broker.read_log`. Close it when leaving early: it holds a channel."""
        failures = 0
        while True:
            try:
                async with self._connection.channel() as channel:
                    arrivals = await self._attach(channel)
                    patience = await self._mark_the_end()
                    while (message := await self._next(arrivals, patience)) is not None:
                        failures = 0
                        yield message
                    return
            except ConnectionLost as error:
                if self._connection.state is LinkState.CLOSED:
                    raise
                log.warning("log.resuming", log=self._name, begin=str(self._begin), reason=str(error))
            await asyncio.sleep(back_off(failures))
            failures += 1

    async def _attach(self, channel: AbstractChannel) -> Arrivals:
        """Have the broker deliver from where the reading stands. Raises LogUnavailable."""
        arrivals: Arrivals = asyncio.Queue()
        doing = f"reading log {self._name!r}"
        try:
            with mapped_errors(doing):
                async with asyncio.timeout(RPC_TIMEOUT_SECONDS):
                    await _tell_the_loss(channel, arrivals)
                    await self._consume(channel, arrivals)
        except TopologyError as error:
            # Not every 404 says so: also a queue on a node that is down is "not found".
            if "NOT_FOUND - no queue" in str(error):
                raise LogUnavailable(self._name) from error
            raise
        return arrivals

    async def _consume(self, channel: AbstractChannel, arrivals: Arrivals) -> None:
        async def receive(incoming: AbstractIncomingMessage) -> None:
            arrivals.put_nowait(incoming)

        await channel.set_qos(prefetch_count=PREFETCH)
        stream = await channel.get_queue(self._name, ensure=False)
        tag = f"reads {self._name}"
        await stream.consume(receive, consumer_tag=tag, arguments={OFFSET_HEADER: self._begin})

    async def _mark_the_end(self) -> float | None:
        """Write the marker and return None; where that is impossible, how many seconds of silence are the end.

        Only once the broker delivers: a beginning that lies in the future means "from what comes next" to it, and
        must not lie behind the marker. Each connection writes its own copy; the first that comes is the end.
        """
        try:
            await self._publisher.publish(DEFAULT_EXCHANGE, self._name, self._marker, timeout=MARKER_TIMEOUT_SECONDS)
        except (TopologyError, PublishError) as error:
            log.debug("log.unmarked", log=self._name, seconds=QUIET_SECONDS, reason=str(error))
            return QUIET_SECONDS
        return None

    async def _next(self, arrivals: Arrivals, patience: float | None) -> Message | None:
        """Return the next message that is no marker, or None at the end. Raises ConnectionLost."""
        while True:
            try:
                async with asyncio.timeout(patience):
                    incoming = await arrivals.get()
            except TimeoutError:
                return None
            message = await self._taken(incoming)
            if message.type != MARKER_TYPE:
                return message
            if message.body == self._marker.body:
                return None

    async def _taken(self, incoming: AbstractIncomingMessage | None) -> Message:
        if incoming is None:
            raise ConnectionLost(f"the channel or the consumer was taken away while reading log {self._name!r}")
        delivery = delivery_of(incoming)
        headers = dict(delivery.message.headers)
        # Absent where a hostile publisher's headers could not be read; offsets follow each other without gaps.
        offset = headers.pop(OFFSET_HEADER, self._begin)
        await delivery.ack()
        if isinstance(offset, int):
            self._begin = offset + 1
        return replace(delivery.message, headers=headers)


async def _tell_the_loss(channel: AbstractChannel, arrivals: Arrivals) -> None:
    def tell(*_: object) -> None:
        arrivals.put_nowait(None)

    channel.close_callbacks.add(tell)
    underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(tell)
