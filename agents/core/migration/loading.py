"""Loading an agent's file as `python FILE` would, and yet many into one process: each folder's modules are its own."""

import builtins
import importlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from agents.core.migration.aliases import house_import
from agents.core.migration.legacy_base import runs_nothing
from agents.core.settings import SettingsError


class AgentLoadError(SettingsError):
    """A file cannot be loaded, or holds no agent. The text names the file, and the line where there is one."""


def load_agent_file(path: Path) -> ModuleType:
    """Return the module of an agent's file, loaded once for each process. Its main block does not run.

    It is called by a name that no other has, and so are the modules beside it, which it imports by their own: two
    folders may both have a `helpers.py`. What the file puts on `sys.path` stays there, behind what was there before; of
    the command line it sees its own path alone.

    Raises:
        AgentLoadError: it does not compile, a module is missing, or it raises.
    """
    folder = _Folder(path.resolve().parent)
    if not path.stem.replace("-", "_").isidentifier():
        raise AgentLoadError(f"{path}: {path.stem!r} is no module's name: use letters, digits, hyphens and underscores")
    importlib.invalidate_caches()
    with _path_kept(), _own_command_line(path), _told(path), runs_nothing():
        return importlib.import_module(f"{folder.join_modules()}.{path.stem}")


class _Folder:
    """The folder of an agent, as a package under a name of our own making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        readable = re.sub(r"\W", "_", path.name)
        self.package = f"agent_{readable}_{sha256(str(path).encode()).hexdigest()[:8]}"
        self.builtins = {**vars(builtins), "__import__": self.import_module}

    def join_modules(self) -> str:
        """Make the package known, and return its name."""
        if self.package not in sys.modules:
            package = ModuleType(self.package, f"The modules in {self.path}.")
            package.__path__ = [str(self.path)]
            vars(package)[_FOLDER] = self
            sys.modules[self.package] = package
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
        return self.package

    def import_module(
        self,
        name: str,
        globals_: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what an import statement in this folder asks for: what lies here goes before everything else."""
        front = name.partition(".")[0]
        if level or not self._holds(front):
            return house_import(name, globals_, locals_, fromlist, level)
        module = importlib.import_module(f"{self.package}.{name}")
        if fromlist:
            return builtins.__import__(module.__name__, fromlist=fromlist)
        return sys.modules[f"{self.package}.{front}"]

    def _holds(self, front: str) -> bool:
        inside = self.path / front
        if (inside / "migration" / Path(__file__).name).exists():
            return False  # this product's own `core`, of which there shall be one
        return (self.path / f"{front}.py").is_file() or (inside.is_dir() and any(inside.glob("*.py")))


_FOLDER = "__agent_folder__"


class _Finder(MetaPathFinder):
    """Finds the modules of agents' folders, whose import statements are then answered by their folder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = getattr(sys.modules.get(fullname.partition(".")[0]), _FOLDER, None)
        if folder is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(folder, spec.loader)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module that imports by way of its folder, also when it does so late, within a function."""

    def __init__(self, folder: _Folder, usual: SourceFileLoader) -> None:
        super().__init__(usual.name, usual.path)
        self._folder = folder

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._folder.builtins
        super().exec_module(module)


@contextmanager
def _path_kept() -> Iterator[None]:
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before + [entry for entry in sys.path if entry not in before]


@contextmanager
def _own_command_line(path: Path) -> Iterator[None]:
    """Hide this program's options from a file that reads its own while it is loaded."""
    before = sys.argv
    sys.argv = [str(path)]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what loading raises into one sentence with its place."""
    try:
        yield
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno}"
        raise AgentLoadError(f"{place}: it does not compile: {error.msg}") from error
    except ModuleNotFoundError as error:
        raise AgentLoadError(
            f"{_place(path, error)}: no module {error.name!r}: install it, or mend PYTHONPATH"
        ) from error
    except (Exception, SystemExit) as error:
        raise AgentLoadError(f"{_place(path, error)}: it cannot be loaded: {type(error).__name__}: {error}") from error


def _place(path: Path, error: BaseException) -> str:
    folder = str(path.resolve().parent)
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(folder)]
    return f"{inside[-1].filename}:{inside[-1].lineno}" if inside else str(path)
