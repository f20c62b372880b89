"""The exporter's HTTP side: prometheus-client's threading server, whose requests are answered in the event loop."""

import asyncio
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.exposition import ThreadingWSGIServer

from agents.core.settings import SettingsError
from agents.exporter.exporter import Exporter

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ANSWER_SECONDS: Final = 9.0
"""Prometheus gives a scrape up after ten by default."""
POLL_SECONDS: Final = 0.1
"""How soon the server notes that it is to end."""

TEXT: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """A reply: status line, content type, body."""

    status: str
    content_type: str
    body: bytes


class MetricsServer:
    """Serves /metrics and /healthz within `async with`."""

    def __init__(self, exporter: Exporter, host: str, port: int) -> None:
        """`port` 0 takes a free one."""
        self._exporter = exporter
        self._address = host, port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            SettingsError: the address is not this machine's, or the port is taken.
        """
        self._loop = asyncio.get_running_loop()
        self._server = _listening(*self._address, self._app)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="exporter:http", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        await asyncio.to_thread(self._thread.join)

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}/metrics"

    def _app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # In a thread of its own, while all that it reads changes in the event loop.
        asked = asyncio.run_coroutine_threadsafe(self._answer(environ["PATH_INFO"]), self._loop)
        try:
            answer = asked.result(ANSWER_SECONDS)
        except TimeoutError:
            asked.cancel()
            answer = Answer("503 Service Unavailable", TEXT, b"the exporter is busy; ask again\n")
        start_response(answer.status, [("Content-Type", answer.content_type)])
        return [answer.body]

    async def _answer(self, path: str) -> Answer:
        match path:
            case "/metrics":
                return Answer("200 OK", CONTENT_TYPE_PLAIN_0_0_4, await self._exporter.page())
            case "/healthz" if self._exporter.connected:
                return Answer("200 OK", TEXT, b"ok\n")
            case "/healthz":
                return Answer("503 Service Unavailable", TEXT, b"the connection to RabbitMQ is lost; it comes back\n")
            case _:
                return Answer("404 Not Found", TEXT, b"there are /metrics and /healthz\n")


def _listening(host: str, port: int, app: Any) -> WSGIServer:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server = type("_Server", (ThreadingWSGIServer,), {"address_family": family})
        return make_server(host, port, app, server, _Handler)
    except OSError as error:
        raise SettingsError(
            f"nothing can listen on {host}:{port}: {error.strerror}; choose others with --host and --port"
        ) from error


class _Handler(WSGIRequestHandler):
    """Logs no requests, and waits for no client for ever."""

    timeout = 30

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape every few seconds is no news."""
