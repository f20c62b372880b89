"""A server of a few lines for one test, which leaves no connection open behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bus.ending import end_tasks
from bus.node_layout import HOST

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Has one connection, which is closed once it returns."""


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Have `serve` answer each connection; gives the port. All are closed at the end, also what had yet to begin."""
    links: set[asyncio.Task[None]] = set()

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(link(reader, writer), name="serving.link")
        links.add(task)
        task.add_done_callback(lambda _: writer.close())

    async with await asyncio.start_server(accept, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]
    await end_tasks(list(links))
