import asyncio
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bus.announcements import EVENTS_HELD, Announcements
from bus.codec import encode_report
from bus.message import Message
from bus.routing_keys import report_key
from schemas import BreakerReport, Report
from tests.support import reports

words = st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers()), max_size=30)


def said(word: object, state_of: str | None = None) -> Message:
    return Message(str(word).encode(), state_of=state_of)


def announce(waiting: Announcements, told: Iterable[Report]) -> None:
    for report in told:
        waiting.add("metrics", report_key(report.host, report.kind), encode_report(report))


def taken(waiting: Announcements, count: int) -> list[str]:
    """Take so many as a publisher does."""
    found = []
    for _ in range(count):
        with waiting.first() as announcement:
            found.append(announcement.message.body.decode())
    return found


@given(words)
def test_of_each_state_the_last_word_goes_out_and_then_all_events_in_their_order(
    told: list[tuple[str, int]],
) -> None:
    waiting = Announcements()
    for name, number in told:
        waiting.add("x", "key", said(number, name or None))
    states = dict(told[::-1]).keys() - {""}
    last_at = {name: max(at for at, word in enumerate(told) if word[0] == name) for name in states}
    expected = [told[at][1] for at in sorted(last_at.values())] + [number for name, number in told if not name]
    assert taken(waiting, len(expected)) == [str(number) for number in expected]
    assert len(waiting) == 0


def test_one_state_under_another_key_or_at_another_exchange_is_another() -> None:
    waiting = Announcements()
    for exchange, key in (("x", "a"), ("x", "b"), ("y", "a")):
        waiting.add(exchange, key, said(exchange + key, "same"))
    assert taken(waiting, 3) == ["xa", "xb", "ya"]


def turned(old: str, state: str, trips: int = 1, server: str = "http://a") -> BreakerReport:
    """Return what a host reports as its breaker turns."""
    return reports.breaker(server=server).model_copy(update={"old": old, "state": state, "trip_count": trips})


def test_of_a_breaker_each_kind_of_turn_waits_once_and_its_present_state_comes_last() -> None:
    waiting = Announcements()
    announce(
        waiting,
        [
            turned("closed", "open"),
            turned("open", "half_open"),
            turned("half_open", "open", 2),
            turned("open", "half_open", 2),
            turned("half_open", "closed", 2),
            reports.breaker(server="http://b"),
            reports.breaker(server="http://a"),
            reports.breaker(server="http://a"),
        ],
    )
    told = [BreakerReport.model_validate_json(body) for body in taken(waiting, 6)]
    assert [(report.server[-1], report.old, report.state, report.trip_count) for report in told[:4]] == [
        ("a", "closed", "open", 1),
        ("a", "half_open", "open", 2),
        ("a", "open", "half_open", 2),
        ("a", "half_open", "closed", 2),
    ]
    assert [(report.server[-1], report.old) for report in told[4:]] == [("b", None), ("a", None)]
    assert len(waiting) == 0


def test_the_newest_events_are_dropped_and_states_are_not_which_is_logged_at_first_and_with_the_sum_at_the_end() -> (
    None
):
    waiting = Announcements()
    with capture_logs() as logs:
        for number in range(EVENTS_HELD + 5):
            waiting.add("x", "key", said(number))
        waiting.add("x", "key", said("state", "one"))
        assert [line["event"] for line in logs] == ["announcements.dropping"]
        with waiting.first():
            waiting.note_loss()
        assert taken(waiting, EVENTS_HELD) == [str(number) for number in range(EVENTS_HELD)]
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("announcements.dropping", "warning"),
        ("announcements.dropped", "warning"),
    ]
    assert (logs[0]["held"], logs[1]["lost"]) == (EVENTS_HELD, 6)


def test_what_is_lost_while_there_is_room_is_no_line_of_its_own() -> None:
    waiting = Announcements()
    with capture_logs() as logs:
        waiting.add("x", "key", said(1))
        with waiting.first():
            waiting.note_loss()
        waiting.end_spell()
    assert logs == []


async def test_who_leaves_can_wait_until_all_was_sent() -> None:
    waiting = Announcements()
    await waiting.until_none()
    waiting.add("x", "key", said(1))
    await waiting.until_any()
    with waiting.first():
        leaving = asyncio.create_task(waiting.until_none(), name="leaves")
        await asyncio.sleep(0)
        assert not leaving.done()
    await leaving
