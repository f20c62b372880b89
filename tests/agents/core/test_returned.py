from types import MappingProxyType

import pytest
from pydantic import BaseModel

from agents.core.model.errors import InvalidOutput
from agents.core.output.output import output_of
from agents.core.returned import result_of
from schemas import TaskMessage, TaskResult, TaskStatus

TASK = TaskMessage(agent="worker", prompt="Do it")


class Answer(BaseModel):
    text: str


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        ({"response": "x"}, {"response": "x"}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Answer(text="x"), {"text": "x"}),
        ("text", "text"),
        ("", ""),
        ([1, 2], [1, 2]),
        (0, 0),
    ],
)
def test_whatever_is_returned_is_the_result_of_a_completed_task(returned: object, result: object) -> None:
    read = result_of(returned, TASK)
    assert (read.task_id, read.status, read.result) == (TASK.id, TaskStatus.COMPLETED, result)


def test_a_task_result_is_taken_as_it_is() -> None:
    given = TaskResult(task_id=TASK.id, status=TaskStatus.FAILED, error="no")
    assert result_of(given, TASK) is given


def test_none_is_taken_for_a_forgotten_return() -> None:
    with pytest.raises(TypeError, match="process_task returned None: return a TaskResult, a dict"):
        result_of(None, TASK)


@pytest.mark.parametrize(
    "returned",
    [
        Answer(text="x"),
        {"text": "x"},
        '{"text": "x"}',
        TaskResult(task_id="t", status=TaskStatus.COMPLETED, result='{"text": "x"}'),
    ],
    ids=["model", "dict", "text", "TaskResult"],
)
def test_with_an_output_the_result_is_that(returned: object) -> None:
    assert result_of(returned, TASK, output_of(Answer)).result == {"text": "x"}


@pytest.mark.parametrize(
    "returned",
    [{"text": 1}, "x", [1], TaskResult(task_id="t", status=TaskStatus.COMPLETED, result={"text": 1})],
    ids=["dict", "text", "list", "TaskResult"],
)
def test_what_does_not_fit_the_output_is_refused(returned: object) -> None:
    with pytest.raises(
        InvalidOutput, match=r"process_task returned what does not fit Answer: .*; return what the agent"
    ):
        result_of(returned, TASK, output_of(Answer))


def test_a_failure_needs_no_output() -> None:
    given = TaskResult(task_id=TASK.id, status=TaskStatus.FAILED, error="no")
    assert result_of(given, TASK, output_of(Answer)) is given
