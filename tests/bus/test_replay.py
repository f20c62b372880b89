import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bus.codec import decode_task, encode_task, receive_task
from bus.envelope import OWN_HEADERS, Envelope, dead_letter, read_envelope
from bus.errors import DecodeError
from bus.message import Message
from bus.replay import has_ended, letter_id, next_id, replay_copy
from schemas import PastAttempt, TaskError, TaskMessage
from tests.support.messages import ids, moments, tasks, texts

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
PAST = PastAttempt(number=2, host="h", error=TaskError(code="timeout", message="slow"), ended_at=NOON)
LIFE = Envelope(attempt=3, redeliveries=2, copies=4, repeated=True, history=(PAST,), not_before=NOON)


def is_foreign(name: str) -> bool:
    """Whether a header's name means nothing to us nor to the broker."""
    return not name.startswith("x-") and name not in ("deadline", "timeout", "traceparent", "CC", "BCC")


messages = st.builds(
    Message,
    st.binary(max_size=30),
    type=st.none() | texts,
    content_type=st.none() | texts,
    priority=st.none() | st.integers(0, 255),
    correlation_id=st.none() | texts,
    reply_to=st.none() | texts,
    app_id=st.none() | texts,
    content_encoding=st.none() | texts,
    timestamp=st.none() | moments,
    headers=st.dictionaries(texts.filter(is_foreign), texts, max_size=2),
)
"""Messages of foreign programs; hardly any is a task."""


def buried(message: Message, task_id: str, reason: str = "exhausted") -> Message:
    """Return the dead letter of a message, as the broker gives it back."""
    letter = dead_letter(message, task_id, reason, ("timeout", "too slow"), LIFE, (NOON.isoformat(), "host-1"))
    return replace(letter, message_id="made-by-aiormq", headers={**letter.headers, "x-death": [{"count": 1}]})


def read(message: Message) -> TaskMessage:
    return decode_task(message, "worker", LATER).task


def test_the_id_of_a_replay_counts_its_lives() -> None:
    assert [next_id("order-7"), next_id("order-7~1"), next_id("order-7~9"), next_id("a~1~2")] == [
        "order-7~1",
        "order-7~2",
        "order-7~10",
        "a~1~3",
    ]
    assert [next_id("~"), next_id("a~0"), next_id("a~01"), next_id("~1")] == ["~~1", "a~0~1", "a~01~1", "~2"]


@given(ids)
def test_the_ids_of_all_lives_are_task_ids_and_differ(task_id: str) -> None:
    lives = [task_id]
    for _ in range(12):
        lives.append(next_id(lives[-1]))
    assert len(set(lives)) == len(lives)
    assert all(TaskMessage(id=life, agent="a", prompt="x").id == life for life in lives)


def test_long_ids_that_differ_in_their_ends_alone_keep_apart() -> None:
    lives = {next_id(f"{'x' * 124}{number:04}") for number in range(100)}
    assert len(lives) == 100
    assert {len(life) for life in lives} == {128}
    assert next_id("x" * 126) == "x" * 126 + "~1"


@given(tasks, st.dictionaries(texts.filter(is_foreign), texts))
def test_a_replay_is_a_new_task_with_all_that_the_publisher_gave(task: TaskMessage, headers: dict[str, Any]) -> None:
    sent = replace(encode_task(task, reply_to="r"), app_id="shop", headers=headers, correlation_id="order-17")
    copy = replay_copy(buried(sent, task.id), task.agent, LATER)
    again = decode_task(copy, task.agent, LATER + timedelta(hours=1))
    kept = {"id", "created_at", "deadline", "metadata"}
    assert again.task.model_dump(exclude=kept) == task.model_dump(exclude=kept)
    assert (again.task.id, again.task.created_at) == (next_id(task.id), LATER)
    assert again.task.metadata == task.metadata | {"replay_of": task.id}
    assert again.envelope == Envelope()
    assert not again.anonymous
    assert copy == replace(sent, body=copy.body, timestamp=LATER, headers=headers)


@given(messages)
def test_what_cannot_be_read_is_replayed_byte_for_byte_under_a_new_id(message: Message) -> None:
    letter = buried(message, "t-1", "unreadable")
    copy = replay_copy(letter, "worker", LATER)
    again = receive_task(copy, "worker", LATER)
    assume(again.fault is not None)
    told = {"x-task-id": "t-1~1", "x-replay-of": "t-1"}
    assert copy == replace(message, headers={**message.headers, **told})
    assert (again.task.id, again.envelope) == ("t-1~1", Envelope())


@given(messages, st.datetimes(NOON.replace(tzinfo=None), timezones=st.just(UTC)))
def test_a_replay_repeated_after_a_crash_is_the_same_task(message: Message, when: datetime) -> None:
    letter = buried(message, "t-1")
    first, second = replay_copy(letter, "worker", NOON), replay_copy(letter, "worker", when)
    assert letter_id(first) == letter_id(second) == "t-1~1"
    assert replay_copy(letter, "worker", NOON) == first


def test_a_replay_that_dies_is_replayed_under_the_next_id() -> None:
    for body in (b'{"prompt": "x"}', b"no task"):
        copy = replay_copy(buried(Message(body), "t-1"), "worker", NOON)
        following = replay_copy(buried(copy, letter_id(copy)), "worker", LATER)
        assert letter_id(following) == "t-1~2"
        assert following.headers.get("x-replay-of") == (None if body.startswith(b"{") else "t-1~1")
    assert read(replay_copy(buried(Message(b'{"prompt": "x"}'), "t-1~1"), "worker", LATER)).metadata == {
        "replay_of": "t-1~1"
    }


def test_a_body_that_has_become_readable_is_no_longer_known_by_its_headers() -> None:
    refused = replay_copy(buried(Message(b"no task"), "t-1"), "worker", NOON)
    mended = replace(buried(refused, "t-1~1"), body=b'{"prompt": "x"}')
    copy = replay_copy(mended, "worker", LATER)
    assert not copy.headers
    assert (read(copy).id, read(copy).metadata) == ("t-1~2", {"replay_of": "t-1~1"})


def test_times_begin_anew_and_a_deadline_that_has_passed_is_dropped() -> None:
    task = TaskMessage(id="t", agent="worker", prompt="x", created_at=NOON, timeout=5)
    for deadline, left in ((NOON, None), (LATER, None), (LATER + timedelta(seconds=1),) * 2):
        sent = encode_task(task.model_copy(update={"deadline": deadline}))
        again = read(replay_copy(buried(sent, "t"), "worker", LATER))
        assert (again.deadline, again.timeout, again.created_at) == (left, 5, LATER)
    assert read(replay_copy(buried(encode_task(task), "t"), "worker", LATER)).expires_at() == LATER + timedelta(
        seconds=5
    )


@pytest.mark.parametrize("passed", [True, False])
def test_a_deadline_in_a_header_does_not_come_back(passed: bool) -> None:
    deadline = NOON if passed else LATER + timedelta(hours=1)
    sent = Message(b'{"prompt": "x"}', headers={"deadline": deadline.isoformat(), "timeout": 7, "mine": "yes"})
    copy = replay_copy(buried(sent, "t"), "worker", LATER)
    assert copy.headers == {"mine": "yes"}
    assert (read(copy).deadline, read(copy).timeout) == (None if passed else deadline, 7)


def test_who_waits_by_the_id_of_the_old_task_hears_of_the_new_one() -> None:
    assert replay_copy(buried(Message(b'{"prompt": "x"}'), "t-1"), "worker", NOON).correlation_id == "t-1"


def test_the_priority_in_a_body_is_that_of_its_replay() -> None:
    sent = Message(b'{"prompt": "x", "priority": "high"}', priority=1)
    copy = replay_copy(buried(sent, "t"), "worker", NOON)
    assert (copy.priority, read(copy).priority) == (7, 7)


def test_a_task_without_a_result_is_the_same_task_with_its_bytes_its_life_and_its_deadline() -> None:
    body = json.dumps({"prompt": "x", "id": "t-1", "deadline": NOON.isoformat()}).encode()
    lost = Message(body, message_id="m-1", headers={**LIFE.headers(), "mine": b"\xff", "x-delivery-count": 21})
    copy = replay_copy(lost, "worker", LATER)
    assert not has_ended(lost)
    assert (copy.body, copy.message_id, copy.headers["mine"]) == (body, "m-1", bytearray(b"\xff"))
    assert read_envelope(copy.headers) == replace(LIFE, redeliveries=0, copies=5)
    assert (read(copy).id, read(copy).deadline) == ("t-1", NOON)
    assert "x-delivery-count" not in copy.headers


@pytest.mark.parametrize(("given_id", "kept"), [("t-9", {"x-task-id": "t-9"}), (7, {})])
def test_a_task_without_a_result_keeps_the_id_that_its_header_tells(given_id: object, kept: dict[str, str]) -> None:
    copy = replay_copy(Message(b"no task", headers={"x-task-id": given_id}), "worker", LATER)
    assert {
        name: copy.headers[name] for name in copy.headers if name in OWN_HEADERS - {"x-attempt", "x-copies"}
    } == kept


def test_what_nobody_gave_an_id_is_known_by_all_it_holds() -> None:
    first, second = Message(b'{"prompt": "x"}'), Message(b'{"prompt": "y"}')
    assert letter_id(first) == letter_id(first) != letter_id(second)
    assert letter_id(first).startswith("unnamed-")
    assert letter_id(replace(first, message_id="m")) == "m"
    assert decode_task(replay_copy(first, "worker", NOON), "worker", NOON).anonymous
    with pytest.raises(DecodeError):
        read(Message(b"no task"))
