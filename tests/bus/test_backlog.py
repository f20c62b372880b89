from bus.backlog import Backlog
from bus.topology import MAX_PRIORITY


def looked_at(ready: int, at: float = 0.0) -> Backlog:
    backlog = Backlog()
    backlog.ask()
    backlog.counted(ready, at, stale_after=30)
    return backlog


def test_nothing_is_known_before_a_look() -> None:
    assert Backlog().needs_look
    assert not looked_at(0).needs_look


def test_an_empty_queue_holds_nothing_and_another_may_hold_anything() -> None:
    assert (looked_at(0).top, looked_at(3).top) == (None, MAX_PRIORITY)


def test_a_fetched_message_bounds_what_is_left_behind_it() -> None:
    backlog = looked_at(3)
    backlog.ask()
    backlog.delivered(4, 1.0)
    backlog.fetched(2, 1.0)
    assert (backlog.top, backlog.since) == (4, 1.0)


def test_the_last_message_leaves_an_empty_queue() -> None:
    backlog = looked_at(1)
    backlog.ask()
    backlog.delivered(4, 1.0)
    backlog.fetched(0, 1.0)
    assert backlog.top is None
    backlog.ask()
    backlog.fetched(None, 2.0)
    assert backlog.top is None


def test_what_is_heard_while_the_broker_is_asked_may_be_missing_in_its_answer() -> None:
    for left in (None, 0, 1):
        backlog = looked_at(2)
        backlog.ask()
        backlog.heard(9, 1.0)
        backlog.delivered(2, 1.0)
        backlog.fetched(left, 1.0)
        assert backlog.top == 9
    backlog = looked_at(2)
    backlog.ask()
    backlog.heard(7, 1.0)
    backlog.counted(0, 1.0, stale_after=30)
    assert backlog.top == 7


def test_what_was_heard_before_the_broker_was_asked_is_in_its_answer() -> None:
    backlog = looked_at(0)
    backlog.heard(9, 1.0)
    backlog.ask()
    backlog.delivered(2, 2.0)
    backlog.fetched(5, 2.0)
    assert backlog.top == 2


def test_a_delivery_says_that_there_may_be_more_of_it_and_no_less_than_was_heard() -> None:
    backlog = looked_at(0)
    backlog.delivered(4, 5.0)
    assert (backlog.top, backlog.since) == (4, 5.0)
    backlog.heard(7, 6.0)
    backlog.delivered(2, 7.0)
    assert (backlog.top, backlog.since) == (7, 5.0)


def test_a_belief_holds_over_a_count_until_it_is_stale_or_the_connection_was_lost() -> None:
    def counted(backlog: Backlog, at: float) -> int | None:
        backlog.ask()
        backlog.counted(1, at, stale_after=30)
        return backlog.top

    backlog = looked_at(0)
    backlog.delivered(2, 1.0)
    assert counted(backlog, 20.0) == 2
    assert counted(backlog, 31.0) == MAX_PRIORITY
    backlog = looked_at(0)
    backlog.delivered(2, 1.0)
    backlog.forget()
    assert backlog.needs_look
    assert counted(backlog, 2.0) == MAX_PRIORITY
