"""State that an agent keeps between tasks. v1 did one task at a time, so its code may rely on that."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.rewrite.family import Family
from agents.core.migration.syntax import Function, dotted, within_scope

_STATELESS: Final = frozenset({"self.logger", "self.config"})
_READING: Final = frozenset(
    {"get", "keys", "values", "items", "copy", "count", "index", "format", "join", "split", "splitlines", "strip"}
    | {"lower", "upper", "startswith", "endswith", "replace", "encode", "title", "search", "match", "findall", "sub"}
)
"""Methods of the usual types that change nothing. Any other may."""
_READERS: Final = frozenset(
    {"len", "sorted", "dict", "list", "set", "tuple", "frozenset", "str", "repr", "min", "max", "sum", "any", "all"}
    | {"enumerate", "zip", "iter", "isinstance", "print", "bool", "json.dumps"}
)
"""Functions that do not change what they are given."""
_COLLECTIONS: Final = frozenset({"dict", "list", "set", "defaultdict", "deque", "Counter", "OrderedDict"})


def kept_state(family: Family) -> str | None:
    """Return the first thing that may be changed outside of `__init__`, as it is spelt; None where nothing is."""
    collections = frozenset(_collections(family))
    functions: list[Function] = [method for _, method in family.methods() if method.name != "__init__"]
    for function in (*functions, *family.functions.values()):
        for node in ast.walk(function):
            changed = _changed(node, collections) or _given_away(node, collections)
            if changed is not None and changed not in _STATELESS:
                return changed
    return None


def _changed(node: ast.AST, collections: frozenset[str]) -> str | None:
    match node:
        case ast.Global(names=[name, *_]):
            return name
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _owner(node, collections)
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name not in _READING:
            return _owner(value, collections)
    return None


def _given_away(node: ast.AST, collections: frozenset[str]) -> str | None:
    """Return a collection that gets a second name, or goes to a function that may change it."""
    match node:
        case ast.Assign(value=value) | ast.NamedExpr(value=value) | ast.Return(value=value):
            given = [value]
        case ast.Call(func=func, args=args) if dotted(func) not in _READERS:
            given = list(args)
        case _:
            return None
    spelt = (dotted(value) for value in given if value is not None)
    return next((name for name in spelt if name in collections), None)


def _owner(node: ast.expr, collections: frozenset[str]) -> str | None:
    """Return `self.x` for `self.x`, `self.x[...]` and `self.x.y`, and the module's own collection likewise."""
    while isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and not _is_own(node)):
        node = node.value
    spelt = dotted(node)
    return spelt if isinstance(node, ast.Attribute) or spelt in collections else None


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _collections(family: Family) -> Iterator[str]:
    """Iterate over the collections that outlive a task: those of the module, of the classes and of their objects."""
    for member in family.members.values():
        yield from (f"self.{name}" for name in _assigned(member))
        for node in ast.walk(member):
            if isinstance(node, ast.Assign | ast.AnnAssign) and _is_collection(node.value):
                yield from (name for name in map(dotted, _targets(node)) if name and name.startswith("self."))
    yield from _assigned(family.source.tree)


def _assigned(scope: ast.AST) -> Iterator[str]:
    for node in within_scope(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_collection(node.value):
            yield from (target.id for target in _targets(node) if isinstance(target, ast.Name))


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _is_collection(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return (dotted(value.func) or "").rpartition(".")[2] in _COLLECTIONS
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
