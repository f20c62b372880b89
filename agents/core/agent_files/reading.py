"""From a path to an AgentFile, with all that is wrong in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.core.agent_files.agent_file import AgentFile, notes_of
from agents.core.agent_files.errors import AgentFileError
from agents.core.agent_files.front_matter import UnreadableFile, read_front_matter
from agents.core.agent_files.keys import READERS, tier_of_model


def read_agent_file(path: Path) -> AgentFile:
    """Read one agent.

    Raises:
        AgentFileError: it cannot be read, or keys are missing or invalid.
    """
    agent = agent_in(path)
    if agent is None:
        raise AgentFileError(
            path, "it has no front matter: begin it with three lines, `---`, `description: What it does` and `---`"
        )
    return agent


def agent_in(path: Path) -> AgentFile | None:
    """Return the agent that a file holds; None for a file without front matter, such as a README.

    Raises:
        AgentFileError: as `read_agent_file`.
    """
    try:
        parts = read_front_matter(path)
    except UnreadableFile as error:
        raise AgentFileError(path, str(error)) from error
    return None if parts is None else _agent(path, *parts)


def _agent(path: Path, head: Mapping[str, Any], body: str) -> AgentFile:
    given = {"name": path.stem} | {key: value for key, value in head.items() if value is not None}
    values, faults = _values(given, path.parent)
    if "description" not in given:
        faults.append("description is missing: give it one line of text")
    if not body.strip():
        faults.append("there is no system prompt: write it below the front matter")
    extra = {key: value for key, value in head.items() if key not in READERS}
    if faults:
        raise AgentFileError(path, *faults, notes=notes_of(extra, values.get("options", {})))
    return AgentFile(**_at_home(values), system_prompt=body.strip(), path=path, extra=extra)


def _values(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the known keys' values, and a sentence for each that is not usable."""
    values: dict[str, Any] = {}
    faults = list[str]()
    for key, read in READERS.items():
        try:
            if key in given:
                values[key] = read(key, given[key], folder)
        except ValueError as error:
            faults.append(str(error))
    return values, faults


def _at_home(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with another program's word for a model put as a tier; the file's own tier wins."""
    is_elsewhere, tier = tier_of_model(values.get("model") or "")
    if not is_elsewhere:
        return values
    return ({} if tier is None else {"tier": tier}) | values | {"model": None}
