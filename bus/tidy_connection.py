"""aio-pika's connection, on which a closed channel leaves nothing behind.

aiormq 7.2 makes a new observer of a connection's end each time it is asked for `closing`. So aio-pika 10.2, which
has each channel told of that end, removes its callback from another observer than the one it gave it to, and the
connection keeps both for its lifetime: 18 MB for a thousand questions of `Client.ask`. And aio-pika adds the callback
before the channel is open, and leaves it there where the opening fails or is given up.
"""

import asyncio
from itertools import chain
from typing import Any, Final

import aio_pika
import aiormq
from aio_pika.abc import TimeoutType, UnderlayChannel, UnderlayConnection
from aio_pika.exceptions import ChannelInvalidStateError
from aio_pika.tools import OneShotCallback
from yarl import URL

HIGHEST_NUMBER: Final = 65_535
"""Of a channel, where the broker sets no bound."""


class _Channel(aio_pika.Channel):
    async def _open(self) -> None:
        """Do what aio-pika does, but tell the connection of the channel only once it is open."""
        transport = self._connection.transport
        if transport is None:
            raise ChannelInvalidStateError("No active transport in channel")
        await transport.ready()
        wire = await transport.connection.channel(
            publisher_confirms=self.publisher_confirms,
            on_return_raises=self.on_return_raises,
            channel_number=self._channel_number,
        )
        on_close = OneShotCallback(self._on_close)
        for resource in (wire.connection, wire):
            resource.closing.add_done_callback(on_close)
        self._channel = UnderlayChannel(wire, on_close)
        await self._on_open()

    async def _on_close(self, closing: "asyncio.Future[Any]") -> BaseException | None:
        # aio-pika forgets a channel that was closed on this side, but not one that the broker has closed.
        if self._channel is not None:
            self._channel.channel.connection.closing.remove_done_callback(self._channel.close_callback)
        return await super()._on_close(closing)


class _Underlay(UnderlayConnection):
    @classmethod
    async def make_connection(
        cls, url: URL, timeout: TimeoutType = None, **kwargs: Any
    ) -> aiormq.abc.AbstractConnection:
        connection = _Wire(url, **kwargs)
        async with asyncio.timeout(timeout):
            await connection.connect()
            await connection.ready()
        return connection


class _Wire(aiormq.Connection):
    _end: "asyncio.Future[Any] | None" = None
    _last_number = 0

    @property
    def closing(self) -> "asyncio.Future[Any]":
        if self._end is None:
            self._end = super().closing
        return self._end

    async def channel(self, channel_number: int | None = None, *args: Any, **kwargs: Any) -> aiormq.abc.AbstractChannel:
        """Open a channel, with the number that has been free for longest.

        aiormq frees a number as the broker closes the channel, before it has told the broker that it knows. One opened
        with that number in between is a fault to the broker, which then closes the connection.
        """
        return await super().channel(channel_number or self._next_number(), *args, **kwargs)

    def _next_number(self) -> int:
        highest = self.connection_tune.channel_max or HIGHEST_NUMBER
        round_about = chain(range(self._last_number + 1, highest + 1), range(1, self._last_number + 1))
        free = (number for number in round_about if number not in self.channels)
        self._last_number = next(free, highest + 1)  # one too many, which the broker refuses
        return self._last_number


class TidyConnection(aio_pika.Connection):
    """A connection that forgets its channels as they close, on whichever side."""

    CHANNEL_CLASS = _Channel

    async def connect(self, timeout: TimeoutType = None) -> None:
        """Do what aio-pika does, with one observer of the connection's end for all channels."""
        self.transport = await _Underlay.connect(self.url, self._on_connection_close, timeout=timeout, **self.kwargs)
        await self._on_connected()
