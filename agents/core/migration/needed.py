"""Modules that a file imports and that are not to be found here. Nothing is imported to find out."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.imports import module_of
from agents.core.migration.lineage import is_v1_module
from agents.core.migration.source import Source

_OURS: Final = frozenset({"core", "agents"})
"""What old files find in this product, where they have none of their own: see `aliases`."""


def missing_modules(source: Source) -> dict[str, Spot]:
    """Return the modules, by their top-level name, that loading a file needs and neither Python nor its folders have.

    Imports in a `try` or in a function are not counted: the file may well do without.
    """
    missing = dict[str, Spot]()
    for node in _at_once(source.tree):
        for front in _fronts(node):
            if not _is_here(front, source.path):
                message = f"{front} is not installed here, and is imported: install it where the agent runs"
                missing.setdefault(front, Spot(line=node.lineno, message=message))
    return missing


def _at_once(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def _fronts(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Iterate over the top-level names that a statement asks for, the base of the first generation left out."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif node.level or any(is_v1_module(alias.name) for alias in node.names):
        return
    else:
        modules = [module_of(node)]
    yield from (module.partition(".")[0] for module in modules if not is_v1_module(module))


def _is_here(front: str, file: Path) -> bool:
    beside = (folder / front for folder in file.parents)
    if front in _OURS or any(place.with_name(f"{front}.py").is_file() or any(place.glob("*.py")) for place in beside):
        return True
    try:
        return find_spec(front) is not None
    except ValueError:  # a module that was made by hand and is loaded already
        return True
