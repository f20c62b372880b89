"""Calls that stop a whole event loop, where they stand in async functions. A short list of the usual ones."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.imports import Names
from agents.core.migration.syntax import Surroundings

_REMEDIES: Final = {
    "time.sleep": "write `await asyncio.sleep(...)`",
    "subprocess.run": "use `await asyncio.create_subprocess_exec(...)`, or asyncio.to_thread",
    "subprocess.call": "use `await asyncio.create_subprocess_exec(...)`, or asyncio.to_thread",
    "subprocess.check_call": "use `await asyncio.create_subprocess_exec(...)`, or asyncio.to_thread",
    "subprocess.check_output": "use `await asyncio.create_subprocess_exec(...)`, or asyncio.to_thread",
    "os.system": "use `await asyncio.create_subprocess_shell(...)`, or asyncio.to_thread",
    "urllib.request.urlopen": "use httpx.AsyncClient, or `await asyncio.to_thread(...)`",
    "input": "a task has no keyboard: take what is asked for from the task",
}
_PREFIXES: Final = {"requests.": "use httpx.AsyncClient, or `await asyncio.to_thread(...)`"}
_LOOP: Final = "read it in a function of its own, with `await asyncio.to_thread(...)`"


def blocking_calls(tree: ast.Module, names: Names, around: Surroundings) -> Iterator[tuple[ast.AST, Spot]]:
    """Iterate over all blocking calls, and loops over open files, wherever they stand, with what to do about them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            full = names.full(node.func) or ""
            remedy = _REMEDIES.get(full) or next(
                (told for front, told in _PREFIXES.items() if full.startswith(front)), ""
            )
            if remedy:
                yield node, Spot(line=node.lineno, message=f"{full} stops the event loop: {remedy}")
        elif isinstance(node, ast.For) and _is_open_file(node.iter, around):
            yield node, Spot(line=node.lineno, message=f"a loop over a file stops the event loop: {_LOOP}")


def blocking_in_async(tree: ast.Module, names: Names, around: Surroundings) -> Iterator[Spot]:
    """Iterate over those that stand in async functions."""
    for node, spot in blocking_calls(tree, names, around):
        if isinstance(around.scope(node), ast.AsyncFunctionDef):
            yield spot


def _is_open_file(iterated: ast.expr, around: Surroundings) -> bool:
    if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and iterated.func.id == "enumerate":
        return bool(iterated.args) and _is_open_file(iterated.args[0], around)
    if _is_open(iterated):
        return True
    return isinstance(iterated, ast.Name) and any(
        _is_open(item.context_expr)
        and isinstance(item.optional_vars, ast.Name)
        and item.optional_vars.id == iterated.id
        for ancestor, _ in around.ancestors(iterated)
        if isinstance(ancestor, ast.With)
        for item in ancestor.items
    )


def _is_open(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
