"""A task as old code knows it: a dict that is its own to change. Pure."""

from typing import Any, Final

from schemas import TaskMessage

_UNTYPED: Final = TaskMessage.model_fields["type"].default
"""What stands in `type` where the sender gave none: on the wire the two are the same."""


class LegacyTask(dict[str, Any]):
    """A dict whose `get` takes a field that holds None, or a type that nobody gave, for one that is missing."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field, or `default` where it is missing, None, or a `type` of "default"."""
        value = super().get(key)
        is_missing = value is None or (key == "type" and value == _UNTYPED)
        return default if is_missing else value


def legacy_task(task: TaskMessage) -> LegacyTask:
    """Return all fields of a task as JSON has them, and beside them the keys of `data` that no field of it fills."""
    told = task.model_dump(mode="json")
    data = told["data"] if isinstance(told["data"], dict) else {}
    beside = {key: value for key, value in data.items() if told.get(key) is None}
    return LegacyTask({**told, **beside})
