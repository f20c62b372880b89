import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bus.slots import Slots, Turn


async def settled() -> None:
    """Let all that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


def waiting(slots: Slots, count: int) -> list[asyncio.Task[bool]]:
    return [asyncio.create_task(slots.acquire(), name=f"waiter {number}") for number in range(count)]


async def test_those_who_wait_get_in_in_their_order() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    first, second = waiting(slots, 2)
    await settled()
    slots.release()
    await settled()
    assert (first.done(), second.done()) == (True, False)
    slots.release()
    assert await second


async def test_the_higher_priority_gets_in_first() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    low, high = (asyncio.create_task(slots.acquire(Turn(priority)), name=f"{priority}") for priority in (2, 9))
    await settled()
    slots.release()
    await settled()
    assert (low.done(), high.done()) == (False, True)
    slots.release()
    assert await low


async def test_a_turn_that_is_handed_back_is_turned_away_and_nobody_else() -> None:
    slots, turn = Slots(1), Turn()
    turn.hand_back("before it waits")
    assert not turn.is_waiting()
    assert await slots.acquire()
    first = asyncio.create_task(slots.acquire(turn), name="first")
    (second,) = waiting(slots, 1)
    await settled()
    assert turn.is_waiting()
    turn.hand_back("enough")
    turn.hand_back("again")
    assert not await first
    assert not turn.is_waiting()
    slots.release()
    assert await second


async def test_shut_slots_turn_away_who_waits_and_who_comes() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    (waiter,) = waiting(slots, 1)
    await settled()
    slots.shut()
    assert not await waiter
    assert not await slots.acquire()
    slots.release()
    slots.open()
    assert await slots.acquire()


async def test_a_cancelled_waiter_leaves_its_turn_to_the_next() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    first, second = waiting(slots, 2)
    await settled()
    first.cancel()
    await settled()
    slots.release()
    assert await second


async def test_a_slot_given_to_somebody_who_is_being_cancelled_comes_back() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    (waiter,) = waiting(slots, 1)
    await settled()
    slots.release()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert await slots.acquire()


async def test_a_waiter_turned_away_while_being_cancelled_gives_nothing_back() -> None:
    slots = Slots(1)
    assert await slots.acquire()
    (waiter,) = waiting(slots, 1)
    await settled()
    waiter.cancel()
    slots.shut()
    await asyncio.gather(waiter, return_exceptions=True)
    slots.open()
    (late,) = waiting(slots, 1)
    await settled()
    assert not late.done()
    slots.release()
    assert await late


@given(st.integers(1, 3), st.lists(st.sampled_from(["come", "go", "cancel", "shut", "open"]), max_size=25))
def test_never_more_are_inside_than_there_are_slots_and_none_is_lost(number: int, steps: list[str]) -> None:
    asyncio.run(live_through(number, steps))


async def live_through(number: int, steps: list[str]) -> None:
    slots = Slots(number)
    inside, outside = 0, list[asyncio.Task[bool]]()
    for step in steps:
        if step == "come":
            outside += waiting(slots, 1)
        elif step == "go" and inside:
            inside -= 1
            slots.release()
        elif step == "cancel" and outside:
            outside.pop().cancel()
        elif step in ("shut", "open"):
            getattr(slots, step)()
        await settled()
        done = [waiter for waiter in outside if waiter.done()]
        inside += sum(waiter.result() for waiter in done)
        outside = [waiter for waiter in outside if not waiter.done()]
        assert inside <= number
        assert not outside or inside == number  # nobody waits beside a free slot
    slots.shut()
    await asyncio.gather(*outside)
    slots.open()
    for _ in range(number - inside):
        assert await asyncio.wait_for(slots.acquire(), 1)
