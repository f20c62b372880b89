"""Module names that old files import, and what they get where no module of that name is to be found.

Files that this product loads get it by `house_import`, without a trace elsewhere. In a program of somebody's own,
`join_old_bases` does it for the base of the first generation.
"""

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pkgutil import extend_path
from types import ModuleType
from typing import Any, Final

from agents.core.migration import legacy_base
from agents.core.migration.lineage import is_v1_module
from agents.core.module_aliases import ModuleAliases

OLD_BASES: Final = ("agent_base", "shared.agent_base", "agents.agent_base")
"""What the first generation called the module of its base."""


def join_old_bases() -> None:
    """Let every import of an old base in this process find ours, where there is no module of that name."""
    if not any(isinstance(finder, _OldBases) for finder in sys.meta_path):
        sys.meta_path.append(_OldBases(dict.fromkeys(OLD_BASES, legacy_base.__name__).get))


class _OldBases(ModuleAliases):
    """Comes last, so that what is on the path goes first; where even the package is missing, it is an empty one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in {name.rpartition(".")[0] for name in OLD_BASES}:
            return ModuleSpec(fullname, None, is_package=True)
        return super().find_spec(fullname, path, target)


def house_import(
    name: str,
    globals_: Mapping[str, Any] | None = None,
    locals_: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import as the statement does, and give our own where there is no such module.

    `agent_base`, in whatever package, is the first generation's base; `core` is `agents.core`, the same modules. What
    is on the path goes before both, also a folder `agents` beside ours.

    Raises:
        ImportError: as the statement does.
    """
    if name.startswith("agents."):
        _join_folders()
    try:
        found = builtins.__import__(name, globals_, locals_, fromlist or (), level)
    except ImportError as error:
        if not _is_about(error, name, level):
            raise
        stand_in = _stand_in(name, fromlist or ())
        if stand_in is None:
            raise
        found = stand_in
    wanted = [part for part in fromlist or () if is_v1_module(part) and not hasattr(found, part)]
    return _with(found, wanted[0]) if wanted else found


def _join_folders() -> None:
    """Let folders `agents` that have come onto the path join the package, ours first."""
    package = sys.modules["agents"]
    package.__path__ = extend_path(package.__path__, "agents")


def _is_about(error: ImportError, name: str, level: int) -> bool:
    """Say whether an error is that this module, or a package of it, does not exist, and no other fault in it."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if level:
        return missing is None or missing.endswith(name)
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def _stand_in(name: str, fromlist: Sequence[str]) -> ModuleType | None:
    front, _, rest = name.partition(".")
    if is_v1_module(name):
        return legacy_base if fromlist or not rest else _with(sys.modules.get(front), rest)
    if front == "core":
        leaf = importlib.import_module(f"agents.{name}")
        if fromlist:
            return builtins.__import__(leaf.__name__, fromlist=fromlist)  # imports the submodules among them
        return sys.modules["agents.core"]
    if any(is_v1_module(part) for part in fromlist):
        return ModuleType(name)
    return None


def _with(module: ModuleType | None, path: str) -> ModuleType:
    """Return a stand-in for a package, with all that it has and the base of the first generation at `path`."""
    stand_in = ModuleType("stand_in" if module is None else module.__name__)
    vars(stand_in).update({} if module is None else vars(module))
    front, _, rest = path.partition(".")
    setattr(stand_in, front, _with(getattr(stand_in, front, None), rest) if rest else legacy_base)
    return stand_in
