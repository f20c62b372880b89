"""Modules under a second name: whoever imports it gets the one module that there is, never a copy."""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class ModuleAliases(MetaPathFinder, Loader):
    """A finder for `sys.meta_path`; `meant` returns the name of the module that a name stands for, or None."""

    def __init__(self, meant: Callable[[str], str | None]) -> None:
        self._meant = meant

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the signature is importlib's
        target: ModuleType | None = None,  # noqa: ARG002 - the same
    ) -> ModuleSpec | None:
        """Return a spec for a name that stands for another."""
        return None if self._meant(fullname) is None else ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module that is meant in the place of the empty one; what stands there is what importlib gives."""
        meant = self._meant(module.__name__)
        assert meant is not None  # noqa: S101 - find_spec has asked
        sys.modules[module.__name__] = importlib.import_module(meant)


def join_core() -> None:
    """Make `core` another name of `agents.core`, and `core.x` of each module in it. Called while `core` is imported."""
    sys.modules["core"] = sys.modules["agents.core"]
    sys.meta_path.insert(0, ModuleAliases(lambda name: f"agents.{name}" if name.startswith("core.") else None))
