"""AgentFile: one agent as its file describes it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from agents.core.agent_files.keys import OPTIONS, READERS
from agents.core.agent_files.sample_task import SampleTask
from agents.core.tiers import Tier
from schemas import RetryRules

_HEADLINE: Final = 120
"""Characters of a description's first line that a list can do with; of a longer one it takes the first sentence."""


@dataclass(frozen=True, slots=True)
class AgentFile:
    """One agent as its file describes it. `extra` keeps unknown keys.

    `model` None means that of its tier; `max_attempts`, `retry` and `task_timeout` (seconds) None mean the settings'.
    `input_model` is a JSON Schema, None where any task will do; `output_model` is one, None where the answer is text;
    `output_repairs` None means the usual.
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
    input_model: Mapping[str, Any] | None = None
    output_model: Mapping[str, Any] | None = None
    output_repairs: int | None = None
    examples: tuple[SampleTask, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The description on one line, for lists: its first line, or of a long one the first sentence."""
        line = " ".join(self.description.split("\n", 1)[0].split())
        return line if len(line) <= _HEADLINE else re.split(r"(?<=[.!?]) ", line, maxsplit=1)[0]

    @property
    def misspelt(self) -> Mapping[str, str]:
        """Keys of `extra` that are close to one with a meaning, and that one."""
        return _misspelt(self.extra)

    @property
    def has_tools(self) -> bool:
        """Whether the file names tools, as files for other programs do: agents here have none."""
        return bool(self.extra.get("tools"))

    def notes(self) -> Iterator[str]:
        """Iterate over what stands in the file and does nothing, one sentence each."""
        return notes_of(self.extra, self.options)


def notes_of(extra: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over what the unknown keys and the options of a file do not do, one sentence each."""
    meant = _misspelt(extra)
    for key in map(str, extra):
        if key in meant:
            yield f"{key} is kept and not used: did you mean {meant[key]}?"
        elif key == "tools":
            yield "tools is kept and not used: agents here have no tools"
        else:
            yield f"{key} is kept and not used"
    for key in options:
        near = get_close_matches(str(key), OPTIONS, n=1)
        if key not in OPTIONS and near:
            yield f"options.{key} goes to the model server as it is: did you mean {near[0]}?"


def _misspelt(extra: Mapping[str, Any]) -> Mapping[str, str]:
    near = {str(key): _nearest(str(key)) for key in extra}
    return {key: meant for key, meant in near.items() if meant is not None}


def _nearest(key: str) -> str | None:
    if key in OPTIONS:
        return f"options.{key}"
    return next(iter(get_close_matches(key.lower(), READERS, n=1)), None)
