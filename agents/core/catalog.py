"""Agents without code: folders of Markdown files whose front matter describes an agent and whose body is its prompt."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from agents.core.agent_files.agent_file import AgentFile
from agents.core.agent_files.errors import AgentFileError
from agents.core.agent_files.reading import agent_in, read_agent_file

__all__ = [
    "CATALOG",
    "AgentFile",
    "AgentFileError",
    "Catalog",
    "load_catalog",
    "markdown_files",
    "read_agent_file",
    "read_catalog",
]

CATALOG: Final = Path(__file__).parent.parent / "catalog"
"""The agents that come with the product."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The agents of some folders by name, and the files there that are none, which hide nobody."""

    agents: Mapping[str, AgentFile]
    broken: tuple[AgentFileError, ...] = ()


@lru_cache
def read_catalog(folders: tuple[Path, ...] = (CATALOG,)) -> Catalog:
    """Read the agents in `folders`, once for each process; the first of a name wins."""
    agents: dict[str, AgentFile] = {}
    broken = list[AgentFileError]()
    for path in markdown_files(folders):
        try:
            agent = agent_in(path)
        except AgentFileError as error:
            broken.append(error)
        else:
            if agent is not None:
                agents.setdefault(agent.name, agent)
    return Catalog(agents, tuple(broken))


def load_catalog(folders: tuple[Path, ...] = (CATALOG,)) -> Mapping[str, AgentFile]:
    """Return the agents in `folders` by name; the first of a name wins. Broken files are passed over."""
    return read_catalog(folders).agents


def markdown_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Iterate over the Markdown files in `folders`, folder by folder, by path; those in hidden ones are left out."""
    for folder in folders:
        for path in sorted(folder.rglob("*.md")):
            if not any(part.startswith(".") for part in path.relative_to(folder).parts):
                yield path
