"""Of which generation a class is: its bases followed through imports, aliases and files beside it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from agents.core.migration.imports import Names, names_of
from agents.core.migration.source import Source, read_source
from agents.core.migration.syntax import within_scope

_V1_MODULES: Final = frozenset({"agent_base", "base_agent"})
"""Last part of the module that v1 agents take `BaseAgent` from: agent_base, shared.agent_base, agents.agent_base."""
_V2_CLASSES: Final = frozenset({"BaseAgentV2", "BaseAgent", "MarkdownAgent"})
_V2_MODULES: Final = frozenset({"base_agent_v2", "markdown_agent"})

MAX_DEPTH: Final = 10
"""Files that a base class is followed through; a real one is found in two."""


class Generation(StrEnum):
    """Which base class an agent stands on."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the line of a class ends: the dotted name of the base, and the files on the way to it."""

    generation: Generation
    base: str
    through: tuple[Path, ...] = ()


class Lineages:
    """Finds the lineage of classes in one tree of files; each file is read once.

    Args:
        root: the folder above which no file is looked for.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[Path, Source | None] = {}

    def lineage(self, source: Source, node: ast.ClassDef) -> Lineage | None:
        """Return the lineage of a class; None where no base of it is an agent's."""
        return self._of_class(source, node, MAX_DEPTH)

    def _of_class(self, source: Source, node: ast.ClassDef, depth: int) -> Lineage | None:
        found = (self._of_name(source, full, depth) for full in _bases(names_of(source.tree), node))
        return next((lineage for lineage in found if lineage is not None), None)

    def _of_name(self, source: Source, full: str, depth: int) -> Lineage | None:
        """Follow a dotted name as `source` sees it."""
        generation = _generation(full)
        if generation is not None:
            return Lineage(generation, full)
        if depth == 0:
            return None
        module, _, name = full.rpartition(".")
        if not module:
            own = _class_named(source.tree, name)
            return self._of_class(source, own, depth - 1) if own else None
        return self._elsewhere(source, module, name, depth)

    def _elsewhere(self, source: Source, module: str, name: str, depth: int) -> Lineage | None:
        for path in self._candidates(source.path, module):
            other = self._read(path)
            if other is None or other.path == source.path:
                continue
            names = names_of(other.tree)
            lineage = self._of_name(other, names.known.get(name, name), depth - 1)
            if lineage is not None:
                return Lineage(lineage.generation, lineage.base, (path, *lineage.through))
        return None

    def _candidates(self, path: Path, module: str) -> Iterator[Path]:
        """Iterate over files that a module may be: relative to its importer, or below any folder up to the root."""
        bare = module.lstrip(".")
        level = len(module) - len(bare)
        folders = [path.parent, *path.parent.parents]
        folders = [folder for folder in folders if folder.is_relative_to(self._root)] or [path.parent]
        for folder in folders[level - 1 : level] if level else folders:
            place = folder.joinpath(*bare.split(".")) if bare else folder
            yield place.with_name(f"{place.name}.py")
            yield place / "__init__.py"

    def _read(self, path: Path) -> Source | None:
        if path not in self._files:
            read = read_source(path) if path.is_file() else None
            self._files[path] = read if isinstance(read, Source) else None
        return self._files[path]


def _bases(names: Names, node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        full = names.full(base)
        if full is None:
            continue
        yield full
        if "." not in full and full not in names.known:
            yield from (f"{module}.{full}" for module in names.starred)


def is_v1_module(module: str) -> bool:
    """Say whether a module is one that v1 agents take their base from."""
    return module.rpartition(".")[2] in _V1_MODULES


def _generation(full: str) -> Generation | None:
    module, _, name = full.rpartition(".")
    tail = module.rpartition(".")[2]
    if is_v1_module(module) and name == "BaseAgent":
        return Generation.V1
    if (tail in _V2_MODULES or module == "agents") and name in _V2_CLASSES:
        return Generation.V2
    return None


def _class_named(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((node for node in classes_of(tree) if node.name == name), None)


def classes_of(tree: ast.Module) -> list[ast.ClassDef]:
    """Return the classes that a module defines, not those inside of functions and classes."""
    return [node for node in within_scope(tree) if isinstance(node, ast.ClassDef)]
