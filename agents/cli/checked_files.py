"""`sutazai agents check`: what is wrong in agents' files, and what is there and does nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.core.agent_files.reading import agent_in
from agents.core.catalog import AgentFile, AgentFileError, markdown_files, read_agent_file


@dataclass(slots=True)
class Report:
    """What was found, as pairs of a path and a sentence."""

    faults: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    agents: int = 0

    def lines(self) -> Iterator[str]:
        """Iterate over the lines that tell it, the sum last."""
        for path, fault in self.faults:
            yield f"{_near(path)}: {fault}"
        for path, note in self.notes:
            yield f"{_near(path)}: note: {note}"
        fine = f"{_count(self.agents, 'agent')} {'is' if self.agents == 1 else 'are'} fine"
        files = _count(len({path for path, _ in self.faults}), "file")
        yield f"{_count(len(self.faults), 'fault')} in {files}; {fine}" if self.faults else fine


@dataclass(slots=True)
class _Desk:
    """Where files are checked one after the other; it remembers who had a name first."""

    report: Report = field(default_factory=Report)
    _owners: dict[str, tuple[Path, Path]] = field(default_factory=dict)

    def check(self, root: Path, path: Path) -> None:
        """Check one file that was found below `root`."""
        try:
            # A file that was named is meant to be an agent; in a folder, there may be a README.
            agent = read_agent_file(path) if path == root else agent_in(path)
        except AgentFileError as error:
            self.report.faults += [(path, fault) for fault in error.faults]
            self.report.notes += [(path, note) for note in error.notes]
            return
        if agent is None:
            self._note_plain(path)
        elif self._owns_its_name(agent, root):
            self.report.agents += 1
            self.report.notes += [(path, note) for note in agent.notes()]

    def _note_plain(self, path: Path) -> None:
        if path.stem.upper() != "README":
            self.report.notes.append((path, "no agent: it has no front matter"))

    def _owns_its_name(self, agent: AgentFile, root: Path) -> bool:
        first, first_root = self._owners.setdefault(agent.name, (agent.path, root))
        if first == agent.path:
            return True
        if first_root == root:
            told = f"name {agent.name!r} is that of {_near(first)} too: give each agent a name of its own"
            self.report.faults.append((agent.path, told))
        else:
            told = f"{_near(first)} comes first and hides it: both have the name {agent.name!r}"
            self.report.notes.append((agent.path, told))
        return False


def checked(roots: Sequence[Path]) -> Report:
    """Check files, and all agents in folders. A file that is in two of them is checked once."""
    desk = _Desk()
    seen = set[Path]()
    for root in roots:
        for path in markdown_files([root]) if root.is_dir() else [root]:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                desk.check(root, path)
    return desk.report


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _near(path: Path) -> Path:
    """Return a path as people here would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
