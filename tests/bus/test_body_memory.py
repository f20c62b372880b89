"""A body costs no more than itself while it is held, however large it is once it is read, and nothing afterwards."""

import tracemalloc

import pytest

from bus.codec import receive_task
from bus.inflight import InFlight
from bus.message import Message
from schemas import now

ENTRIES = 100_000


class Delivered:
    """A delivery of a message without an id."""

    routing_key, redelivered, alive = "worker", False, True

    def __init__(self, message: Message) -> None:
        self.message = message

    async def ack(self) -> None:
        """Accept anything."""

    requeue = ack


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * ENTRIES + b"{}]",
        b'{"prompt": 7, "data": [' + b"{}," * ENTRIES + b"{}]}",
        b"[" + b"{}," * ENTRIES,
    ],
    ids=["no object", "no task", "cut off"],
)
def test_what_was_read_of_an_unreadable_body_is_not_kept(body: bytes) -> None:
    message = Message(body)
    tracemalloc.start()
    try:
        incoming = receive_task(message, "worker", now())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert incoming.fault is not None
    assert incoming.fault.raw is message.body
    assert held < len(body)


@pytest.mark.parametrize("body", [b'{"prompt": "%b"}', b"no task: %b"], ids=["a task", "no task"])
def test_a_task_without_an_id_is_recognised_later_without_its_body_being_kept(body: bytes) -> None:
    inflight = InFlight()
    tracemalloc.start()
    try:
        for number in range(10):
            delivery = Delivered(Message(body % (b"%d" % number * 1_000_000)))
            incoming = receive_task(delivery.message, "worker", now())
            inflight.give_back(inflight.begin(incoming, delivery, 0.0, 0.0))
        del delivery, incoming
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
