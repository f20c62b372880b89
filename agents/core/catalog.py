"""Agents without code: Markdown files whose front matter describes an agent and whose body is its system prompt."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import frontmatter
import yaml
from pydantic import Field, TypeAdapter, ValidationError

from agents.core.output.schema import schema_from
from agents.core.tiers import Tier
from schemas import AGENT_NAME_PATTERN, RetryRules

Number = TypeVar("Number", int, float)

CATALOG: Final = Path(__file__).parent.parent / "catalog"
"""The agents that come with the product."""

_KNOWN: Final = (
    "name",
    "description",
    "tier",
    "category",
    "model",
    "options",
    "max_attempts",
    "retry",
    "task_timeout",
    "output_model",
    "output_repairs",
)

_OPTIONS: Final = (
    "temperature",
    "max_tokens",
    "num_predict",
    "num_ctx",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "repeat_penalty",
)
"""Options of a model that are easily written beside `options` instead of in it."""

_ATTEMPTS: Final[TypeAdapter[int]] = TypeAdapter(Annotated[int, Field(ge=1, le=100)])
_REPAIRS: Final[TypeAdapter[int]] = TypeAdapter(Annotated[int, Field(ge=0, le=10)])
_SECONDS: Final[TypeAdapter[float]] = TypeAdapter(Annotated[float, Field(gt=0, allow_inf_nan=False)])


class AgentFileError(Exception):
    """A file is no agent. The text names the file, the key, its value and the remedy."""


@dataclass(frozen=True, slots=True)
class AgentFile:
    """One agent as its file describes it. `extra` keeps unknown keys.

    `model` None means that of its tier; `max_attempts`, `retry` and `task_timeout` (seconds) None mean the settings'.
    `output_model` is a JSON Schema, None where the answer is text; `output_repairs` None means the usual.
    """

    name: str
    description: str
    system_prompt: str
    path: Path
    tier: Tier = Tier.DEFAULT
    category: str = "general"
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    max_attempts: int | None = None
    retry: RetryRules | None = None
    task_timeout: float | None = None
    output_model: Mapping[str, Any] | None = None
    output_repairs: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def misspelt(self) -> Mapping[str, str]:
        """Keys of `extra` that are close to one with a meaning, and that one."""
        near = {key: _nearest(str(key)) for key in self.extra}
        return {str(key): meant for key, meant in near.items() if meant is not None}


def read_agent_file(path: Path) -> AgentFile:
    """Read one agent.

    Raises:
        AgentFileError: it cannot be read, or a key is missing or invalid.
    """
    with _readable(path):
        post = frontmatter.load(str(path))
    head = dict(post.metadata)
    return AgentFile(
        name=_name(path, str(head.get("name", path.stem))),
        description=_text(path, head, "description"),
        system_prompt=_system_prompt(path, post.content),
        path=path,
        tier=_tier(path, head.get("tier", Tier.DEFAULT)),
        category=str(head.get("category", "general")),
        model=None if head.get("model") is None else _text(path, head, "model"),
        options=_options(path, head.get("options") or {}),
        max_attempts=_number(path, head, "max_attempts", _ATTEMPTS),
        retry=_retry(path, head.get("retry")),
        task_timeout=_number(path, head, "task_timeout", _SECONDS),
        output_model=_output_model(path, head.get("output_model")),
        output_repairs=_number(path, head, "output_repairs", _REPAIRS),
        extra={key: value for key, value in head.items() if key not in _KNOWN},
    )


def find_agent_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Iterate over the Markdown files of agents in `folders`, in the order of the folders, then by path.

    Raises:
        AgentFileError: one of the files cannot be read.
    """
    for folder in folders:
        # A file without front matter, such as a README, is no agent.
        yield from (path for path in sorted(folder.rglob("*.md")) if _has_front_matter(path))


@lru_cache
def load_catalog(folders: tuple[Path, ...] = (CATALOG,)) -> Mapping[str, AgentFile]:
    """Return the agents in `folders` by name, read once for each process; the first of a name wins.

    Raises:
        AgentFileError: one of the files is no agent.
    """
    agents: dict[str, AgentFile] = {}
    for path in find_agent_files(folders):
        agent = read_agent_file(path)
        agents.setdefault(agent.name, agent)
    return agents


def _has_front_matter(path: Path) -> bool:
    with _readable(path):
        return bool(frontmatter.check(str(path)))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AgentFileError(f"{path}: cannot be read as Markdown with front matter: {error}") from error


def _name(path: Path, name: str) -> str:
    if not re.fullmatch(AGENT_NAME_PATTERN, name):
        raise AgentFileError(f"{path}: name {name!r} is not usable: lower-case letters, digits and hyphens only")
    return name


def _text(path: Path, head: Mapping[str, Any], key: str) -> str:
    value = head.get(key)
    if not isinstance(value, str) or not value.strip():
        raise AgentFileError(f"{path}: {key} is {value!r}: give it one line of text")
    return value.strip()


def _tier(path: Path, value: object) -> Tier:
    try:
        return Tier(str(value))
    except ValueError:
        raise AgentFileError(f"{path}: tier {value!r} is not known: use one of {', '.join(Tier)}") from None


def _options(path: Path, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AgentFileError(f"{path}: options is {value!r}: give a mapping such as {{temperature: 0.3}}")
    return value


def _number(path: Path, head: Mapping[str, Any], key: str, kind: TypeAdapter[Number]) -> Number | None:
    value = head.get(key)
    if value is None:
        return None
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise AgentFileError(f"{path}: {key} is {value!r}: {error.errors()[0]['msg']}") from None


def _retry(path: Path, value: object) -> RetryRules | None:
    if value is None:
        return None
    if isinstance(value, dict):
        # YAML 1.1 takes the bare word `on` for a boolean.
        value = {"on" if key is True else key: item for key, item in value.items()}
    known = set(RetryRules.model_fields)
    if not isinstance(value, dict) or not value.keys() <= known:
        raise AgentFileError(f"{path}: retry is {value!r}: give a mapping with some of {', '.join(sorted(known))}")
    try:
        return RetryRules.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise AgentFileError(f"{path}: retry.{where} is {fault['input']!r}: {fault['msg']}") from None


def _output_model(path: Path, value: object) -> Mapping[str, Any] | None:
    if value is None:
        return None
    try:
        return schema_from(value, path.parent)
    except ValueError as error:
        raise AgentFileError(f"{path}: output_model {error}") from error


def _nearest(key: str) -> str | None:
    if key in _OPTIONS:
        return f"options.{key}"
    return next(iter(get_close_matches(key.lower(), _KNOWN, n=1)), None)


def _system_prompt(path: Path, body: str) -> str:
    if not body.strip():
        raise AgentFileError(f"{path}: there is no system prompt: write it below the front matter")
    return body.strip()
