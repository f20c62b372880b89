"""TinyHttp: a real TCP server that speaks just enough HTTP to show what a client does with its connections."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self


def chunked(*objects: dict[str, Any], end: bool = True) -> bytes:
    """A streamed 200 with one line for each object, with or without its end."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = [json.dumps(item).encode() + b"\n" for item in objects]
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in data]
    return head + b"".join(parts) + (b"0\r\n\r\n" if end else b"")


class TinyHttp:
    """Answers every request with `reply`; counts connections, keeps requests, tells when a client closed a connection.

    An empty `reply` is none at all. `reply` may be changed between requests; while `cuts` is set, the connection is
    closed after it.
    """

    def __init__(self, reply: bytes) -> None:
        self.reply = reply
        self.cuts = False
        self.connections = 0
        self.request_lines: list[str] = []
        self.bodies: list[bytes] = []
        self.left = asyncio.Event()
        """Set when a client has closed a connection."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                self.request_lines.append(line.decode().strip())
                await self._read_request(reader)
                writer.write(self.reply)
                await writer.drain()
                if self.cuts:
                    break
        except ConnectionError:
            pass
        finally:
            self.left.set()
            writer.close()

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        length = 0
        while (line := (await reader.readline()).strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.bodies.append(await reader.readexactly(length))
