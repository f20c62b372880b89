"""What each key of an agent's file may hold. Pure: a reader returns the value, or raises ValueError with a sentence."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field, StrictFloat, StrictInt, StrictStr, TypeAdapter, ValidationError

from agents.core.agent_files.sample_task import sample_tasks
from agents.core.model.names import true_name
from agents.core.output.schema import schema_from
from agents.core.tiers import Tier
from schemas import AGENT_NAME_PATTERN, RetryRules

Kind = TypeAdapter[Any]

NAME_LENGTH: Final = 100
"""Of an agent's name, as in every message."""

_WHOLE: Final = TypeAdapter(StrictInt)
_POSITIVE: Final = TypeAdapter(Annotated[StrictInt, Field(ge=1)])
_FROM_ZERO: Final = TypeAdapter(Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)])
_SHARE: Final = TypeAdapter(Annotated[StrictFloat, Field(ge=0, le=1)])

OPTIONS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "temperature": _FROM_ZERO,
        "max_tokens": _WHOLE,
        "num_predict": _WHOLE,
        "num_ctx": _POSITIVE,
        "top_p": _SHARE,
        "top_k": _WHOLE,
        "min_p": _SHARE,
        "seed": _WHOLE,
        "stop": TypeAdapter(StrictStr | list[StrictStr]),
        "repeat_penalty": _FROM_ZERO,
    }
)
"""The usual options of a model, and what they hold. Others go to the model server as they are."""

_ELSEWHERE: Final[Mapping[str, Tier | None]] = MappingProxyType(
    {"opus": Tier.OPUS, "sonnet": Tier.SONNET, "haiku": Tier.DEFAULT, "inherit": None}
)
"""What files for other programs write under `model`, and the tier that stands for it here; None for the file's own."""


def slug_of(text: str) -> str:
    """Return the name of an agent that is nearest to a text; empty where nothing of it is usable."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_LENGTH]


def agent_name(key: str, value: object) -> str:
    """Return a name that an agent may have. Raises ValueError."""
    name = str(value)
    if re.fullmatch(AGENT_NAME_PATTERN, name) and len(name) <= NAME_LENGTH:
        return name
    near = slug_of(name)
    remedy = f": {near} would do" if near else ""
    raise ValueError(
        f"{key} {name!r} is not usable: lower-case letters, digits and hyphens only, at most {NAME_LENGTH}{remedy}"
    )


def _name(key: str, value: object) -> str:
    # YAML 1.1 reads 007 as 7, 1:30 as 90 and `no` as False: which of these was meant, nobody knows.
    if not isinstance(value, str):
        raise ValueError(f"{key} is {value!r}: put it in quotes")  # noqa: TRY004 - a sentence
    return agent_name(key, value)


def text(key: str, value: object) -> str:
    """Return a text that is not empty. Raises ValueError."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is {value!r}: give it one line of text")
    return value.strip()


def tier_of_model(model: str) -> tuple[bool, Tier | None]:
    """Return whether a model's name is another program's word for a kind of model, and the tier for that."""
    word = model.lower()
    parts = word.split("-") if word.startswith("claude-") else [word]
    found = next((part for part in parts if part in _ELSEWHERE), None)
    return found is not None, _ELSEWHERE.get(found or "")


def _model(key: str, value: object) -> str:
    return true_name(text(key, value))


def _tier(key: str, value: object) -> Tier:
    try:
        return Tier(str(value))
    except ValueError:
        raise ValueError(f"{key} {value!r} is not known: use one of {', '.join(Tier)}") from None


def _options(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}: give a mapping such as {{temperature: 0.3}}")  # noqa: TRY004 - a sentence
    for name, item in value.items():
        if name in OPTIONS:
            _valid(OPTIONS[name], f"{key}.{name}", item)
        elif not _is_json({name: item}):
            raise ValueError(f"{key} has {name!r}: {item!r}, which is no JSON: put names and dates in quotes")
    return value


def _is_json(mapping: Mapping[Any, object]) -> bool:
    try:
        return bool(json.loads(json.dumps(mapping, allow_nan=False)) == mapping)
    except (TypeError, ValueError, RecursionError):
        return False


def _valid(kind: Kind, key: str, value: object) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{key} is {value!r}: {error.errors()[0]['msg']}") from None


def _retry(key: str, value: object) -> RetryRules:
    if isinstance(value, dict):
        # YAML 1.1 takes the bare word `on` for a boolean.
        value = {"on" if name is True else name: item for name, item in value.items()}
    known = set(RetryRules.model_fields)
    if not isinstance(value, dict) or not value.keys() <= known:
        raise ValueError(f"{key} is {value!r}: give a mapping with some of {', '.join(sorted(known))}")
    try:
        return RetryRules.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{key}.{where} is {fault['input']!r}: {fault['msg']}") from None


def _schema(key: str, value: object, folder: Path) -> Mapping[str, Any]:
    try:
        return schema_from(value, folder)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from error
    except RecursionError:
        raise ValueError(f"{key} holds itself: an alias there stands for what is around it") from None


def _alone(read: Callable[[str, object], Any]) -> "Reader":
    return lambda key, value, _folder: read(key, value)


Reader = Callable[[str, object, Path], Any]
"""Takes a key, its value, and the folder that paths in it are relative to."""

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "name": _alone(_name),
        "description": _alone(text),
        "tier": _alone(_tier),
        "category": _alone(text),
        "model": _alone(_model),
        "options": _alone(_options),
        "max_attempts": _alone(partial(_valid, TypeAdapter(Annotated[StrictInt, Field(ge=1, le=100)]))),
        "retry": _alone(_retry),
        "task_timeout": _alone(partial(_valid, TypeAdapter(Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)]))),
        "input_model": _schema,
        "output_model": _schema,
        "output_repairs": _alone(partial(_valid, TypeAdapter(Annotated[StrictInt, Field(ge=0, le=10)]))),
        "examples": _alone(sample_tasks),
    }
)
"""Every key with a meaning: the fields of AgentFile. A key without a value counts as absent."""
