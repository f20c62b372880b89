"""What was typed -> a task, or one sentence that names the option, the value and the remedy. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from schemas import TaskMessage
from schemas.faults import first_fault

_OPTIONS: Final[Mapping[str, str]] = {
    "id": "--id",
    "task_id": "task id",
    "priority": "--priority",
    "timeout": "--deadline",
    "max_attempts": "--max-attempts",
    "retry": "--retry",
    "model": "--model",
}
"""Where a field is typed, if not under its own name."""


def task_of(*, data: str | None, metadata: Sequence[str], retry: Sequence[str], **fields: Any) -> TaskMessage:
    """Make the task that was typed; `data` is JSON, `metadata` and `retry` are KEY=VALUE each.

    Raises:
        ValueError: an option is unusable; the text is for people.
    """
    rules = _rules(pairs_of(retry, "--retry base=5")) if retry else None
    given = {name: value for name, value in fields.items() if value is not None}
    task = _valid(**given, data=_json(data), metadata=pairs_of(metadata, "--metadata order=17"), retry=rules)
    if task.retry is not None:
        task.retry.must_be_known()
    return task


def pairs_of(texts: Sequence[str], example: str) -> dict[str, str]:
    """Read KEY=VALUE, each of them; the last of a key wins. Raises ValueError, with the example."""
    parted = [text.partition("=") for text in texts]
    for key, mark, value in parted:
        if not (key and mark):
            raise ValueError(f"{key + mark + value!r} is no KEY=VALUE: write it like {example}")
    return {key: value for key, _, value in parted}


def sentence_of(error: ValidationError) -> str:
    """Return the first fault of what was typed in one sentence."""
    return first_fault(error, _OPTIONS)


def _rules(pairs: Mapping[str, str]) -> Mapping[str, Any]:
    return {key: tuple(value.split(",")) if key == "on" else value for key, value in pairs.items()}


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--data is no JSON: {error}") from None


def _valid(**fields: Any) -> TaskMessage:
    try:
        return TaskMessage(**fields)
    except ValidationError as error:
        raise ValueError(sentence_of(error)) from None
