from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.envelope import Envelope, dead_letter
from bus.letter import Choice, dead_letter_of, unrouted_letter_of
from bus.message import Message
from schemas import PastAttempt, TaskError
from tests.support.messages import texts, values

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAST = PastAttempt(number=1, host="h", error=TaskError(code="timeout", message="slow"), ended_at=NOON)
SENT = Message(b'{"prompt": "x"}', priority=7)
BURIED = dead_letter(
    SENT, "t-1", "exhausted", ("timeout", "too slow"), Envelope(2, history=(PAST,)), (NOON.isoformat(), "host-1")
)


def test_a_letter_tells_what_the_host_noted() -> None:
    letter = dead_letter_of(BURIED, "worker")
    assert (letter.task_id, letter.agent, letter.reason, letter.code) == ("t-1", "worker", "exhausted", "timeout")
    assert (letter.error, letter.failed_at, letter.host) == ("too slow", NOON, "host-1")
    assert (letter.attempt, letter.history, letter.has_result) == (2, (PAST,), True)
    assert (letter.priority, letter.size, letter.message) == (7, 15, BURIED)


def test_what_the_broker_dead_lettered_has_its_reason_and_no_result() -> None:
    deaths = [{"reason": "delivery_limit", "time": NOON, "count": 1}, {"reason": "expired"}]
    letter = dead_letter_of(Message(b'{"id": "t-2"}', headers={"x-death": deaths}), "worker")
    assert (letter.task_id, letter.reason, letter.code, letter.failed_at) == (
        "t-2",
        "delivery_limit",
        "delivery_limit",
        NOON,
    )
    assert (letter.error, letter.host, letter.attempt, letter.has_result) == (
        "RabbitMQ itself has dead-lettered it: delivery_limit",
        None,
        1,
        False,
    )


@pytest.mark.parametrize("deaths", [[], "x", [7], None])
def test_a_message_that_somebody_else_put_there_is_of_unknown_reason(deaths: object) -> None:
    letter = dead_letter_of(Message(b"", headers={"x-death": deaths}), "worker")
    assert (letter.reason, letter.code, letter.failed_at) == ("unknown", "unknown", None)


def test_an_unrouted_task_waits_since_it_was_sent() -> None:
    letter = unrouted_letter_of(Message(b"x", timestamp=NOON, correlation_id="c"), "nobody")
    assert (letter.task_id, letter.agent, letter.reason, letter.code) == ("c", "nobody", "unrouted", "unknown_agent")
    assert (letter.failed_at, letter.has_result) == (NOON, False)
    assert "no agent 'nobody' was known" in letter.error


@pytest.mark.parametrize(
    ("noted", "read"),
    [
        ("2026-11-22T13:00:00+01:00", NOON),
        ("2026-11-22T12:00:00", NOON),
        (datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))), NOON),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (7, None),
    ],
)
def test_a_moment_is_read_in_utc(noted: object, read: datetime | None) -> None:
    assert dead_letter_of(Message(b"", headers={"x-failed-at": noted}), "worker").failed_at == read


headers = st.dictionaries(
    st.sampled_from([*BURIED.headers, "x-history", "x-redeliveries", "x-death"]) | texts,
    values | st.binary(max_size=5) | st.lists(st.dictionaries(st.sampled_from(["reason", "time"]), values), max_size=2),
)


@given(st.binary(max_size=20), headers)
def test_no_foreign_header_keeps_a_letter_from_being_read(body: bytes, given_headers: dict[str, Any]) -> None:
    letter = dead_letter_of(Message(body, headers=given_headers), "worker")
    assert all((letter.task_id, letter.reason, letter.code, letter.error))


FITTING = Choice(frozenset({"t-1", "t-2"}), frozenset({"worker"}), "exhausted", "timeout", NOON + timedelta(seconds=1))


@pytest.mark.parametrize(
    "other",
    [
        replace(FITTING, ids=frozenset({"t-2"})),
        replace(FITTING, agents=frozenset({"other"})),
        replace(FITTING, reason="poison"),
        replace(FITTING, code="permanent"),
        replace(FITTING, before=NOON),
    ],
)
def test_a_choice_takes_what_all_of_it_fits(other: Choice) -> None:
    letter = dead_letter_of(BURIED, "worker")
    assert Choice().takes(letter)
    assert FITTING.takes(letter)
    assert not other.takes(letter)


def test_what_has_no_known_time_is_not_older_than_anything() -> None:
    assert not Choice(before=NOON).takes(dead_letter_of(Message(b""), "worker"))


def test_one_reason_may_be_left_out() -> None:
    letter = dead_letter_of(BURIED, "worker")
    left_out, let_in = Choice(without=frozenset({"exhausted"})), Choice(without=frozenset({"poison"}))
    assert (left_out.takes(letter), left_out.spares(letter)) == (False, True)
    assert (let_in.takes(letter), let_in.spares(letter)) == (True, False)
    assert not Choice(code="other", without=frozenset({"exhausted"})).spares(letter)
