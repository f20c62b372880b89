"""A task as old code knows it: a dict that is its own to change. Pure."""

from typing import Any

from schemas import TaskMessage


class LegacyTask(dict[str, Any]):
    """A dict whose `get` takes a field that holds None for one that is missing, as a TaskMessage does."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field, or `default` where it is missing or None."""
        value = super().get(key)
        return default if value is None else value


def legacy_task(task: TaskMessage) -> LegacyTask:
    """Return all fields of a task as JSON has them, and beside them the keys of `data` that no field of it fills."""
    told = task.model_dump(mode="json")
    data = told["data"] if isinstance(told["data"], dict) else {}
    beside = {key: value for key, value in data.items() if told.get(key) is None}
    return LegacyTask({**told, **beside})
