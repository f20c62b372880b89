"""Coroutines of a v2 agent that nobody awaits."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.syntax import Function, Surroundings, is_function, is_super, methods_of, within_scope

QUERIES: Final = frozenset({"query_ollama", "query_ollama_chat"})

_TAKES_COROUTINES: Final = frozenset(
    {"gather", "create_task", "ensure_future", "wait_for", "wait", "shield", "as_completed", "run", "append", "call"}
)
"""Functions and methods that may be given a coroutine which was not awaited."""


def unawaited(node: ast.ClassDef, around: Surroundings) -> Iterator[Spot]:
    """Iterate over the queries and own async methods of a v2 class whose coroutine is used as if it were the answer."""
    own = {method.name for method in methods_of(node) if isinstance(method, ast.AsyncFunctionDef)}
    for method in methods_of(node):
        if method.name == "process_task" and isinstance(method, ast.FunctionDef):
            yield Spot(line=method.lineno, message="process_task is not async: write `async def process_task`")
        for call in _calls(method):
            name = _asked(call, own)
            if name is not None and not _is_handed_on(call, around):
                yield Spot(
                    line=call.lineno, message=f"the coroutine of {name} is not awaited: write `await {name}(...)`"
                )


def _calls(method: Function) -> Iterator[ast.Call]:
    return (node for node in ast.walk(method) if isinstance(node, ast.Call))


def _asked(call: ast.Call, own: set[str]) -> str | None:
    match call.func:
        case ast.Attribute(value=ast.Name(id="self" | "cls" as owner), attr=name) if name in own | QUERIES:
            return f"{owner}.{name}"
        case ast.Attribute(value=value, attr=name) if is_super(value) and name in own | QUERIES:
            return f"super().{name}"
    return None


def _is_handed_on(call: ast.Call, around: Surroundings) -> bool:
    """Say whether the coroutine is awaited, given to somebody who awaits it, or returned by a function that is sync."""
    for ancestor, child in around.ancestors(call):
        match ancestor:
            case ast.Await():
                return True
            case ast.Call(func=func) if child is not func:
                return _name(func) in _TAKES_COROUTINES
            case ast.Return() | ast.Lambda():
                return not isinstance(around.scope(call), ast.AsyncFunctionDef)
            case ast.Assign(targets=[ast.Name(id=name)]):
                return _is_used_later(name, around.scope(call), around)
            case ast.Attribute() | ast.Subscript() | ast.BinOp() | ast.Compare() | ast.FormattedValue() | ast.stmt():
                return False
    return False


def _is_used_later(name: str, scope: ast.AST, around: Surroundings) -> bool:
    """Say whether a coroutine with a name is awaited, or handed on, in the same function."""
    for node in within_scope(scope):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            for ancestor, child in around.ancestors(node):
                if isinstance(ancestor, ast.Await):
                    return True
                if isinstance(ancestor, ast.Call) and child is not ancestor.func:
                    return _name(ancestor.func) in _TAKES_COROUTINES
                if isinstance(ancestor, ast.stmt) or is_function(ancestor):
                    break
    return False


def _name(func: ast.expr) -> str | None:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else None
