"""Ways of v1 that an agent relies on and that v2 has not: `@as_v1` keeps them, and each is told as a note."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.rewrite.asking import Asking
from agents.core.migration.rewrite.family import Family
from agents.core.migration.rewrite.outcomes import may_return_error
from agents.core.migration.syntax import Function, dotted

_ALIKE: Final = frozenset({"id", "agent", "type", "data", "priority", "stream", "options", "metadata"})
"""Fields that a task has in both generations, with the same value. Others were filled from `data`, or are no texts."""

_GOT_OTHERWISE: Final = frozenset({"type"})
"""Of these, what `get` takes for missing where nobody gave it, which a TaskMessage does not."""

_NOT_RAISED: Final = frozenset(
    {"KeyError", "IndexError", "LookupError", "ValueError", "TypeError", "AttributeError", "json.JSONDecodeError"}
)
"""Errors that no query raises."""


def kept_ways(family: Family, asking: Asking) -> Iterator[Spot]:
    """Iterate over what the agents rely on, with what to do so that they need `@as_v1` no longer."""
    for _, method in family.methods():
        if method.name == "process_task" and may_return_error(method, family):
            yield _spot(method, "it may return an error as a dict: raise PermanentError(message) there")
        for name in _task_names(method):
            yield from (_spot(use, _TASK) for use in _uses(method, name) if not _is_alike(use, family))
    for node, name in asking.references(family):
        if name == "process_task":
            yield _spot(node, "process_task is called with a dict: put what it does into a method of its own")
        elif _is_caught(node, family):
            yield _spot(
                node, "what this query raises is caught: let ModelError pass, so that an outage uses no attempt"
            )


_TASK: Final = "a task is used as the dict that it was: read the fields of a TaskMessage, such as task['data']['...']"


def _spot(node: ast.expr | Function, message: str) -> Spot:
    return Spot(line=node.lineno, message=f"@as_v1 is needed, since {message}")


def _task_names(method: Function) -> set[str]:
    names = [argument.arg for argument in (*method.args.posonlyargs, *method.args.args)]
    return ({"task"} & set(names)) | (set(names[1:2]) if method.name == "process_task" else set())


def _uses(method: Function, name: str) -> Iterator[ast.Name]:
    return (node for node in ast.walk(method) if isinstance(node, ast.Name) and node.id == name)


def _is_alike(use: ast.Name, family: Family) -> bool:
    """Say whether a use of a task is the same for a TaskMessage: a field is read, or a method of the agent gets it."""
    parent = family.around.parent(use)
    match parent:
        case ast.Subscript(slice=ast.Constant(value=key), ctx=ast.Load()):
            return key in _ALIKE and not _is_changed(parent, family)
        case ast.Attribute(attr="get"):
            call = family.around.parent(parent)
            asked = call.args[0] if isinstance(call, ast.Call) and call.args else None
            return isinstance(asked, ast.Constant) and asked.value in _ALIKE - _GOT_OTHERWISE
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            methods = [method for _, method in family.methods() if method.name == name]
            return bool(methods) and all(use.id in _task_names(method) for method in methods)
    return False


def _is_changed(node: ast.AST, family: Family) -> bool:
    for ancestor, _ in family.around.ancestors(node):
        if not isinstance(ancestor, ast.Subscript | ast.Attribute):
            return False
        if not isinstance(ancestor.ctx, ast.Load):
            return True
    return False


def _is_harmless(caught: ast.expr | None) -> bool:
    """Say whether a handler catches nothing that a query raises."""
    if isinstance(caught, ast.Tuple):
        return all(map(_is_harmless, caught.elts))
    return caught is not None and dotted(caught) in _NOT_RAISED


def _is_caught(node: ast.AST, family: Family) -> bool:
    return any(
        isinstance(ancestor, ast.Try | ast.TryStar)
        and child in ancestor.body
        and any(not _is_harmless(handler.type) for handler in ancestor.handlers)
        for ancestor, child in family.around.ancestors(node)
    )
