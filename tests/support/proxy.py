"""A TCP proxy between a client and the broker, to break the network on purpose."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from bus.node_layout import HOST, free_ports

_CHUNK = 65_536


class TcpProxy:
    """Forwards a loopback port to a target, until told otherwise.

    `drop` cuts what is connected, `blackhole` takes bytes and forwards none until `heal`, `mute` forwards no answers
    until `heal`, `refuse` also stops accepting until `heal`. Faults outlive reconnects: a client that comes back into a
    black hole hangs there.
    """

    def __init__(self, target_host: str, target_port: int, *, port: int | None = None) -> None:
        """`port` is a free one where None."""
        self._target = (target_host, target_port)
        # Below the ephemeral ports, where a refused client may connect to itself.
        self._port = port or free_ports(1)[0]
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._answers = asyncio.Event()
        self._answers.set()

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    @property
    def port(self) -> int:
        """The loopback port that leads to the target."""
        return self._port

    @property
    def is_blackhole(self) -> bool:
        """Whether it forwards nothing."""
        return not self._passes.is_set()

    def url_for(self, amqp_url: str) -> str:
        """Return `amqp_url` with this proxy in place of its host and port."""
        parts = urlsplit(amqp_url)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{HOST}:{self._port}"))

    async def drop(self) -> None:
        """Cut all connections now; new ones are accepted as before."""
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def blackhole(self) -> None:
        """Stay connected and accept, but forward nothing in either direction."""
        self._passes.clear()

    def mute(self) -> None:
        """Forward what the client says, but no answer."""
        self._answers.clear()

    async def refuse(self) -> None:
        """Cut all connections and let the port refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.drop()

    async def heal(self) -> None:
        """Accept and forward again; what a black hole held back goes out now."""
        self._passes.set()
        self._answers.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def __aenter__(self) -> Self:
        await self.heal()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._forward(reader, writer), name="proxy.link")
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: writer.close())  # also of a link that was cut before it began

    async def _forward(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        with suppress(OSError), _ending(to_near):
            far, to_far = await asyncio.open_connection(*self._target)
            with _ending(to_far):
                await _until_one_ends(
                    self._pump(near, to_far, self._passes), self._pump(far, to_near, self._passes, self._answers)
                )

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *open_gates: asyncio.Event) -> None:
        while chunk := await source.read(_CHUNK):
            for gate in open_gates:
                await gate.wait()
            sink.write(chunk)
            await sink.drain()


@contextmanager
def _ending(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Close a connection with its block: what is still to be sent goes out, unless the link was cut."""
    try:
        yield
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()


async def _until_one_ends(*pumps: Coroutine[None, None, None]) -> None:
    running = [asyncio.create_task(pump, name="proxy.pump") for pump in pumps]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in running:
            pump.cancel()
        await asyncio.gather(*running, return_exceptions=True)
