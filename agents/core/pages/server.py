"""PageServer: a few pages over HTTP, each request in a thread, each reply made in the event loop.

The threads answer also while the loop is blocked, and then say so: that is what a probe asks.
"""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final, Self
from urllib.parse import urlsplit

import structlog

from agents.core.pages.answer import Answer, Page, sentence
from agents.core.settings import SettingsError

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.1
"""How soon the server notes that it is to end."""


class PageServer:
    """Serves `pages`, by path, within `async with`."""

    def __init__(self, pages: Mapping[str, Page], address: str, port: int, *, patience: float, options: str) -> None:
        """`port` 0 takes a free one. A page that takes longer than `patience` seconds is answered with 503.

        `options` are those that choose address and port, for the error's sentence.
        """
        self._pages = pages
        self._address = address, port
        self._patience = patience
        self._options = options

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            SettingsError: the address is not this machine's, or the port is taken.
        """
        self._loop = asyncio.get_running_loop()
        self._server = self._listening()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="pages", daemon=True
        )
        self._thread.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        await asyncio.to_thread(self._thread.join)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"

    def _listening(self) -> "_Server":
        host, port = self._address
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            return _Server(found[0][0], self._address, self._answer)
        except OSError as error:
            raise SettingsError(
                f"nothing can listen on {host}:{port}: {error.strerror}; choose others with {self._options}"
            ) from error

    def _answer(self, path: str) -> Answer:
        """Return the reply; called in a thread, while all that pages read changes in the event loop."""
        page = self._pages.get(path)
        if page is None:
            return sentence(f"there are {' and '.join(self._pages)}", HTTPStatus.NOT_FOUND)
        asked = asyncio.run_coroutine_threadsafe(page(), self._loop)
        try:
            return asked.result(self._patience)
        except (TimeoutError, CancelledError):
            asked.cancel()
            told = f"the process is busy: no answer within {self._patience:g} s; ask again"
            return sentence(told, HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception:
            log.exception("page.failed", path=path)
            return sentence("a fault of the page; the log tells it", HTTPStatus.INTERNAL_SERVER_ERROR)


class _Handler(BaseHTTPRequestHandler):
    """Logs no requests, and waits for no client for ever."""

    timeout = 30
    server_version = "sutazai"
    sys_version = ""
    server: "_Server"

    def do_GET(self) -> None:
        """Reply."""
        self.wfile.write(self._begin().body)

    def do_HEAD(self) -> None:
        """Reply without the body, as some load balancers ask."""
        self._begin()

    def _begin(self) -> Answer:
        answer = self.server.answer(urlsplit(self.path).path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        return answer

    def log_message(self, *_: object) -> None:
        """Log nothing: a request every few seconds is no news."""


class _Server(ThreadingHTTPServer):
    """Its threads end with the process; none is waited for."""

    def __init__(self, family: int, address: tuple[str, int], answer: Callable[[str], Answer]) -> None:
        self.address_family = family
        self.answer = answer
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, and ask no name server for this machine's name as http.server does: that may take long."""
        TCPServer.server_bind(self)

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no news either."""
        log.debug("page.unsent", error=repr(sys.exc_info()[1]))
