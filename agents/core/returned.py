"""From what a handler returned to a TaskResult."""

from collections.abc import Mapping

from pydantic import BaseModel

from schemas import TaskMessage, TaskResult, TaskStatus


def result_of(returned: object, task: TaskMessage) -> TaskResult:
    """Read what `process_task` returned: a TaskResult as it is; a dict, a model, text or anything else is completed.

    Raises:
        TypeError: it returned None, which is a forgotten `return` far more often than an answer.
    """
    if isinstance(returned, TaskResult):
        return returned
    if returned is None:
        raise TypeError("process_task returned None: return a TaskResult, a dict, a pydantic model or a text")
    return TaskResult(task_id=task.id, status=TaskStatus.COMPLETED, result=_plain(returned))


def _plain(returned: object) -> object:
    if isinstance(returned, BaseModel):
        return returned.model_dump(mode="json")
    return dict(returned) if isinstance(returned, Mapping) else returned
