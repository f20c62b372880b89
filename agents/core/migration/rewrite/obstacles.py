"""Why a function cannot become async without changing what others make of it."""

import ast
from typing import Final

from agents.core.migration.rewrite.family import Family
from agents.core.migration.syntax import Function, dotted, first_parameter, within_scope

_HARMLESS: Final = frozenset(
    {"staticmethod", "classmethod", "override", "typing.override", "abstractmethod", "abc.abstractmethod"}
)
_PROPERTIES: Final = frozenset({"property", "cached_property", "functools.cached_property"})
OBJECT: Final = frozenset({"self", "cls"})


def obstacle(function: Function, family: Family) -> str | None:
    """Return the reason as the end of a sentence, None where there is none."""
    scope = family.around.scope(function)
    is_method = isinstance(scope, ast.ClassDef) and family.members.get(scope.name) is scope
    if not (is_method or isinstance(scope, ast.Module)):
        return f"{function.name} is a function inside of another, or of a class that is no agent: make it a method"
    if function.name.startswith("__") and function.name.endswith("__"):
        return f"{function.name} cannot be async: ask in process_task, or in a method that it awaits"
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in within_scope(function)):
        return f"{function.name} is a generator: let it return a list"
    return _decorated(function) or (_unusual(function) if is_method else None)


def _decorated(function: Function) -> str | None:
    for decorator in function.decorator_list:
        name = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator) or "a decorator"
        if name in _PROPERTIES or name.endswith((".setter", ".deleter")):
            return f"{function.name} is a property, which nobody can await: make it a method"
        if name not in _HARMLESS:
            return f"@{name} may not take an async function: look, and take it off {function.name} or replace it"
    return None


def _unusual(function: Function) -> str | None:
    is_static = any(dotted(decorator) == "staticmethod" for decorator in function.decorator_list)
    if is_static or first_parameter(function) in OBJECT:
        return None
    return f"{function.name} does not call its object self: name its first parameter so"
