"""HttpServer: one request a connection, each in a thread, and bounds on what strangers can make it hold."""

import contextlib
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet

import structlog

from agents.core.pages.answer import Answer

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.1
"""How soon the server notes that it is to end, or that a connection's time is over."""

CONNECTIONS_MOST: Final = 32
"""At once. A further one takes the place of the one that has been silent for longest, else it is closed. A probe and a
scrape are one each, so this is room enough."""

EXCHANGE_SECONDS: Final = 5.0
"""What a client gets to send its whole request in, and again to take the reply."""

_listening: WeakSet[socket.socket] = WeakSet()


def _close_in_child() -> None:
    # A forked child has no thread that would answer, and would keep the port from whoever takes the parent's place.
    for each in tuple(_listening):
        each.close()


os.register_at_fork(after_in_child=_close_in_child)


class HttpServer(ThreadingHTTPServer):
    """Its threads end with the process; none is waited for. `patience`: seconds that `answer` takes at most."""

    request_queue_size = 2 * CONNECTIONS_MOST

    def __init__(self, family: int, address: tuple[str, int], answer: Callable[[str], Answer], patience: float) -> None:
        self.address_family = family
        self.answer = answer
        self._patience = patience
        self._asking: dict[socket.socket, float] = {}  # who may send a request until when, the oldest first
        self._asked: dict[socket.socket, float] = {}  # who may take the reply until when
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def run(self) -> None:
        """Serve until `shutdown`, then close."""
        with self:
            self.serve_forever(POLL_SECONDS)

    def server_bind(self) -> None:
        """Bind, and ask no name server for this machine's name as http.server does: that may take long."""
        # A client that goes before it is accepted must not hold up the thread that accepts, which `shutdown` waits for.
        self.socket.settimeout(0)
        TCPServer.server_bind(self)
        _listening.add(self.socket)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; without a free descriptor, try no more often than the server looks round."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(POLL_SECONDS)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's
        """Take a connection, if there is room; it then has its time to ask."""
        with self._lock:
            has_room = len(self._asking) + len(self._asked) < CONNECTIONS_MOST or self._make_room()
            if has_room:
                self._asking[request] = time.monotonic() + EXCHANGE_SECONDS
        return has_room

    def note_asked(self, request: socket.socket) -> None:
        """Give a client that has sent its request the time to take the reply, once there is one."""
        with self._lock:
            if self._asking.pop(request, None) is not None:
                self._asked[request] = time.monotonic() + self._patience + EXCHANGE_SECONDS

    def service_actions(self) -> None:
        """Cut off those whose time is over: what their threads wait for then ends."""
        now = time.monotonic()
        with self._lock:
            for request, deadline in (self._asking | self._asked).items():
                if deadline < now:
                    _cut(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and leave its place to another."""
        with self._lock:
            self._asking.pop(request, None)
            self._asked.pop(request, None)
        super().shutdown_request(request)

    def _make_room(self) -> bool:
        """Cut off who has been silent for longest: idle strangers must not keep out a probe. Say whether one was."""
        silent = next((each for each in self._asking if not _has_sent(each)), None)
        if silent is None:
            return False
        del self._asking[silent]
        _cut(silent)
        return True

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no news."""
        log.debug("page.unsent", error=repr(sys.exc_info()[1]))


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _has_sent(request: socket.socket) -> bool:
    """Say whether something waits to be read: a crowd may come faster than its threads get to read."""
    look = select.poll()
    look.register(request, select.POLLIN)
    return bool(look.poll(0))


class _Handler(BaseHTTPRequestHandler):
    """Logs no requests."""

    timeout = EXCHANGE_SECONDS
    server_version = "sutazai"
    sys_version = ""
    server: HttpServer

    def do_GET(self) -> None:
        """Reply."""
        self.wfile.write(self._begin().body)

    def do_HEAD(self) -> None:
        """Reply without the body, as some load balancers ask."""
        self._begin()

    def _begin(self) -> Answer:
        self.server.note_asked(self.connection)
        answer = self.server.answer(urlsplit(self.path).path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        return answer

    def log_message(self, *_: object) -> None:
        """Log nothing: a request every few seconds is no news."""
