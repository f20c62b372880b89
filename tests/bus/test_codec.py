import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import (
    decode_control,
    decode_event,
    decode_report,
    decode_result,
    decode_task,
    encode_control,
    encode_event,
    encode_report,
    encode_result,
    encode_task,
    receive_task,
    task_id_of,
)
from bus.envelope import ATTEMPT_HEADER, TASK_ID_HEADER, Envelope, copy_of, read_envelope
from bus.errors import DecodeError
from bus.message import Message
from schemas import BreakerReport, CancelTask, Control, EventKind, Hello, TaskEvent, TaskMessage, TaskResult
from tests.support.messages import ids, results, tasks, texts, values

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
    assert (incoming.envelope, incoming.key, incoming.anonymous) == (Envelope(), task.id, False)
    assert (message.priority, message.correlation_id, message.reply_to) == (task.priority, task.id, "r")
    assert (message.type, message.content_type, message.persistent) == ("sutazai.task.v1", "application/json", True)
    assert message.message_id is None


@given(tasks, st.integers(2, 100))
def test_a_copy_is_read_as_the_same_task_with_its_own_life(task: TaskMessage, attempt: int) -> None:
    copy = copy_of(encode_task(task), task, Envelope(attempt))
    incoming = decode_task(copy, task.agent, LATER)
    assert (incoming.task, incoming.envelope) == (task, Envelope(attempt, copies=1))


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
    assert (len(task.id), incoming.key, incoming.anonymous, incoming.fault) == (32, task.id, True, None)


def test_the_properties_complete_the_body() -> None:
    headers = {"deadline": "2026-11-23T00:00:00Z", "timeout": 5, "traceparent": "00-ab", ATTEMPT_HEADER: 3}
    message = replace(SMALLEST, message_id="m-1", priority=7, timestamp=LATER, headers=headers)
    incoming = decode_task(message, "worker", NOON)
    task = incoming.task
    assert (task.id, task.priority, task.created_at, task.timeout) == ("m-1", 7, LATER, 5)
    assert task.deadline == datetime(2026, 11, 23, tzinfo=UTC)
    assert task.metadata == {"traceparent": "00-ab"}
    assert (incoming.envelope.attempt, incoming.anonymous) == (3, False)


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
        copy_of(Message(body), task, Envelope(2))


@given(
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from(["prompt", "priority", "id", "metadata"]), values).map(
        lambda fields: json.dumps(fields).encode()
    )
)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for reader in (decode_result, decode_event, decode_report, decode_control, read):
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
    assert read_envelope(copy_of(message, task, Envelope(2)).headers).attempt == 2


@pytest.mark.parametrize(
    ("message", "known_by"),
    [
        (Message(b'{"id": "b"}', correlation_id="c", message_id="m"), "b"),
        (Message(b'{"id": 7}', correlation_id="c", message_id="m"), "c"),
        (Message(b"not json", message_id="m"), "m"),
        (Message(b"not json", correlation_id="\xfc" * 3, message_id="i" * 129), None),
        (Message(b'{"id": ""}', correlation_id="line\nbreak"), None),
        (Message(b'{"id": "b"}', message_id="m", headers={TASK_ID_HEADER: "h"}), "h"),
        (Message(b'{"id": "b"}', headers={TASK_ID_HEADER: 7}), "b"),
    ],
)
def test_an_unreadable_task_is_known_by_the_best_id_it_has(message: Message, known_by: str | None) -> None:
    assert task_id_of(message) == known_by


def test_the_id_that_one_of_us_has_written_wins_over_body_and_properties() -> None:
    message = Message(b'{"prompt": "x", "id": "b"}', message_id="m", headers={TASK_ID_HEADER: "h"})
    incoming = decode_task(message, "worker", NOON)
    assert (incoming.task.id, incoming.key, incoming.anonymous) == ("h", "h", False)


@pytest.mark.parametrize("value", [7, ["h"], None, "", "i" * 129])
def test_an_id_that_none_of_us_has_written_is_refused_by_name(value: object) -> None:
    with pytest.raises(DecodeError, match="id = "):
        read(replace(SMALLEST, headers={TASK_ID_HEADER: value}))


def test_a_readable_task_is_received_without_a_fault() -> None:
    message = encode_task(TaskMessage(agent="worker", prompt="x"))
    assert receive_task(message, "worker", NOON) == decode_task(message, "worker", NOON)


@given(st.binary(max_size=40), st.none() | ids, st.integers(1, 9))
def test_an_unreadable_task_is_received_with_its_fault_and_is_like_no_other(
    junk: bytes, known_by: str | None, attempt: int
) -> None:
    message = Message(b"\xff" + junk, correlation_id=known_by, headers={ATTEMPT_HEADER: attempt})
    one, other = (receive_task(message, "worker", NOON) for _ in range(2))
    assert one.fault is not None
    assert one.fault.raw == message.body
    assert (one.task.agent, one.envelope.attempt, one.anonymous) == ("worker", attempt, True)
    assert one.task.id == known_by if known_by else one.task.id != other.task.id
    assert one.key != other.key


@pytest.mark.parametrize("control", [CancelTask(task_id="t", agent="a", reason="r"), Hello(host="h", agents=("a",))])
def test_a_control_message_survives_the_envelope_and_is_kept_by_the_log(control: Control) -> None:
    message = encode_control(control)
    assert decode_control(message) == control
    assert (message.type, message.persistent, message.timestamp) == ("sutazai.control.v1", True, control.timestamp)


@pytest.mark.parametrize("body", [b'{"kind": "dance"}', b'{"kind": "cancel", "task_id": ""}', b"{}", b"7"])
def test_a_control_message_of_no_kind_is_refused_with_its_bytes(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_control(Message(body))
    assert caught.value.raw == body
