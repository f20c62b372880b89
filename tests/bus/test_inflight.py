from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.asker import Asker
from bus.codec import IncomingTask, decode_task
from bus.errors import ConnectionLost
from bus.inflight import REMEMBERED, Entry, InFlight
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


def known(task_id: str, copies: int = 0, **headers: int) -> Held:
    return Held(Message(BODY, message_id=task_id, headers={"x-copies": copies, **headers}))


def begun(inflight: InFlight, held: Held) -> Entry:
    return inflight.begin(incoming_of(held), held, 0.0, 0.0)


def has_ended(inflight: InFlight, held: Held) -> bool:
    return inflight.has_ended(incoming_of(held))


def test_a_duplicate_joins_the_task_that_is_held(inflight: InFlight) -> None:
    first, again = known("t"), known("t")
    assert not inflight.join(incoming_of(first), first)
    entry = begun(inflight, first)
    assert inflight.join(incoming_of(again), again)
    assert (entry.deliveries, inflight.held) == ([first, again], 1)


def test_a_copy_that_somebody_else_made_joins_and_its_end_is_theirs_too(inflight: InFlight) -> None:
    first, copy = known("t"), known("t", copies=3)
    entry = begun(inflight, first)
    assert inflight.join(incoming_of(copy), copy)
    assert (entry.copies, entry.attempt) == (3, 1)
    inflight.replaced(entry, acknowledged=True)
    assert [has_ended(inflight, known("t", copies)) for copies in (0, 3, 4)] == [True, True, False]


def test_our_own_copy_that_overtakes_its_confirm_is_a_life_of_its_own(inflight: InFlight) -> None:
    first, copy = known("t"), known("t", copies=1)
    entry = begun(inflight, first)
    entry.is_copied = True
    assert inflight.join(incoming_of(known("t")), known("t"))  # the old one, delivered again
    assert not inflight.join(incoming_of(copy), copy)
    following = begun(inflight, copy)
    inflight.replaced(entry, acknowledged=True)
    assert inflight.held == 1
    inflight.end(following, acknowledged=True)
    assert inflight.held == 0


def test_what_was_replaced_is_remembered_and_its_copy_is_new(inflight: InFlight) -> None:
    held = known("t", copies=1)
    inflight.replaced(begun(inflight, held), acknowledged=True)
    assert [has_ended(inflight, known("t", copies)) for copies in (0, 1, 2)] == [True, True, False]


def test_what_has_its_result_has_ended_for_ever(inflight: InFlight) -> None:
    first, second = known("t"), known("t", copies=1)
    one, two = begun(inflight, first), begun(inflight, second)
    inflight.end(two, acknowledged=True)
    inflight.replaced(one, acknowledged=True)
    assert has_ended(inflight, known("t", copies=999))


@pytest.mark.parametrize("has_result", [True, False])
def test_a_task_that_a_copy_has_replaced_is_not_over(inflight: InFlight, has_result: bool) -> None:
    held = known("t")
    entry = begun(inflight, held)
    assert not inflight.is_over(incoming_of(held))
    (inflight.end if has_result else inflight.replaced)(entry, acknowledged=True)
    assert (has_ended(inflight, held), inflight.is_over(incoming_of(held))) == (True, has_result)


def test_a_forgotten_task_may_come_again(inflight: InFlight) -> None:
    held = known("t")
    inflight.forget(begun(inflight, held))
    assert not has_ended(inflight, held)
    assert not inflight.join(incoming_of(held), held)


def test_a_return_is_known_once(inflight: InFlight) -> None:
    held = known("t", copies=2)
    inflight.give_back(begun(inflight, held))
    assert inflight.held == 0
    assert not has_ended(inflight, held)
    assert [inflight.was_returned(incoming_of(held)) for _ in range(2)] == [True, False]


def test_another_copy_was_not_returned_here(inflight: InFlight) -> None:
    inflight.give_back(begun(inflight, known("t", copies=2)))
    assert not inflight.was_returned(incoming_of(known("t", copies=3)))
    assert not inflight.was_returned(incoming_of(known("other", copies=2)))


def test_a_returned_task_is_counted_again_once_it_comes_back_from_a_crash(inflight: InFlight) -> None:
    held = known("t")
    for _ in range(3):
        inflight.give_back(begun(inflight, held))
        assert inflight.was_returned(incoming_of(held))
    begun(inflight, held)
    assert not inflight.was_returned(incoming_of(held))


def test_an_anonymous_task_that_was_returned_is_the_same_when_it_comes_again(inflight: InFlight) -> None:
    entry = begun(inflight, Held(Message(BODY)))
    inflight.give_back(entry)
    again = Held(Message(BODY), redelivered=True)
    incoming = inflight.recognise(incoming_of(again), again)
    assert incoming.task.id == entry.task.id
    assert inflight.was_returned(incoming)


@pytest.mark.parametrize(
    ("held", "redelivered"),
    [
        (known("t"), False),
        (known("t", copies=1), False),
        (Held(Message(BODY), redelivered=True), True),
        (known("t", **{"x-redeliveries": 1}), True),
        (known("t", **{"x-delivery-count": 1}), True),
        (Held(Message(BODY, headers={"x-repeated": True})), True),
    ],
)
def test_a_task_that_somebody_else_may_have_done_is_marked(inflight: InFlight, held: Held, redelivered: bool) -> None:
    assert begun(inflight, held).redelivered is redelivered


def test_only_so_many_ends_are_remembered_the_latest_ones(inflight: InFlight) -> None:
    inflight.replaced(begun(inflight, known("long")), acknowledged=True)
    for number in range(REMEMBERED):
        inflight.end(begun(inflight, known(str(number))), acknowledged=True)
        if number == 0:
            inflight.end(begun(inflight, known("long", copies=1)), acknowledged=True)
    assert [has_ended(inflight, known(name)) for name in ("0", "long", "1")] == [False, True, True]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["deliver", "copy", "finish", "replace", "return"]))))
def test_no_task_is_held_twice_and_none_runs_again_after_its_end(steps: list[tuple[str, str]]) -> None:
    inflight, numbers = InFlight(), {name: count(1) for name in "abc"}
    running: dict[str, Entry] = {}
    ended = set()
    for name, step in steps:
        if step in ("deliver", "copy"):
            held = known(name, copies=next(numbers[name]) if step == "copy" else 0)
            joined, over = inflight.join(incoming_of(held), held), has_ended(inflight, held)
            assert joined is (name in running)
            assert over or name not in ended
            if not (joined or over):
                running[name] = begun(inflight, held)
        elif name in running:
            entry = running.pop(name)
            if step == "finish":
                inflight.end(entry, acknowledged=True)
                ended.add(name)
            elif step == "replace":
                inflight.replaced(entry, acknowledged=True)
            else:
                inflight.give_back(entry)
        assert inflight.held == len(running)


def test_an_anonymous_redelivery_is_the_orphan_with_its_bytes(inflight: InFlight) -> None:
    first = Held(Message(BODY))
    entry = begun(inflight, first)
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
    entries = [begun(inflight, one) for one in held]
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
    entry = begun(inflight, first)
    inflight.end(entry, acknowledged=acknowledged)
    again = Held(Message(BODY), redelivered=True)
    ids = [inflight.recognise(incoming_of(again), again).task.id for _ in range(2)]
    assert [found == entry.task.id for found in ids] == [not acknowledged, False]


def test_who_waits_beside_a_copy_that_joins_waits_for_the_task(inflight: InFlight) -> None:
    def copy(queue: str) -> Held:
        told = f'[{{"reply_to": "{queue}", "correlation_id": "mine"}}]'
        return Held(Message(BODY, message_id="t", reply_to="own", headers={"x-copies": 1, "x-askers": told}))

    first, second = copy("one"), copy("other")
    entry = begun(inflight, first)
    assert inflight.join(incoming_of(second), second)
    own = Asker("own", "t")
    assert list(entry.asking) == [own, own, Asker("one", "mine"), Asker("other", "mine")]
