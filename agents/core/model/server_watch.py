"""ServerWatch: notices at once that a model server has died, also while nobody asks it anything."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from typing import Final
from urllib.parse import urlsplit

import structlog

from agents.core.model.errors import ModelError, ModelUnavailable
from agents.core.model.idle_check import IdleCheck
from agents.core.model.server import ModelServer

log = structlog.get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
"""A connection that takes longer tells nothing; requests have a patience of their own."""

LASTING_SECONDS: Final = 5.0
"""A connection that ends sooner was closed because it asked nothing; a later end may be that of the server."""

SHORTEST_REST_SECONDS: Final = 0.05
LONGEST_REST_SECONDS: Final = 30.0
"""Between the end of one connection and the next. It doubles where a connection does not last."""

ABSENT_SECONDS: Final = 1.0
"""Between two tries to connect to a server that is not there."""

KEEPALIVE: Final = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, times: a peer without power, or a firewall that forgot us, ends the wait in half a minute."""


class ServerWatch:
    """Holds one connection to a server, on which nothing is ever sent.

    Where it ends and no other is accepted, the server is dead, and its circuit is opened before any task meets that.
    Where one is accepted after that, while the circuit is open, the server is a new one: it is probed at once. An end
    alone says nothing: proxies end what is idle, some each minute.
    A server that was never there is not judged, nor one behind TLS, which would wait for a handshake, nor one that an
    idle connection keeps from all others. `sleep` waits between two connections.
    """

    def __init__(
        self,
        server: ModelServer,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._sleep = sleep
        self._clock = clock
        self._check = IdleCheck(server)
        self._was_there = False
        self._was_missed = False
        self._has_lasted = False
        self._rest = SHORTEST_REST_SECONDS

    async def run(self) -> None:
        """Watch until cancelled, or until the server turns out to be one that must not be watched."""
        place = urlsplit(self._server.name)
        if place.scheme != "http" or place.hostname is None:
            return
        while not self._check.is_harmful:
            await self._sleep(await self._watch(place.hostname, place.port or 80))
        reason = "it answers nobody while it holds an idle connection; its death is seen by the next request"
        log.warning("model.unwatched", url=self._server.name, reason=reason)

    async def _watch(self, host: str, port: int) -> float:
        """Hold a connection to its end; return after how many seconds to try the next."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return ABSENT_SECONDS
        except (OSError, UnicodeError):  # UnicodeError: no name that could be looked up
            await self._miss()
            return ABSENT_SECONDS
        with closing(writer):
            if writer.get_extra_info("sockname") == writer.get_extra_info("peername"):
                # Nobody listens, and the port that the system lent us is the very one we asked for.
                return ABSENT_SECONDS
            self._server.vitals.accepts = True
            try:
                return await self._hold(reader, writer)
            finally:
                self._server.vitals.accepts = False

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
        began = self._clock()
        _keep_alive(writer.get_extra_info("socket"))
        await self._find()
        await self._check.look(writer.close)
        with suppress(OSError):
            await reader.read(1)  # nobody speaks who is not asked
        self._has_lasted = self._clock() - began > LASTING_SECONDS
        self._rest = SHORTEST_REST_SECONDS if self._has_lasted else min(2 * self._rest, LONGEST_REST_SECONDS)
        return self._rest

    async def _find(self) -> None:
        is_new = self._was_missed and self._has_lasted
        self._was_there, self._was_missed = True, False
        if is_new and not self._server.is_usable:
            self._has_lasted = False
            log.info("model.restarted", url=self._server.name)
            await self._server.breaker.allow_probe()

    async def _miss(self) -> None:
        self._was_missed = True
        if not self._was_there or not self._server.is_usable:
            return
        try:
            await self._server.control.version()  # in the words of every other fault, and by the way requests go
        except ModelUnavailable as error:
            log.warning("model.outage", url=self._server.name, code=error.code, error=str(error))
            self._server.vitals.note_error(error)
            self._server.vitals.failed_at = self._clock()
            await self._server.breaker.force_open()
        except ModelError as error:
            log.debug("pool.unhealthy", url=self._server.name, code=error.code, error=str(error))


def _keep_alive(link: socket.socket) -> None:
    """Have the system ask the peer, where it can: without that the watch is only slower."""
    with suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):  # not on every system
                link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
