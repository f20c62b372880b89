from types import MappingProxyType

import pytest
from pydantic import BaseModel

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
