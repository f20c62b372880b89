"""What a v1 agent's return value means: the one rule for wrapped agents and for rewritten ones."""

from collections.abc import Mapping
from typing import Any, Final

from bus.errors import PermanentError
from schemas import TaskError, TaskMessage, TaskResult, TaskStatus

ERROR: Final = "error"
"""The "status" of a v1 result that failed; every other one succeeded."""

_TOLD_IN: Final = ("message", "error", "error_message", "reason", "detail")


def v1_result(returned: object, task: TaskMessage) -> object:
    """Return a failed TaskResult for a v1 error, which holds the whole dict too; anything else as it is.

    A v1 error is a mapping whose "status" is "error". It is permanent, as v1 never tried again.
    """
    if not (isinstance(returned, Mapping) and returned.get("status") == ERROR):
        return returned
    error = TaskError(code=PermanentError.code, message=_message(returned), retryable=False)
    return TaskResult(task_id=task.id, status=TaskStatus.FAILED, result=dict(returned), error=error)


def _message(returned: Mapping[Any, Any]) -> str:
    told = next((returned[key] for key in _TOLD_IN if returned.get(key)), None)
    return str(told) if told is not None else "the agent returned status error and no message"
