from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from bus import tolerant_decoding
from bus.asker import Asker
from bus.codec import encode_task
from bus.envelope import (
    ATTEMPT_HEADER,
    COPIES_HEADER,
    COPIES_READ,
    COUNT_READ,
    ERROR_KEPT,
    FOREIGN_BYTES,
    HISTORY_BYTES,
    HISTORY_HEADER,
    HISTORY_KEPT,
    LEFT_OUT_HEADER,
    NOT_BEFORE_HEADER,
    OWN_HEADERS,
    REDELIVERIES_HEADER,
    REPEATED_HEADER,
    TASK_ID_HEADER,
    Envelope,
    copy_of,
    dead_letter,
    foreign_headers,
    read_envelope,
    repeated,
)
from bus.message import Message
from schemas import PastAttempt, TaskError, TaskMessage
from tests.support.entries import FRESH, NOON, past_attempt
from tests.support.messages import moments, tasks, texts, values

FRAME = 131_072
"""Bytes that RabbitMQ lets one frame have, which holds all properties of a message."""

WHY = ("code", "why")
WHERE = ("2026-11-22T13:00:00+00:00", "host-1")

counts = st.integers(0, COUNT_READ)
pasts = st.builds(
    PastAttempt,
    number=st.integers(1, COUNT_READ),
    host=texts,
    error=st.builds(TaskError, code=texts, message=texts, retryable=st.booleans()),
    ended_at=moments,
    seconds=st.floats(0, 1e6),
)
envelopes = st.builds(
    Envelope,
    attempt=st.integers(1, COUNT_READ),
    redeliveries=counts,
    copies=st.integers(0, 100 * COUNT_READ),
    repeated=st.booleans(),
    history=st.lists(pasts, max_size=3).map(tuple),
    not_before=st.none() | moments.map(lambda moment: moment.replace(microsecond=0)),
    askers=st.lists(st.builds(Asker, texts, texts), max_size=3).map(tuple),
)
headers = st.dictionaries(texts.filter(lambda name: not name.startswith("x-")), values, max_size=4)


@pytest.fixture(autouse=True, scope="module")
def pamqp_as_every_connection_has_it() -> None:
    tolerant_decoding.install()


@given(envelopes)
def test_an_envelope_is_read_as_it_was_written(envelope: Envelope) -> None:
    assert read_envelope(envelope.headers()) == envelope


def test_a_new_task_says_its_attempt_and_nothing_else() -> None:
    assert FRESH.headers() == {ATTEMPT_HEADER: 1}
    assert read_envelope({}) == FRESH


@given(tasks, envelopes, headers)
def test_a_copy_is_the_same_message_with_the_envelope_of_its_own_life(
    task: TaskMessage, envelope: Envelope, foreign: dict[str, Any]
) -> None:
    stale = dict.fromkeys(OWN_HEADERS, "from an earlier life")
    message = replace(encode_task(task, reply_to="r"), headers=foreign | stale, message_id="m", persistent=False)
    copy = copy_of(message, task, envelope)
    assert read_envelope(copy.headers) == replace(envelope, copies=envelope.copies + 1)
    assert foreign_headers(copy.headers) == foreign_headers(foreign)
    assert TaskMessage.model_validate_json(copy.body) == task
    assert (copy.message_id, copy.persistent, copy.priority) == (None, True, task.priority)
    changed = {"headers", "body", "message_id", "persistent", "priority"}
    kept = [field.name for field in fields(Message) if field.name not in changed]
    assert [getattr(copy, name) for name in kept] == [getattr(message, name) for name in kept]


def test_a_copy_of_a_foreign_task_fixes_its_id_and_its_priority() -> None:
    task = TaskMessage(id="made here", agent="worker", prompt="x", priority=7)
    copy = copy_of(Message(b'{"prompt": "x", "priority": "high"}', type="mine"), task, FRESH)
    assert (copy.correlation_id, copy.priority, copy.type) == ("made here", 7, "mine")
    assert b'"id":"made here"' in copy.body
    assert copy_of(Message(b"", correlation_id="order-7"), task, FRESH).correlation_id == "order-7"


@given(envelopes, pasts)
def test_the_next_attempt_keeps_the_counts_and_adds_to_the_history(envelope: Envelope, past: PastAttempt) -> None:
    following = envelope.after(past, NOON)
    assert following == replace(
        envelope, attempt=envelope.attempt + 1, not_before=NOON, history=(*envelope.history, past)
    )
    assert envelope.after(past).not_before is None


@given(envelopes, pasts)
def test_a_loss_is_counted_and_uses_no_attempt(envelope: Envelope, past: PastAttempt) -> None:
    lost = envelope.lost(past)
    assert lost == replace(envelope, redeliveries=envelope.redeliveries + 1, history=(*envelope.history, past))
    assert lost.was_lost


def test_a_history_keeps_the_latest_attempts_and_the_beginning_of_their_errors() -> None:
    envelope = FRESH
    for number in range(1, HISTORY_KEPT + 3):
        envelope = envelope.after(past_attempt(number, "m" * 2 * ERROR_KEPT))
    assert [past.number for past in envelope.history] == list(range(3, HISTORY_KEPT + 3))
    assert {past.error.message for past in envelope.history} == {"m" * ERROR_KEPT}
    assert read_envelope(envelope.headers()) == envelope


own_headers = st.dictionaries(
    st.sampled_from([*sorted(OWN_HEADERS), "x-delivery-count"]),
    values | st.integers() | st.binary(max_size=9) | st.datetimes(timezones=st.just(UTC)),
)


@given(own_headers)
def test_hostile_headers_are_read_as_something_we_could_have_written(hostile: dict[str, Any]) -> None:
    envelope = read_envelope(hostile)
    assert 1 <= envelope.attempt <= COUNT_READ
    assert 0 <= envelope.copies <= COPIES_READ
    assert 0 <= envelope.redeliveries <= 2 * COUNT_READ
    assert len(envelope.history) <= HISTORY_KEPT
    assert envelope.not_before is None or envelope.not_before.tzinfo is UTC
    envelope.headers()


def test_a_task_may_be_put_off_as_often_as_it_takes() -> None:
    often = Envelope(copies=COPIES_READ - 1)
    assert read_envelope(copy_of(Message(b""), TaskMessage(agent="a", prompt="x"), often).headers).copies == COPIES_READ


@pytest.mark.parametrize("value", ["3", -1, COPIES_READ + 1, None, 2.5, [1], {"a": 1}, True, NOON])
def test_a_count_that_is_not_ours_counts_as_absent(value: object) -> None:
    hostile = dict.fromkeys((ATTEMPT_HEADER, REDELIVERIES_HEADER, COPIES_HEADER, "x-delivery-count"), value)
    assert read_envelope(hostile) == FRESH


@pytest.mark.parametrize("value", ["", "[", "7", '[{"number": 0}]', "[" * 100_000, b"[]", 7, "\x00"])
def test_a_history_that_is_not_ours_counts_as_absent(value: object) -> None:
    assert read_envelope({HISTORY_HEADER: value}).history == ()


def test_a_history_longer_than_any_of_ours_counts_as_absent() -> None:
    longest = Envelope(history=(past_attempt(message="m" * HISTORY_BYTES),)).headers()
    assert read_envelope(longest).history == ()


@pytest.mark.parametrize("value", [10**30, -(10**30), 2**63, "soon", 1.5, None, NOON])
def test_a_moment_outside_of_time_counts_as_absent(value: object) -> None:
    assert read_envelope({NOT_BEFORE_HEADER: value}).not_before is None


@pytest.mark.parametrize("value", [1, "true", "", None, [True]])
def test_only_our_own_word_marks_a_message_as_repeated(value: object) -> None:
    assert not read_envelope({REPEATED_HEADER: value}).repeated


def test_what_a_quorum_queue_counts_is_added_to_our_own_count_and_kept_by_a_copy() -> None:
    message = Message(b"", headers={"x-delivery-count": 2, REDELIVERIES_HEADER: 1})
    envelope = read_envelope(message.headers)
    assert envelope.redeliveries == 3
    copy = copy_of(message, TaskMessage(agent="worker", prompt="x"), envelope)
    assert "x-delivery-count" not in copy.headers
    assert read_envelope(copy.headers).redeliveries == 3


@pytest.mark.parametrize(
    ("envelope", "was_lost"),
    [
        (FRESH, False),
        (Envelope(attempt=3, copies=2), False),
        (Envelope(redeliveries=1), True),
        (Envelope(repeated=True), True),
    ],
)
def test_whoever_may_have_been_at_it_before_is_told(envelope: Envelope, was_lost: bool) -> None:
    assert envelope.was_lost is was_lost


def test_a_repeated_message_says_so_and_is_else_the_same() -> None:
    message = Message(b"x", priority=3, headers={"mine": 1})
    assert repeated(message) == replace(message, headers={"mine": 1, REPEATED_HEADER: True})
    assert read_envelope(repeated(message).headers).was_lost


def test_a_dead_letter_is_the_original_with_the_reason() -> None:
    message = Message(b"\xff raw", type="t", content_type="text/plain", priority=3, correlation_id="c", reply_to="r",
                      message_id="m", user_id="u", app_id="a", content_encoding="gzip", expiration="60000",
                      timestamp=NOON, headers={"mine": 1}, persistent=False)  # fmt: skip
    letter = dead_letter(message, "t-1", "permanent", ("code", "m" * 2000), Envelope(2, redeliveries=1), WHERE)
    assert letter == replace(
        message,
        message_id=None,
        persistent=True,
        headers={
            "mine": 1,
            ATTEMPT_HEADER: 2,
            REDELIVERIES_HEADER: 1,
            "x-error-code": "code",
            "x-error-message": "m" * 1000,
            "x-error-reason": "permanent",
            "x-failed-at": WHERE[0],
            "x-failed-on": WHERE[1],
            "x-original-message-id": "m",
            "x-original-user-id": "u",
            "x-original-expiration": "60000",
            TASK_ID_HEADER: "t-1",
        },
    )


@given(st.binary(max_size=60), headers, envelopes)
def test_a_dead_letter_keeps_every_byte_and_every_foreign_header(
    body: bytes, foreign: dict[str, Any], envelope: Envelope
) -> None:
    letter = dead_letter(Message(body, headers=foreign), "t", "poison", WHY, envelope, WHERE)
    assert letter.body == body
    assert foreign_headers(letter.headers) == foreign_headers(foreign)
    assert read_envelope(letter.headers) == envelope


def test_the_broker_s_own_headers_and_ours_are_not_the_publisher_s() -> None:
    brokers = ("x-death", "x-first-death-queue", "x-last-death-reason", "x-delivery-count", "x-acquired-count")
    given_headers = {**dict.fromkeys(brokers, 1), **dict.fromkeys(OWN_HEADERS, 1), "mine": 1}
    assert foreign_headers(given_headers) == {"mine": 1}


def test_a_header_that_is_no_text_can_be_published_again() -> None:
    sent = {"b": b"\xff", "nested": {"l": [b"\xfe", 1, {"n": None}]}}
    kept = foreign_headers(sent)
    assert kept == sent
    assert decode.field_table(encode.field_table(kept))[1] == sent


def worst(character: str) -> Envelope:
    """The longest history that we write."""
    envelope = Envelope(
        COUNT_READ - HISTORY_KEPT, COUNT_READ - HISTORY_KEPT, COUNT_READ, repeated=True, not_before=NOON
    )
    for number in range(HISTORY_KEPT):
        envelope = envelope.lost(past_attempt(number + 1, character * 2 * ERROR_KEPT))
    return envelope


@pytest.mark.parametrize("character", ["m", "\U0001f600", "\x00", '"', "\\"])
def test_all_headers_of_a_dead_letter_fit_into_a_frame_whatever_came(character: str) -> None:
    envelope = worst(character)
    assert len(envelope.headers()[HISTORY_HEADER].encode()) < HISTORY_BYTES
    assert read_envelope(envelope.headers()) == envelope
    hostile = {f"h{n}": "x" * (FOREIGN_BYTES // 8) for n in range(15)}
    message = Message(b"", headers=hostile, message_id="m" * 255, user_id="u" * 255, expiration="1" * 20)
    letter = dead_letter(message, "i" * 128, "permanent", ("c", character * 2000), envelope, WHERE)
    assert len(encode.field_table(dict(letter.headers))) < FRAME - 3 * 1024  # which other properties may take


def test_of_too_many_headers_the_small_ones_are_kept_and_the_others_named() -> None:
    kept = foreign_headers({"large": "x" * FOREIGN_BYTES, "deadline": "2026-11-23T00:00:00Z", "deep": nested(900)})
    assert kept == {"deadline": "2026-11-23T00:00:00Z", LEFT_OUT_HEADER: "large, deep"}
    assert foreign_headers(kept) == kept


@pytest.mark.parametrize("value", [2**70, object(), 10**400])
def test_what_amqp_has_no_form_for_is_left_out(value: object) -> None:
    assert foreign_headers({"odd": value, "mine": 1}) == {"mine": 1, LEFT_OUT_HEADER: "odd"}


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_wait_is_kept_to_the_millisecond() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123_456, tzinfo=UTC)
    read = read_envelope(Envelope(not_before=moment).headers()).not_before
    assert read is not None
    assert abs(read - moment) <= timedelta(milliseconds=1)
