"""Erlang's port mapper (epmd) for one node, with answers of our choice: they lead it to its peers over proxies.

The protocol is that of Erlang's documentation: erts, "Distribution Protocol", "EPMD Protocol". A node that starts here
finds the port taken, and takes this for the epmd of the machine.
"""

import asyncio
import secrets
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from bus.node_layout import HOST

_ALIVE2: Final = 120
_PORT_PLEASE2: Final = 122
_NAMES: Final = 110
_ALIVE2_ANSWER: Final = 118
_PORT_ANSWER: Final = 119
_NORMAL_NODE: Final = 77
_TCP_IPV4: Final = 0
_OTP_VERSION: Final = 6
"""The highest and lowest version of the distribution protocol that OTP 25 and 27 both speak."""


class PortMapper:
    """Answers at `port` where each node of `ports`, by the part of its name before the @, can be reached."""

    def __init__(self, port: int, ports: Mapping[str, int]) -> None:
        self._port = port
        self._ports = ports
        self._server: asyncio.Server | None = None
        self._asked: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="port-mapper.request")
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (size,) = struct.unpack(">H", await reader.readexactly(2))
            request = await reader.readexactly(size)
            writer.write(self.answer(request))
            await writer.drain()
            if request[0] == _ALIVE2:
                await reader.read()  # a node is registered for as long as it stays connected
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def answer(self, request: bytes) -> bytes:
        """Return the answer to one request, which comes without its length."""
        if request[0] == _ALIVE2:
            # Never the same twice: process ids of a node's earlier life must not be taken for those of its next.
            return struct.pack(">BBI", _ALIVE2_ANSWER, 0, secrets.randbits(31) | 4)
        if request[0] == _PORT_PLEASE2:
            return self._port_of(request[1:])
        if request[0] == _NAMES:
            # No names: a node that starts again must not find itself here.
            return struct.pack(">I", self._port)
        return b""

    def _port_of(self, name: bytes) -> bytes:
        port = self._ports.get(name.decode())
        if port is None:
            return struct.pack(">BB", _PORT_ANSWER, 1)
        found = (port, _NORMAL_NODE, _TCP_IPV4, _OTP_VERSION, _OTP_VERSION, len(name), name, 0)
        return struct.pack(f">BBHBBHHH{len(name)}sH", _PORT_ANSWER, 0, *found)
