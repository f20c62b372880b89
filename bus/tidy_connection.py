"""aio-pika's connection, on which a closed channel leaves nothing behind.

aiormq 7.2 makes a new observer of a connection's end each time it is asked for `closing`. So aio-pika 10.2, which
has each channel told of that end, removes its callback from another observer than the one it gave it to, and the
connection keeps both for its lifetime: 18 MB for a thousand questions of `Client.ask`.
"""

import asyncio
from typing import Any

import aio_pika
import aiormq
from aio_pika.abc import TimeoutType, UnderlayConnection
from yarl import URL


class _Channel(aio_pika.Channel):
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

    @property
    def closing(self) -> "asyncio.Future[Any]":
        if self._end is None:
            self._end = super().closing
        return self._end


class TidyConnection(aio_pika.Connection):
    """A connection that forgets its channels as they close, on whichever side."""

    CHANNEL_CLASS = _Channel

    async def connect(self, timeout: TimeoutType = None) -> None:
        """Do what aio-pika does, with one observer of the connection's end for all channels."""
        self.transport = await _Underlay.connect(self.url, self._on_connection_close, timeout=timeout, **self.kwargs)
        await self._on_connected()
