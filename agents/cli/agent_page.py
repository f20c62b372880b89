"""One agent as a page, and as JSON. Pure."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.text import Text

from agents.cli.agent_table import brief_of
from agents.cli.shown_letters import plain
from agents.core.agent_files.sample_task import SampleTask
from agents.core.catalog import AgentFile
from agents.core.model.choice import ModelChoice
from agents.core.tiers import Tier, TierSettings

Tiers = Mapping[Tier, TierSettings]

_OF_SCHEMAS: Final = ("properties", "$defs", "definitions")
"""Keys of a JSON Schema that hold further ones by name."""


def page_of(agent: AgentFile, tiers: Tiers) -> Iterator[Text]:
    """Iterate over the page's lines. Those that must not be broken, such as commands, have `no_wrap`."""
    yield Text(agent.name, style="bold")
    yield from _lines(agent.description)
    yield Text()
    for name, value in _rows(agent, tiers):
        yield Text(f"{name:<10}", style="dim", no_wrap=True).append(plain(value), style="not dim")
    if agent.examples:
        yield from _heading("Try it")
        for sample in agent.examples:
            yield Text("  ", no_wrap=True).append(command_of(agent.name, sample))
    yield from _heading("System prompt")
    yield from _lines(agent.system_prompt)
    yield from _schema("Tasks bring JSON of this schema", agent.input_model)
    yield from _schema("Answers are JSON of this schema", agent.output_model)
    if notes := list(agent.notes()):
        yield from _heading("Notes")
        yield from (Text(plain(note)) for note in notes)


def facts_of(agent: AgentFile, tiers: Tiers) -> dict[str, Any]:
    """Return all of an agent as JSON has it, with the model and the options that the settings give it."""
    model, options = _choice(agent, tiers)
    return brief_of(agent) | {
        "model": model,
        "options": options,
        "max_attempts": agent.max_attempts,
        "retry": None if agent.retry is None else agent.retry.model_dump(mode="json"),
        "task_timeout": agent.task_timeout,
        "input_model": agent.input_model,
        "output_model": agent.output_model,
        "output_repairs": agent.output_repairs,
        "examples": [sample.fields for sample in agent.examples],
        "system_prompt": agent.system_prompt,
        "notes": list(agent.notes()),
    }


def command_of(name: str, sample: SampleTask) -> str:
    """Return the command that gives an agent a task of its file and waits, ready for a shell."""
    words = ["sutazai", "submit", name, "--wait"]
    if sample.type is not None:
        words += ["--type", sample.type]
    if sample.data is not None:
        words += ["--data", json.dumps(sample.data, ensure_ascii=False)]
    prompt = sample.prompt or ""
    # Else the command line would take a prompt that begins with a hyphen for an option.
    words += ["--", prompt] if prompt.startswith("-") else [prompt]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word for a shell, and so that people can still read it and their terminal does not obey it."""
    if any(not (mark.isprintable() or mark == "\n") for mark in word):
        return "$'" + "".join(map(_escaped, word)) + "'"
    if "'" not in word:
        return shlex.quote(word)
    if any(mark in word for mark in '"$`\\!'):
        return "'" + word.replace("'", r"'\''") + "'"
    return f'"{word}"'


def _escaped(mark: str) -> str:
    """Return a character within $'...', as bash and zsh read it."""
    if mark in "'\\":
        return f"\\{mark}"
    return mark if mark.isprintable() else f"\\U{ord(mark):08x}"


def _rows(agent: AgentFile, tiers: Tiers) -> Iterator[tuple[str, str]]:
    model, options = _choice(agent, tiers)
    yield "tier", agent.tier.value
    yield "category", agent.category
    yield "model", model if agent.model else f"{model} (the tier's)"
    yield "options", ", ".join(f"{name} {value}" for name, value in options.items())
    if agent.max_attempts is not None:
        yield "attempts", str(agent.max_attempts)
    if agent.retry is not None:
        rules = agent.retry.model_dump(mode="json", exclude_none=True)
        yield "retry", ", ".join(f"{name} {value}" for name, value in rules.items())
    if agent.task_timeout is not None:
        yield "timeout", f"{agent.task_timeout:g} s for an attempt"
    yield "file", str(agent.path)


def _choice(agent: AgentFile, tiers: Tiers) -> tuple[str, dict[str, Any]]:
    choice = ModelChoice.of_tier(tiers[agent.tier].as_dict()).with_agent(agent.model, agent.options)
    return choice.for_call(None, None, {})


def _schema(heading: str, schema: Mapping[str, Any] | None) -> Iterator[Text]:
    if schema is not None:
        yield from _heading(heading)
        yield from map(Text, map(plain, _schema_lines(schema)))


def _schema_lines(schema: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over a schema's keys, one a line, and below those that hold named schemas one line for each."""
    for key, value in schema.items():
        if key in _OF_SCHEMAS and isinstance(value, Mapping):
            yield f"{key}:"
            yield from (f"  {name}: {_flow(part)}" for name, part in value.items())
        else:
            yield f"{key}: {_flow(value)}"


def _flow(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _heading(text: str) -> Iterator[Text]:
    yield Text()
    yield Text(text, style="bold")


def _lines(text: str) -> Iterator[Text]:
    return (Text(plain(line)) for line in text.splitlines())
