"""Whether a v1 agent may return an error as a dict, which v2 would take for a completed result."""

import ast

from agents.core.migration.results import ERROR
from agents.core.migration.rewrite.family import Family
from agents.core.migration.syntax import Function, within_scope


def may_return_error(function: Function, family: Family, seen: frozenset[str] = frozenset()) -> bool:
    """Say so unless each `return` is a dict with another "status" in plain sight, or a method of which that holds."""
    returned = [node.value for node in within_scope(function) if isinstance(node, ast.Return)]
    return any(_may_be_error(value, family, seen | {function.name}) for value in returned)


def _may_be_error(value: ast.expr | None, family: Family, seen: frozenset[str]) -> bool:
    match value:
        case None:
            return False
        case ast.Dict(keys=keys, values=values):
            told = dict(
                zip((key.value if isinstance(key, ast.Constant) else None for key in keys), values, strict=True)
            )
            status = told.get("status")
            # What is spread into the dict, or computed as a key, may be a status.
            is_plain = None not in told and (status is None or isinstance(status, ast.Constant))
            return not is_plain or (isinstance(status, ast.Constant) and status.value == ERROR)
        case ast.Await(value=inner):
            return _may_be_error(inner, family, seen)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name not in seen:
            methods = [method for _, method in family.methods() if method.name == name]
            return not methods or any(may_return_error(method, family, seen) for method in methods)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"))):
            return False
    return True
