"""Where agents lie in a tree of folders: the files to read, and what could not be looked into."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agents.core.kebab import agent_name_from

MAIN_FILES: Final = ("agent.py", "app.py")
"""What the file of a v1 agent is called in its folder; the first that holds an agent is the agent."""

_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env", "tests", "test"})


@dataclass(frozen=True, slots=True)
class Place:
    """One agent, or a file that may be one: `is_main` says that its name alone makes it an agent."""

    name: str
    files: tuple[Path, ...]
    is_main: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be looked into, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class Places:
    """What a walk found, in the order of the paths."""

    places: list[Place] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)


def places_in(root: Path) -> Places:
    """Look through a folder, or take a single file as one place.

    Environments, hidden folders and tests are skipped; links are followed, each folder is read once.
    """
    found = Places()
    if not root.is_dir():
        found.places.append(Place(_name_of(root), (root,), is_main=True))
        return found
    for folder, names in _folders(root, found.troubles):
        files = list(_regular(folder, names, found.troubles))
        mains = tuple(folder / name for name in MAIN_FILES if folder / name in files)
        if mains:
            found.places.append(Place(_name_of(mains[0]), mains, is_main=True))
        others = (path for path in files if path not in mains and not _is_test(path.name))
        found.places += [Place(path.stem, (path,), is_main=False) for path in others]
    return found


def queue_name(file: Path) -> str:
    """Return what a wrapped agent, and so its queue, is called by its file's place, where AGENT_NAME is not set."""
    return agent_name_from(_name_of(file.resolve()))


def _name_of(path: Path) -> str:
    return path.resolve().parent.name if path.name in MAIN_FILES else path.stem


def _folders(root: Path, troubles: list[Trouble]) -> Iterator[tuple[Path, list[str]]]:
    def note(error: OSError) -> None:
        troubles.append(Trouble(Path(error.filename), f"cannot be looked into: {error.strerror}"))

    seen = {_identity(root)}
    for folder, folders, names in os.walk(root, followlinks=True, onerror=note):
        here = Path(folder)
        folders[:] = [name for name in sorted(folders) if _is_entered(here / name, seen, troubles)]
        yield here, sorted(names)


def _is_entered(path: Path, seen: set[tuple[int, int]], troubles: list[Trouble]) -> bool:
    if path.name.startswith(".") or path.name in _SKIPPED or (path / "pyvenv.cfg").exists():
        return False
    identity = _identity(path)
    if identity in seen:
        troubles.append(Trouble(path, "is a link to a folder that is read elsewhere: not followed"))
        return False
    seen.add(identity)
    return True


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _regular(folder: Path, names: list[str], troubles: list[Trouble]) -> Iterator[Path]:
    for name in names:
        path = folder / name
        if name.endswith(".py") and not name.startswith("."):
            try:
                # A pipe that is called agent.py would be waited for for ever.
                if not stat.S_ISREG(path.stat().st_mode):
                    troubles.append(Trouble(path, "is no regular file: not read"))
                    continue
            except OSError as error:
                troubles.append(Trouble(path, f"cannot be read: {error.strerror}"))
                continue
            yield path


def _is_test(name: str) -> bool:
    return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
