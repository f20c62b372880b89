from datetime import UTC, datetime

import pytest

from agents.cli.shown_task import no_trace, shown
from agents.cli.task_life import Place, TaskLife
from bus.letter import DeadLetter
from bus.message import Message
from schemas import EventKind, HeldTask, PastAttempt, TaskError, TaskEvent, TaskResult, TaskStatus, Usage

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PAST = PastAttempt(number=1, host="vm-1", error=TaskError(code="timeout", message="m" * 30), ended_at=NOON, seconds=2)


def letter_of(task_id: str) -> DeadLetter:
    return DeadLetter(
        task_id=task_id,
        agent="a",
        reason="exhausted",
        code="timeout",
        error="it took too long",
        failed_at=NOON,
        host="vm-2",
        attempt=2,
        history=(PAST,),
        has_result=True,
        message=Message(b"{}"),
    )


def test_all_of_a_result_is_told_in_80_columns() -> None:
    result = TaskResult(
        task_id="t",
        status=TaskStatus.COMPLETED,
        result={"response": "word \x1b[31m" * 40},
        processing_time=3,
        timestamp=NOON,
        agent="a",
        host="vm-3",
        attempt=2,
        model="qwen3:8b",
        server="http://localhost:11434",
        usage=Usage(queue_wait=4, slot_wait=0.5, generation_time=2, tokens_in=10, tokens_out=20, model_calls=1),
        parent_id="p",
        history=(PAST,),
        redelivered=True,
    )
    lines = list(shown(TaskLife("t", "a", result=result, times=2)))
    assert lines[:10] == [
        "task      t",
        "agent     a",
        "status    completed 2026-01-31 12:00:00Z, told 2 times",
        "host      vm-3",
        "attempt   2",
        "          1 on vm-1, 2.0 s, ended 2026-01-31 12:00:00Z: timeout:",
        f"          {'m' * 30}",
        "took      3.0 s",
        "waited    4.0 s for a host, retries included, and 0.5 s for the model",
        "tokens    10 in, 20 out, 10.0 tokens/s, calls of the model: 1",
    ]
    assert lines[10:12] == ["model     qwen3:8b at http://localhost:11434", "parent    p"]
    assert lines[12].startswith("answer    word \\x1b[31m")
    assert max(map(len, lines)) <= 80


def test_a_result_of_a_task_that_was_handed_out_twice_is_not_said_to_have_been_told_twice() -> None:
    result = TaskResult(task_id="t", status=TaskStatus.COMPLETED, timestamp=NOON, redelivered=True)
    assert list(shown(TaskLife("t", None, result=result, times=1)))[1] == "status    completed 2026-01-31 12:00:00Z"


def test_an_error_is_told_with_its_code_and_a_result_without_usage_tells_no_waits() -> None:
    error = TaskError(code="expired", message="too late")
    result = TaskResult(task_id="t", status=TaskStatus.EXPIRED, error=error, timestamp=NOON)
    assert list(shown(TaskLife("t", None, result=result))) == [
        "task      t",
        "status    expired 2026-01-31 12:00:00Z",
        "attempt   1",
        "took      0.0 s",
        "error     expired: too late",
    ]


def test_a_letter_without_its_result_tells_attempts_and_error_itself() -> None:
    lines = list(shown(TaskLife("t", "a", has_log=False, letter=letter_of("t"))))
    assert lines[2] == "attempt   2"
    assert lines[5:] == [
        "error     timeout: it took too long",
        "letter    a dead letter (exhausted) on vm-2, 2026-01-31 12:00:00Z",
        "remedy    to have it done again: sutazai dlq replay --one t",
    ]


@pytest.mark.parametrize(
    ("kind", "data", "doing"),
    [
        (EventKind.ACCEPTED, {"queue_wait": 1.0}, "has taken it and lets it wait for its turn"),
        (EventKind.STARTED, {}, "works on it"),
        (EventKind.CHUNK, {"text": "x", "sequence": 0}, "writes its answer"),
        (EventKind.PROGRESS, {"fraction": 0.5, "message": "p. 3"}, "works on it: 50 %: p. 3"),
        (EventKind.PROGRESS, {"fraction": "all of it"}, "works on it"),
        (EventKind.RETRYING, {"delay": 5.0, "next_attempt": 2}, "failed at it: attempt 2 begins in 5.0 s"),
    ],
)
def test_a_step_is_told_in_words(kind: EventKind, data: dict[str, object], doing: str) -> None:
    event = TaskEvent(task_id="t", agent="a", kind=kind, host="vm-1", timestamp=NOON, data=data)
    lines = list(shown(TaskLife("t", "a", event=event)))
    assert " ".join(" ".join(lines[2:]).split()) == f"now vm-1 {doing} (attempt 1, 2026-01-31 12:00:00Z)"


@pytest.mark.parametrize(
    ("state", "doing"),
    [
        ("running", "vm-1 works on it since 2026-01-31 12:00:00Z (attempt 2)"),
        ("waiting", "vm-1 holds it since 2026-01-31 12:00:00Z, and it waits for its turn (attempt 2)"),
        ("settling", "vm-1 has ended its work on it, and tells the broker what came of it (attempt 2)"),
        ("a later word", "vm-1 works on it since 2026-01-31 12:00:00Z (attempt 2)"),
    ],
)
def test_the_place_of_a_held_task_is_told_in_words_and_below_its_latest_step(state: str, doing: str) -> None:
    place = Place("vm-1", "a", HeldTask(id="t", attempt=2, since=NOON, state=state))
    lines = list(shown(TaskLife("t", "a", place=place)))
    assert " ".join(" ".join(lines[2:]).split()) == f"now {doing}"
    event = TaskEvent(task_id="t", agent="a", kind=EventKind.STARTED, host="vm-1", timestamp=NOON)
    both = " ".join(" ".join(shown(TaskLife("t", "a", event=event, place=place))).split())
    assert both.endswith(f"now vm-1 works on it (attempt 1, 2026-01-31 12:00:00Z) {doing}")
    assert both.count("now") == 1


def test_what_nothing_tells_of_is_told_by_where_was_looked() -> None:
    sentence = no_trace(TaskLife("t\x07", None, has_log=False))
    assert sentence.startswith("no trace of task t\\x07: no log of results on this broker, no dead letter")
    assert "no result in the log" in no_trace(TaskLife("t", "a"))
