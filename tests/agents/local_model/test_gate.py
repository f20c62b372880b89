"""Which hosts may ask, and what happens to a request whose client leaves."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from agents.local_model.gate import Gate, host_allowed

SCOPE = {"type": "http", "headers": []}


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST:11434", True),
        ("127.0.0.1:11434", True),
        ("[::1]:11434", True),
        ("[::1]", True),
        ("192.168.1.5", True),
        ("0.0.0.0:80", True),
        ("model.localhost:1", True),
        ("box.local", True),
        ("svc.internal:8080", True),
        ("8.8.8.8", False),
        ("example.org", False),
        ("localhost.example.org:11434", False),
    ],
)
def test_only_names_of_this_network_are_allowed(header: str, allowed: bool) -> None:
    assert host_allowed(header) is allowed


class Wire:
    """A client: what it sends, when it leaves, and what it has been sent."""

    def __init__(self, *messages: Message) -> None:
        self.left = asyncio.Event()
        self.sent: list[Message] = []
        self._messages = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def test_the_body_reaches_the_application_whole() -> None:
    seen: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.append(await receive())

    first: Message = {"type": "http.request", "body": b"a", "more_body": True}
    wire = Wire(first, {"type": "http.request", "body": b"b"})
    await Gate(app, checks_host=False)(SCOPE, wire.receive, wire.send)
    assert seen[0]["body"] == b"ab"


async def test_a_client_who_leaves_cancels_the_application() -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        running.set()
        try:
            await receive()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    wire = Wire()
    gate = asyncio.create_task(Gate(app, checks_host=False)(SCOPE, wire.receive, wire.send), name="test-gate")
    await asyncio.wait_for(running.wait(), 2)
    wire.left.set()
    await asyncio.wait_for(gate, 2)
    assert cancelled.is_set()


async def test_a_fault_of_the_application_is_not_hidden() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    wire = Wire()
    with pytest.raises(ZeroDivisionError):
        await Gate(app, checks_host=False)(SCOPE, wire.receive, wire.send)


async def test_a_foreign_host_never_reaches_the_application() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    wire = Wire()
    scope = {"type": "http", "headers": [(b"host", b"example.org")]}
    await Gate(app, checks_host=True)(scope, wire.receive, wire.send)
    assert wire.sent[0]["status"] == 403
