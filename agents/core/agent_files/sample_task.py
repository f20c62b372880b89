"""SampleTask: a task that an agent's file shows, for people to try."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import ValidationError

from schemas import TaskMessage
from schemas.faults import first_fault

_FIELDS: Final = ("prompt", "data", "type")


@dataclass(frozen=True, slots=True)
class SampleTask:
    """What such a task asks. `data` None means that it has none, `type` None the usual."""

    prompt: str | None = None
    data: Any = None
    type: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a TaskMessage that it gives."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def sample_tasks(key: str, value: object) -> tuple[SampleTask, ...]:
    """Read the tasks of a file: a list of prompts, or of mappings with prompt, data and type.

    Raises:
        ValueError: one of them is no task. The text names it.
    """
    if not isinstance(value, list):
        raise ValueError(f"{key} is {value!r}: give a list of prompts, such as [Why is the sky blue?]")  # noqa: TRY004 - a sentence
    return tuple(_sample(f"{key}[{number}]", item) for number, item in enumerate(value))


def _sample(where: str, item: object) -> SampleTask:
    given = {"prompt": item} if isinstance(item, str) else item
    if not isinstance(given, Mapping) or not given.keys() <= set(_FIELDS):
        raise ValueError(f"{where} is {item!r}: give a prompt in quotes, or a mapping with prompt, data or type")
    try:
        TaskMessage(agent="sample", **given)
        json.dumps(given, allow_nan=False)
    except ValidationError as error:
        raise ValueError(f"{where}: {first_fault(error)}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} cannot be written as JSON ({error}): put dates in quotes") from None
    return SampleTask(**given)
