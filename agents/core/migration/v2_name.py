"""What an agent of the second generation calls itself, read from its class."""

import ast

from agents.core.kebab import agent_name_from
from agents.core.migration.syntax import dotted


def v2_name(node: ast.ClassDef) -> str | None:
    """Return the name that a class gives to `__init__` of its base, else the class's own; None where it is made."""
    inits = [call for call in ast.walk(node) if isinstance(call, ast.Call) and _is_init(call.func)]
    given = [word for call in inits for word in call.keywords if word.arg in ("name", None)]
    if not given:
        return agent_name_from(node.name)
    match given[0].value:
        case ast.Constant(value=str() as name):
            return name
        case ast.Call(func=func, args=[ast.Constant(value=str() as name)]) if _is_v1_name(func):
            return name
    return None


def _is_init(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr == "__init__"


def _is_v1_name(func: ast.expr) -> bool:
    return (dotted(func) or "").rpartition(".")[2] == "v1_name"
