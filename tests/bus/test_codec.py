import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from bus.codec import (
    ATTEMPT_HEADER,
    dead_letter,
    decode_event,
    decode_report,
    decode_result,
    decode_task,
    encode_event,
    encode_report,
    encode_result,
    encode_task,
    own_headers,
    retry_copy,
    task_id_of,
)
from bus.errors import DecodeError
from bus.message import Message
from schemas import BreakerReport, EventKind, TaskEvent, TaskMessage, TaskResult
from tests.support.messages import results, tasks, texts, values

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 13, tzinfo=UTC)
SMALLEST = Message(b'{"prompt": "..."}', content_type=None)
BREAKER = BreakerReport(host="h", name="n", state="open", consecutive_failures=1, trip_count=2, time_until_retry=3.5)


def read(message: Message) -> TaskMessage:
    return decode_task(message, "worker", NOON).task


@given(tasks)
def test_a_task_survives_the_envelope(task: TaskMessage) -> None:
    message = encode_task(task, reply_to="r")
    incoming = decode_task(message, task.agent, LATER)
    # What is null is absent; the envelope says it again, or the default does.
    assert incoming.task == task
    assert (incoming.attempt, incoming.anonymous) == (1, False)
    assert (message.priority, message.correlation_id, message.reply_to) == (task.priority, task.id, "r")
    assert (message.type, message.content_type, message.persistent) == ("sutazai.task.v1", "application/json", True)
    assert message.message_id is None


@given(tasks, st.integers(2, 100))
def test_a_retry_is_the_same_task_with_the_next_number(task: TaskMessage, attempt: int) -> None:
    message = encode_task(task, reply_to="r")
    copy = retry_copy(message, task, attempt)
    incoming = decode_task(copy, task.agent, LATER)
    assert (incoming.task, incoming.attempt) == (task, attempt)
    assert (copy.reply_to, copy.priority, copy.message_id) == ("r", task.priority, None)


@given(results)
def test_a_result_survives_the_envelope(result: TaskResult) -> None:
    message = encode_result(result)
    assert decode_result(message) == result
    assert (message.correlation_id, message.type) == (result.task_id, "sutazai.result.v1")
    assert encode_result(result, correlation_id="c").correlation_id == "c"


def test_events_and_reports_are_transient() -> None:
    event = TaskEvent(task_id="t", agent="a", kind=EventKind.STARTED, host="h")
    for message in (encode_event(event), encode_report(BREAKER)):
        assert not message.persistent
    assert decode_event(encode_event(event)) == event
    assert decode_report(encode_report(BREAKER)) == BREAKER
    assert (encode_event(event).type, encode_report(BREAKER).type) == ("sutazai.event.v1", "sutazai.report.v1")


def test_the_smallest_task_gets_an_id_the_agent_and_the_time() -> None:
    incoming = decode_task(SMALLEST, "worker", NOON)
    task = incoming.task
    assert (task.prompt, task.agent, task.created_at, task.priority) == ("...", "worker", NOON, 0)
    assert (len(task.id), incoming.attempt, incoming.anonymous) == (32, 1, True)


def test_the_properties_complete_the_body() -> None:
    headers = {"deadline": "2026-11-23T00:00:00Z", "timeout": 5, "traceparent": "00-ab", ATTEMPT_HEADER: 3}
    message = replace(SMALLEST, message_id="m-1", priority=7, timestamp=LATER, headers=headers)
    incoming = decode_task(message, "worker", NOON)
    task = incoming.task
    assert (task.id, task.priority, task.created_at, task.timeout) == ("m-1", 7, LATER, 5)
    assert task.deadline == datetime(2026, 11, 23, tzinfo=UTC)
    assert task.metadata == {"traceparent": "00-ab"}
    assert (incoming.attempt, incoming.anonymous) == (3, False)


def test_the_body_wins_over_the_properties() -> None:
    body = b'{"prompt": "x", "id": "b", "priority": "low", "agent": "other", "metadata": {"k": 1}, "timeout": 1}'
    message = Message(body, message_id="m", priority=9, headers={"timeout": 5, "traceparent": "00-ab"})
    task = read(message)
    assert (task.id, task.priority, task.timeout) == ("b", 2, 1)
    assert task.metadata == {"traceparent": "00-ab", "k": 1}
    assert task.agent == "worker"  # but whose queue it lies in decides who works on it


def test_null_is_absent() -> None:
    body = b'{"prompt": "x", "id": null, "priority": null, "created_at": null, "options": null, "metadata": null}'
    task = read(Message(body, message_id="m", priority=7))
    assert (task.id, task.priority, task.created_at, task.options, task.metadata) == ("m", 7, NOON, {}, {})


@pytest.mark.parametrize(("given_priority", "read_as"), [(None, 0), (0, 0), (9, 9), (10, 9), (255, 9)])
def test_a_foreign_priority_is_what_the_broker_makes_of_it(given_priority: int | None, read_as: int) -> None:
    assert read(replace(SMALLEST, priority=given_priority)).priority == read_as


@pytest.mark.parametrize("value", ["3", 0, -1, 1001, None, 2.5, [1], {"a": 1}, True])
def test_an_attempt_that_is_not_ours_counts_as_the_first(value: object) -> None:
    assert decode_task(replace(SMALLEST, headers={ATTEMPT_HEADER: value}), "worker", NOON).attempt == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe\x00", "the body is not JSON"),
        (b"{'prompt': 1}", "the body is not JSON"),
        (b"[1]", "the body is a JSON list, not an object"),
        (b"null", "a JSON NoneType"),
        (b"{}", 'a task needs a "prompt"'),
        (b'{"prompt": 12}', r"prompt = 12: Input should be a valid string"),
        (b'{"prompt": "x", "priority": "urgent"}', r"priority = 'urgent'.*use a number 0\.\.9"),
        (b'{"prompt": "x", "deadline": "soon"}', r"deadline = 'soon'"),
        (b'{"prompt": "x", "options": {"a": 1}, "timeout": -1}', r"timeout = -1"),
        (b'{"prompt": "x", "id": "%s"}' % (b"i" * 200), r"id = 'i{56}\.\.\.: String should match"),
        (b'{"data": "\\ud800"}', "cannot be written as JSON again"),
        (b"[" * 100_000, "the body is not JSON"),
    ],
)
def test_a_bad_body_names_field_value_and_remedy_and_keeps_the_bytes(body: bytes, told: str) -> None:
    with pytest.raises(DecodeError, match=told) as caught:
        read(Message(body))
    assert caught.value.raw == body
    str(caught.value).encode()


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_no_depth_of_nesting_is_anything_but_read_or_refused(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    for body in (
        b'{"data": %b}' % nested,
        b'{"prompt": %b}' % nested,
        b'{"prompt": "x", "options": {"a": %b}}' % nested,
    ):
        try:
            task = read(Message(body))
        except DecodeError:
            continue
        retry_copy(Message(body), task, 2)


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(["prompt", "priority", "id", "metadata"]), values).map(
        lambda fields: json.dumps(fields).encode()
    )
)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for reader in (decode_result, decode_event, decode_report, read):
        try:
            reader(Message(body))
        except DecodeError:
            continue


@given(st.dictionaries(texts, values, max_size=5))
def test_hostile_headers_are_never_an_error_but_of_decoding(headers: dict[str, Any]) -> None:
    message = replace(SMALLEST, headers=headers)
    try:
        task = read(message)
    except DecodeError:
        return
    assert retry_copy(message, task, 2).headers[ATTEMPT_HEADER] == 2


def test_the_broker_s_own_headers_are_not_republished() -> None:
    headers = {
        "x-death": [{"count": 1}],
        "x-first-death-queue": "q",
        "x-last-death-reason": "expired",
        "x-delivery-count": 3,
        "x-acquired-count": 3,
        "mine": 1,
    }
    assert own_headers(headers) == {"mine": 1}
    message = replace(SMALLEST, headers=headers)
    assert retry_copy(message, read(message), 2).headers == {"mine": 1, ATTEMPT_HEADER: 2}


def test_a_header_that_is_no_text_can_be_published_again() -> None:
    headers = {"b": b"\xff", "nested": {"l": [b"\xfe", 1, {"n": None}]}}
    own = own_headers(headers)
    assert own == headers
    assert decode.field_table(encode.field_table(own))[1] == headers


def test_a_dead_letter_is_the_original_with_the_reason() -> None:
    message = Message(b"raw", type="t", content_type="text/plain", priority=3, correlation_id="c", reply_to="r",
                      message_id="m", timestamp=NOON, headers={"mine": 1}, persistent=False)  # fmt: skip
    letter = dead_letter(message, "permanent", ("code", "m" * 2000), 2, "host-1", LATER)
    assert letter == replace(
        message,
        message_id=None,
        persistent=True,
        headers={
            "mine": 1,
            "x-error-code": "code",
            "x-error-message": "m" * 1000,
            "x-error-reason": "permanent",
            "x-failed-at": "2026-11-22T13:00:00+00:00",
            "x-failed-on": "host-1",
            ATTEMPT_HEADER: 2,
        },
    )


@pytest.mark.parametrize(
    ("message", "known_by"),
    [
        (Message(b'{"id": "b"}', correlation_id="c", message_id="m"), "b"),
        (Message(b'{"id": 7}', correlation_id="c", message_id="m"), "c"),
        (Message(b"not json", message_id="m"), "m"),
        (Message(b"not json", correlation_id="\xfc" * 3, message_id="i" * 129), None),
        (Message(b'{"id": ""}', correlation_id="line\nbreak"), None),
    ],
)
def test_an_unreadable_task_is_known_by_the_best_id_it_has(message: Message, known_by: str | None) -> None:
    assert task_id_of(message) == known_by
