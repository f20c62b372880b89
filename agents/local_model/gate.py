"""What stands before the routes: which hosts may ask, and that a client who leaves cancels its request."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal")


class Gate:
    """An ASGI application around another one.

    A request is cancelled within a moment of its client leaving, wherever it is: queued, loading or generating.

    Args:
        app: The application.
        checks_host: Refuse (403) requests whose Host header names no machine of this network. A web page can
            point a name of its own at 127.0.0.1; this is how the real server keeps such pages out.
    """

    def __init__(self, app: ASGIApp, *, checks_host: bool) -> None:
        self._app = app
        self._checks_host = checks_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._checks_host and not host_allowed(Headers(scope=scope).get("host", "")):
            await Response(status_code=403)(scope, receive, send)
            return
        asked = _replay(await _read(receive))
        work = asyncio.create_task(self._serve(scope, asked, send), name="local-model-request")
        watch = asyncio.create_task(_disconnected(receive), name="local-model-disconnect")
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.wait({work, watch})
        if not work.cancelled():
            work.result()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def host_allowed(header: str) -> bool:
    """Return whether a Host header names this machine or its network, by the rule of Ollama's server/routes.go."""
    name = header.removesuffix(f":{header.rpartition(':')[2]}") if not header.endswith("]") else header
    name = name.strip("[]").lower()
    if name in ("", "localhost", socket.gethostname().lower()) or name.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_unspecified


async def _read(receive: Receive) -> Message:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return {**message, "body": body}


def _replay(message: Message) -> Callable[[], Awaitable[Message]]:
    left = [message]

    async def receive() -> Message:
        if left:
            return left.pop()
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never  # the gate itself sees a client that leaves

    return receive


async def _disconnected(receive: Receive) -> None:
    await receive()  # nothing else can come after the body
