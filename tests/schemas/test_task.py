import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import TaskMessage, new_task_id
from schemas.task import END_OF_TIME
from tests.support.messages import moments, tasks

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_smallest_task_has_a_prompt_and_an_agent() -> None:
    task = TaskMessage(agent="summarizer", prompt="...")
    assert (task.type, task.priority, task.stream, task.deadline) == ("default", 4, False, None)
    assert task.created_at.tzinfo is UTC
    assert len(task.id) == len(new_task_id()) == 32
    assert task.id != TaskMessage(agent="summarizer", prompt="...").id


@given(tasks)
def test_a_task_survives_its_way_over_the_wire(task: TaskMessage) -> None:
    assert TaskMessage.model_validate_json(task.model_dump_json()) == task


def test_unknown_fields_are_kept_and_messages_are_frozen() -> None:
    task = TaskMessage.model_validate_json('{"agent": "a", "prompt": "x", "from_the_future": [1]}')
    assert task["from_the_future"] == [1]
    assert '"from_the_future":[1]' in task.model_dump_json()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(task, "prompt", "y")  # noqa: B010 - what a careless program does
    with pytest.raises(ValidationError, match="frozen"):
        setattr(task, "from_the_future", [])  # noqa: B010 - the same


def test_a_task_reads_as_a_mapping() -> None:
    task = TaskMessage(agent="a", data={"k": 1}, extra="x")
    assert (task["data"], task.get("extra"), task.get("prompt"), task.get("prompt", "none")) == (
        {"k": 1},
        "x",
        None,
        "none",
    )
    assert ("data" in task, "extra" in task, "nothing" in task, 1 in task) == (True, True, False, False)
    assert task.get("nothing", 7) == 7
    with pytest.raises(KeyError, match="nothing"):
        task["nothing"]
    with pytest.raises(KeyError):
        task["model_dump"]
    assert dict(task)["extra"] == "x"
    assert set(task.keys()) == {*TaskMessage.model_fields, "extra"}


def test_an_unknown_field_may_bear_the_name_of_a_method() -> None:
    task = TaskMessage.model_validate(
        {"agent": "a", "prompt": "x", "schema": {"type": "object"}, "get": 1, "copy": None}
    )
    assert (task["schema"], task.get("get"), task.get("copy", 2)) == ({"type": "object"}, 1, 2)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": None}, 'a task needs a "prompt"'),
        ({"prompt": " "}, 'a task needs a "prompt"'),
        ({"agent": "Not A Name"}, "agent\n.*'Not A Name'"),
        ({"agent": "a" * 101}, "agent\n.*at most 100"),
        ({"agent": "a\n"}, "agent"),
        ({"id": ""}, "id\n"),
        ({"id": "a" * 129}, "id\n"),
        ({"id": "zeile\n"}, "id\n"),
        ({"timeout": 0}, "timeout\n"),
        ({"timeout": float("inf")}, "timeout\n"),
        ({"timeout": 31_536_001}, "timeout\n"),
        ({"max_attempts": 0}, "max_attempts\n"),
        ({"model": ""}, "model\n"),
        ({"priority": 10}, "priority\n"),
        ({"priority": -1}, "priority\n"),
        ({"priority": "urgent"}, "priority 'urgent' is not known"),
        ({"deadline": "2026-11-22T12:00:00"}, "deadline\n.*timezone"),
        ({"created_at": "0001-01-01T00:00:00+23:00"}, "created_at\n.*outside the years 1 to 9999"),
        ({"options": [1]}, "options\n"),
    ],
)
def test_an_invalid_field_is_named(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TaskMessage(**{"agent": "a", "prompt": "x", **fields})


@pytest.mark.parametrize("field", sorted(TaskMessage.model_fields.keys() - {"data", "options", "metadata"}))
@pytest.mark.parametrize("number", [10**400, -(10**400), math.inf, -math.inf, math.nan, 1e300])
def test_a_number_that_nobody_can_mean_is_an_invalid_field_wherever_it_stands(field: str, number: float) -> None:
    with pytest.raises(ValidationError, match=rf"{field}\b"):
        TaskMessage.model_validate({"agent": "a", "data": 1, field: number})


def test_moments_are_kept_in_utc() -> None:
    task = TaskMessage(agent="a", prompt="x", deadline="2026-11-22T14:00:00+02:00")
    assert task.deadline == NOON
    assert '"deadline":"2026-11-22T12:00:00Z"' in task.model_dump_json()


def test_a_deadline_wins_over_a_timeout() -> None:
    assert TaskMessage(agent="a", prompt="x").expires_at() is None
    timed = TaskMessage(agent="a", prompt="x", created_at=NOON, timeout=60)
    assert timed.expires_at() == NOON + timedelta(minutes=1)
    assert timed.model_copy(update={"deadline": NOON}).expires_at() == NOON


@given(moments | st.just(END_OF_TIME), st.floats(0.001, 31_536_000))
def test_a_timeout_never_leads_out_of_time(created: datetime, timeout: float) -> None:
    expires = TaskMessage(agent="a", prompt="x", created_at=created, timeout=timeout).expires_at()
    assert expires is not None
    assert created <= expires <= END_OF_TIME
