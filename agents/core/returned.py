"""From what a handler returned to a TaskResult."""

from collections.abc import Mapping

from pydantic import BaseModel

from agents.core.model.errors import InvalidOutput
from agents.core.output.fault import Unfit
from agents.core.output.output import Output
from schemas import TaskMessage, TaskResult, TaskStatus


def result_of(returned: object, task: TaskMessage, output: Output | None = None) -> TaskResult:
    """Read what `process_task` returned: a TaskResult as it is; a dict, a model, text or anything else is completed.

    With `output`, what a completed task holds is that: a text is read as its JSON.

    Raises:
        TypeError: it returned None, which is a forgotten `return` far more often than an answer.
        InvalidOutput: it does not fit `output`.
    """
    if returned is None:
        raise TypeError("process_task returned None: return a TaskResult, a dict, a pydantic model or a text")
    if not isinstance(returned, TaskResult):
        return TaskResult(task_id=task.id, status=TaskStatus.COMPLETED, result=_plain(returned, output))
    if output is None or returned.status is not TaskStatus.COMPLETED:
        return returned
    return returned.model_copy(update={"result": _plain(returned.result, output)})


def _plain(returned: object, output: Output | None) -> object:
    if output is not None:
        return _fitting(returned, output)
    if isinstance(returned, BaseModel):
        return returned.model_dump(mode="json")
    return dict(returned) if isinstance(returned, Mapping) else returned


def _fitting(returned: object, output: Output) -> object:
    try:
        return output.plain(returned)
    except Unfit as unfit:
        raise InvalidOutput(
            f"process_task returned what does not fit {output.name}: {unfit}; "
            "return what the agent's output_model says",
            path=unfit.faults[0].path,
        ) from unfit
