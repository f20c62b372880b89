import pytest

from bus.codec import IncomingTask, decode_task
from bus.errors import ConnectionLost
from bus.inflight import REMEMBERED, InFlight
from bus.message import Message
from schemas import now

BODY = b'{"prompt": "x"}'


class Held:
    """A delivery in hand, until its channel dies."""

    routing_key = "worker"

    def __init__(self, message: Message, *, redelivered: bool = False) -> None:
        self.message = message
        self.redelivered = redelivered
        self.alive = True

    async def ack(self) -> None:
        if not self.alive:
            raise ConnectionLost("gone")

    requeue = ack


@pytest.fixture
def inflight() -> InFlight:
    return InFlight()


def incoming_of(held: Held) -> IncomingTask:
    return decode_task(held.message, "worker", now())


def known(task_id: str, attempt: int = 1) -> Held:
    return Held(Message(BODY, message_id=task_id, headers={"x-attempt": attempt}))


def test_a_duplicate_joins_the_task_that_is_held(inflight: InFlight) -> None:
    first, again = known("t"), known("t")
    assert not inflight.join(incoming_of(first), first)
    entry = inflight.begin(incoming_of(first), first, 0.0)
    assert inflight.join(incoming_of(again), again)
    assert (entry.deliveries, inflight.held) == ([first, again], 1)


def test_a_later_attempt_is_no_duplicate_and_an_earlier_one_is(inflight: InFlight) -> None:
    first, second = known("t"), known("t", attempt=2)
    one = inflight.begin(incoming_of(first), first, 0.0)
    assert not inflight.join(incoming_of(second), second)
    two = inflight.begin(incoming_of(second), second, 0.0)
    assert inflight.join(incoming_of(first), first)
    inflight.end(one, acknowledged=True)
    assert inflight.held == 1
    inflight.end(two, acknowledged=True)
    inflight.end(one, acknowledged=True)
    assert inflight.has_ended(incoming_of(second))
    assert inflight.held == 0


def test_an_ended_attempt_is_remembered_and_the_next_is_new(inflight: InFlight) -> None:
    held = known("t")
    inflight.end(inflight.begin(incoming_of(held), held, 0.0), acknowledged=True)
    assert inflight.has_ended(incoming_of(held))
    assert not inflight.has_ended(incoming_of(known("t", attempt=2)))


def test_a_forgotten_task_may_come_again(inflight: InFlight) -> None:
    held = known("t")
    inflight.forget(inflight.begin(incoming_of(held), held, 0.0))
    assert not inflight.has_ended(incoming_of(held))
    assert not inflight.join(incoming_of(held), held)


def test_only_so_many_ends_are_remembered(inflight: InFlight) -> None:
    for number in range(REMEMBERED + 1):
        held = known(str(number))
        inflight.end(inflight.begin(incoming_of(held), held, 0.0), acknowledged=True)
    assert not inflight.has_ended(incoming_of(known("0")))
    assert inflight.has_ended(incoming_of(known("1")))


def test_an_anonymous_redelivery_is_the_orphan_with_its_bytes(inflight: InFlight) -> None:
    first = Held(Message(BODY))
    entry = inflight.begin(incoming_of(first), first, 0.0)
    again = Held(Message(BODY, headers={"x-delivery-count": 1}), redelivered=True)
    assert inflight.recognise(incoming_of(again), again).task.id != entry.task.id  # it still has its own delivery
    first.alive = False
    assert entry.is_orphan
    assert inflight.recognise(incoming_of(again), again).task.id == entry.task.id
    other = Held(Message(b'{"prompt": "y"}'), redelivered=True)
    assert inflight.recognise(incoming_of(other), other).task.id != entry.task.id
    fresh = Held(Message(BODY))
    assert inflight.recognise(incoming_of(fresh), fresh).task.id != entry.task.id


def test_two_equal_orphans_are_recognised_one_after_the_other(inflight: InFlight) -> None:
    held = [Held(Message(BODY)), Held(Message(BODY))]
    entries = [inflight.begin(incoming_of(one), one, 0.0) for one in held]
    for one in held:
        one.alive = False
    found = []
    for _ in entries:
        again = Held(Message(BODY), redelivered=True)
        incoming = inflight.recognise(incoming_of(again), again)
        assert inflight.join(incoming, again)
        found.append(incoming.task.id)
    assert sorted(found) == sorted(entry.task.id for entry in entries)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_anonymous_end_is_recognised_once_if_its_ack_was_lost(inflight: InFlight, acknowledged: bool) -> None:
    first = Held(Message(BODY))
    entry = inflight.begin(incoming_of(first), first, 0.0)
    inflight.end(entry, acknowledged=acknowledged)
    again = Held(Message(BODY), redelivered=True)
    ids = [inflight.recognise(incoming_of(again), again).task.id for _ in range(2)]
    assert [found == entry.task.id for found in ids] == [not acknowledged, False]
