"""One AMQP connection that comes back: plain `aio_pika.connect` under our own supervisor.

Not `connect_robust`: we need several hosts, back-off with jitter, a state that can be seen, no hanging calls, and
handlers that outlive a channel.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from typing import Final, Self

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, UnderlayConnection
from yarl import URL

from bus.amqp_errors import LOST, connect_error, mapped_errors
from bus.broker import LinkState
from bus.ending import end_tasks
from bus.errors import BrokerUnreachable, ConnectError, ConnectionLost
from bus.reminders import Reminders
from bus.tidy_connection import TidyConnection

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 10
"""aiormq notices a stuck peer after (heartbeat + 1) * 3 s: 33 s here, 183 s with the broker's default of 60."""

CONNECT_TIMEOUT_SECONDS: Final = 10.0
"""One attempt at one host: TCP, TLS and the AMQP handshake."""

RPC_TIMEOUT_SECONDS: Final = 30.0
"""Opening channels and declaring. RabbitMQ 4.0 answers nothing while the home node of a queue is down."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0

BLOCK_CHECK_SECONDS: Final = 0.5
"""How often a connection looks whether to log that the broker has blocked it: aio-pika has no callback for that."""


def back_off(
    attempt: int,
    draw: Callable[[], float] = random.random,
    *,
    first: float = FIRST_PAUSE_SECONDS,
    longest: float = LONGEST_PAUSE_SECONDS,
) -> float:
    """Return the seconds before attempt number `attempt` to connect again: doubling, capped, with jitter."""
    pause: float = min(longest, first * 2 ** min(attempt, 16))
    return pause * (0.5 + draw() / 2)


class Connection:
    """A named connection. Inside `async with` it is up, or being brought up again for as long as that takes."""

    def __init__(self, urls: Sequence[str], name: str, properties: Mapping[str, str], *, patience: float) -> None:
        """`patience`: seconds that the first connect may take over all hosts before BrokerUnreachable is raised.

        Each host is tried at least once, for its share of that time and at least a second.
        """
        self.name = name
        self._urls = urls
        self._properties = {**properties, "connection_name": name}
        self._patience = patience
        self._current: AbstractConnection | None = None
        self._server: Mapping[str, object] = {}
        self._changed = asyncio.Event()
        self._state = LinkState.CONNECTING
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def state(self) -> LinkState:
        """What it does at the moment."""
        return LinkState.BLOCKED if self._current is not None and _is_blocked(self._current) else self._state

    @property
    def server_version(self) -> str:
        """The version that the broker told when the connection was opened."""
        version = self._server.get("version", "unknown")
        return version.decode() if isinstance(version, bytes) else str(version)

    async def __aenter__(self) -> Self:
        first = await self._first_connection()
        self._supervisor = asyncio.create_task(self._supervise(first), name=f"amqp:{self.name}")
        await self._until_connected()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._supervisor is not None:
            await end_tasks([self._supervisor])

    @contextlib.asynccontextmanager
    async def channel(self, *, confirms: bool = False) -> AsyncIterator[AbstractChannel]:
        """Open a channel for the length of a block, waiting for the connection if it is being re-established."""
        channel = await self.open_channel(confirms=confirms)
        try:
            yield channel
        finally:
            await close_quietly(channel)

    async def open_channel(self, *, confirms: bool = False) -> AbstractChannel:
        """Open a channel; the caller closes it.

        Raises:
            ConnectionLost: it could not be opened; try again.
        """
        connection = await self._until_connected()
        async with _bounded(connection, "opening a channel", RPC_TIMEOUT_SECONDS):
            channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
            await channel.initialize()
        return channel

    async def until_writable(self) -> None:
        """Return once the broker takes publishes: connected, and not blocked by an alarm.

        Raises:
            ConnectionLost: it went away meanwhile; try again.
        """
        connection = await self._until_connected()
        if _is_blocked(connection):
            async with _bounded(connection, "waiting for the end of an alarm"):
                await _transport_of(connection).ready()

    async def _until_connected(self) -> AbstractConnection:
        while self._current is None:
            if self._state is LinkState.CLOSED:
                raise ConnectionLost(f"the connection {self.name!r} is closed")
            self._changed.clear()
            await self._changed.wait()
        return self._current

    async def _first_connection(self) -> AbstractConnection:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        share = min(CONNECT_TIMEOUT_SECONDS, max(1.0, self._patience / len(self._urls)))
        for attempt in count():
            try:
                return await self._connect_to(self._urls[attempt % len(self._urls)], share)
            except BrokerUnreachable as error:
                pause = back_off(attempt)
                if attempt + 1 >= len(self._urls) and loop.time() + pause > until:
                    raise
                log.warning("connection.waiting", connection=self.name, reason=str(error))
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: count() never ends")

    async def _connect_to(self, url: str, timeout: float = CONNECT_TIMEOUT_SECONDS) -> AbstractConnection:
        heartbeat = {} if "heartbeat" in URL(url).query else {"heartbeat": HEARTBEAT_SECONDS}
        try:
            async with asyncio.timeout(timeout):
                return await _opened(URL(url).update_query(heartbeat), self._properties)
        except (*LOST, TimeoutError, ValueError) as error:
            raise connect_error(error, url) from error

    async def _supervise(self, connection: AbstractConnection) -> None:
        try:
            while True:
                await self._hold(connection)
                connection = await self._reconnect()
        finally:
            self._set(None, LinkState.CLOSED)

    async def _hold(self, connection: AbstractConnection) -> None:
        """Keep `connection` as the current one until it is gone."""
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        transport = connection.transport
        if transport is not None:
            self._server = transport.connection.server_properties
        self._set(connection, LinkState.CONNECTED)
        log.info("connection.up", connection=self.name, broker=self.server_version)
        try:
            # A connection that died before the callback was added says so here.
            if connection.connected.is_set():
                await self._follow(connection, lost)
            log.warning("connection.lost", connection=self.name)
        finally:
            self._set(None, LinkState.CONNECTING)
            with contextlib.suppress(ConnectionLost), mapped_errors("closing a connection"):
                async with asyncio.timeout(2):
                    await connection.close()

    async def _follow(self, connection: AbstractConnection, lost: asyncio.Event) -> None:
        """Tell when the broker blocks the connection, and when it goes on, until it is lost."""
        while not lost.is_set():
            if _is_blocked(connection):
                with contextlib.suppress(ConnectionLost):
                    await self._sit_out_alarm()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BLOCK_CHECK_SECONDS):
                    await lost.wait()

    async def _sit_out_alarm(self) -> None:
        started = asyncio.get_running_loop().time()
        log.warning(
            "connection.blocked", connection=self.name, reason="RabbitMQ takes no publishes: memory or disk alarm"
        )
        await self.until_writable()
        seconds = asyncio.get_running_loop().time() - started
        # A warning too: who heard of the block should hear of its end, wherever no more than warnings is shown.
        log.warning("connection.unblocked", connection=self.name, seconds=round(seconds, 1))

    async def _reconnect(self) -> AbstractConnection:
        clock = asyncio.get_running_loop().time
        reminders = Reminders(clock())
        for attempt in count():
            await asyncio.sleep(back_off(attempt))
            try:
                return await self._connect_to(self._urls[attempt % len(self._urls)])
            except ConnectError as error:
                # At run time a refused login may heal as well: the broker may still be loading its definitions.
                tell = log.warning if reminders.is_due(clock()) else log.debug
                tell("connection.retrying", connection=self.name, tries=attempt + 1, reason=str(error))
            except Exception:
                # Whatever it is, a connection that nobody brings up any more would silence the whole process.
                log.exception("connection.crashed", connection=self.name, tries=attempt + 1)
        raise AssertionError("unreachable: count() never ends")

    def _set(self, connection: AbstractConnection | None, state: LinkState) -> None:
        self._current, self._state = connection, state
        self._changed.set()


@contextlib.asynccontextmanager
async def _bounded(connection: AbstractConnection, doing: str, limit: float | None = None) -> AsyncIterator[None]:
    """End what is awaited in the block with ConnectionLost once `connection` dies, or after `limit` seconds.

    aiormq alone would let it wait for ever: a connection that dies while it is blocked is never unblocked.
    """
    loop = asyncio.get_running_loop()
    with mapped_errors(doing):
        async with asyncio.timeout(limit) as scope:

            def end(*_: object) -> None:
                if not scope.expired():
                    scope.reschedule(loop.time())

            connection.close_callbacks.add(end)
            try:
                _transport_of(connection)
                yield
            finally:
                connection.close_callbacks.discard(end)


def _transport_of(connection: AbstractConnection) -> UnderlayConnection:
    if connection.transport is None or not connection.connected.is_set():
        raise ConnectionLost("the connection has just been lost")
    return connection.transport


def _is_blocked(connection: AbstractConnection) -> bool:
    """Look whether there is anything to wait for before `ready`, without waiting: aio-pika has no other word for it."""
    transport = connection.transport
    if transport is None:
        return False
    with contextlib.closing(transport.ready().__await__()) as steps:
        return any(True for _ in steps)


async def close_quietly(channel: AbstractChannel) -> None:
    """Close a channel that may be gone already."""
    with contextlib.suppress(ConnectionLost), mapped_errors("closing a channel"):
        async with asyncio.timeout(2):
            await channel.close()


async def _opened(url: URL, properties: Mapping[str, str]) -> AbstractConnection:
    """Do what `aio_pika.connect` does, and close what could not be opened.

    Else the library does that when the object is freed, be it after the end of the loop, which is then complained of.
    """
    connection = TidyConnection(url, client_properties=dict(properties))
    try:
        await connection.connect()
    except BaseException:
        await connection.close()
        raise
    return connection
