"""OllamaPort: a ScriptedOllama behind a real TCP port, for programs of their own. It can die and come back."""

import asyncio
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import httpx

from bus.node_layout import HOST, free_ports, held_ports
from tests.support.scripted_ollama import ScriptedOllama

_PASSES_TO_A_LINK: Final = 3
"""Passes of the event loop from accepting a connection to `_accept`: its transport, the protocol's start, and one for
whichever of the two was due before us. What comes later than `die` would be answered by a dead server."""


class OllamaPort:
    """Serves `ollama` on one port while the block runs."""

    def __init__(self, ollama: ScriptedOllama) -> None:
        self.ollama = ollama
        (self.number,) = free_ports(1)
        self._held = ExitStack()
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self.hangs_up = False
        """Whether it closes each connection at once, as a proxy in a hurry."""

    @property
    def links(self) -> int:
        """How many connections are open."""
        return len(self._links)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.number}"

    async def __aenter__(self) -> Self:
        self._held.enter_context(held_ports(self.number))  # also while it is dead
        await self.come_back()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.die()
        self._held.close()

    async def come_back(self) -> None:
        """Listen, again."""
        self._server = await asyncio.start_server(self._accept, HOST, self.number)

    async def die(self) -> None:
        """Cut all connections and refuse new ones, as after a crash."""
        if self._server is not None:
            # asyncio leaks a connection that it has accepted but not yet given a transport when its server closes.
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(_PASSES_TO_A_LINK):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._serve(reader, writer), name="ollama-port.link")
        self._links.add(link)
        link.add_done_callback(self._links.discard)
        link.add_done_callback(lambda _: writer.transport.abort())  # also where it was cancelled before its first step

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.hangs_up and (line := await reader.readline()):
                method, path, _ = line.decode().split()
                response = await self._asked(method, path, await _body(reader), reader)
                await _send(writer, response)
        except* (OSError, EOFError, httpx.HTTPError):
            pass  # a client that left, or a script that says so

    async def _asked(self, method: str, path: str, body: bytes, reader: asyncio.StreamReader) -> httpx.Response:
        """Return the answer. A client that leaves meanwhile ends the work on it, as at Ollama."""
        request = httpx.Request(method, self.url + path, content=body)
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(_until_left(reader), name="ollama-port.leaving")
            response = await self.ollama.transport.handle_async_request(request)
            leaving.cancel()
        return response


async def _until_left(reader: asyncio.StreamReader) -> None:
    await reader.read(1)  # nobody sends more before the answer is whole
    raise ConnectionResetError("the client left")


async def _body(reader: asyncio.StreamReader) -> bytes:
    length = 0
    while (line := (await reader.readline()).strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return await reader.readexactly(length)


async def _send(writer: asyncio.StreamWriter, response: httpx.Response) -> None:
    writer.write(b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n" % response.status_code)
    async for part in response.aiter_bytes():
        writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
