"""PageServer: a few pages over HTTP, each request in a thread, each reply made in the event loop.

The threads answer also while the loop is blocked, and then say so: that is what a probe asks.
"""

import asyncio
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from http import HTTPStatus
from typing import Self

import structlog

from agents.core.pages.answer import Answer, Page, sentence
from agents.core.pages.http_server import HttpServer
from agents.core.settings import SettingsError

log = structlog.get_logger(__name__)


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
        self._thread = threading.Thread(target=self._server.run, name="pages", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        # Not in the loop's own threads: handlers that hang there would hold up the end of the process.
        with ThreadPoolExecutor(1, "pages-end") as own:
            await self._loop.run_in_executor(own, self._end)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"

    def _end(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _listening(self) -> HttpServer:
        host, port = self._address
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            return HttpServer(found[0][0], self._address, self._answer, self._patience)
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "no host can have such a name"
            raise SettingsError(
                f"nothing can listen on {host}:{port}: {why}; choose others with {self._options}"
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
