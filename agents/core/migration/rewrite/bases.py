"""The base class itself: where it comes from, and how its `__init__` is called."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from agents.core.migration.findings import Spot
from agents.core.migration.imports import joined, module_of
from agents.core.migration.lineage import is_v1_module
from agents.core.migration.rewrite.family import Family
from agents.core.migration.rewrite.v2_names import init_arguments
from agents.core.migration.syntax import dotted, is_super, methods_of


@dataclass(frozen=True, slots=True)
class Base:
    """The v1 base of a file: the modules that it comes from, and how it is spelt in the code."""

    modules: frozenset[str]
    spellings: frozenset[str]


def base_of(family: Family) -> Base:
    """Find the modules of the base in a file, also those that it falls back to, and the spellings of the base."""
    modules = frozenset(module for module in _imported(family.source.tree) if is_v1_module(module))
    full = {f"{module}.BaseAgent" for module in modules}
    expressions = (node for node in ast.walk(family.source.tree) if isinstance(node, ast.Name | ast.Attribute))
    spelt = (dotted(node) for node in expressions if family.names.full(node) in full)
    return Base(modules, frozenset(name for name in spelt if name is not None))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = module_of(node)
            yield module
            yield from (joined(module, alias.name) for alias in node.names)


def refused_bases(family: Family, base: Base) -> Iterator[Spot]:
    """Iterate over bases in other files, other uses of their module, and calls of `__init__` that v2 does not take."""
    for name, node in family.agents.items():
        through = family.lineages[name].through
        if through:
            message = f"{name} derives from a class in {through[0].name}, which is v1: move that class into this file"
            yield Spot(line=node.lineno, message=message)
        if node.keywords:
            yield Spot(line=node.lineno, message=f"{name} has a metaclass or class arguments: look at them by hand")
    yield from _other_uses(family, base)
    for node, call in init_calls(family):
        yield from _refused_init(node, call, family)
    for node in family.agents.values():
        yield from _without_super(node, family)


def roots_of(family: Family, base: Base) -> Iterator[str]:
    """Iterate over the classes that derive from the base itself."""
    for name, node in family.agents.items():
        if any(dotted(expression) in base.spellings for expression in node.bases):
            yield name


def _other_uses(family: Family, base: Base) -> Iterator[Spot]:
    for node in ast.walk(family.source.tree):
        if isinstance(node, ast.ImportFrom) and module_of(node) in base.modules:
            others = [alias.name for alias in node.names if alias.name != "BaseAgent"]
            if others:
                told = "all its names" if "*" in others else ", ".join(others)
                yield Spot(line=node.lineno, message=f"{told} come from the v1 base's module, which is gone in v2")
        elif (
            isinstance(node, ast.Attribute)
            and family.names.full(node.value) in base.modules
            and node.attr != "BaseAgent"
        ):
            message = f"{node.attr} comes from the v1 base's module, which is gone in v2"
            yield Spot(line=node.lineno, message=message)
        elif (
            isinstance(node, ast.Name | ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and dotted(node) in base.spellings
        ):
            yield Spot(line=node.lineno, message=f"{dotted(node)} is assigned as well as imported: keep one of them")


def init_calls(family: Family) -> Iterator[tuple[ast.ClassDef, ast.Call]]:
    """Iterate over the calls that reach the `__init__` of the v1 base, with the class that makes them."""
    base = base_of(family)
    for node in family.agents.values():
        for call in ast.walk(node):
            match call:
                case ast.Call(func=ast.Attribute(value=owner, attr="__init__")):
                    by_super = is_super(owner) and not _inherits_init(node, family)
                    if by_super or dotted(owner) in base.spellings:
                        yield node, call


def _inherits_init(node: ast.ClassDef, family: Family) -> bool:
    """Say whether a class of this file stands between the class and the base's `__init__`."""
    bases = [family.members[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in family.members]
    return any(_has_init(base) or _inherits_init(base, family) for base in bases)


def _has_init(node: ast.ClassDef) -> bool:
    return any(method.name == "__init__" for method in methods_of(node))


def _refused_init(node: ast.ClassDef, call: ast.Call, family: Family) -> Iterator[Spot]:
    given = call.args if isinstance(call.func, ast.Attribute) and is_super(call.func.value) else call.args[1:]
    if not isinstance(family.around.parent(call), ast.Expr):
        yield Spot(line=call.lineno, message="the call of the base's __init__ is no statement of its own: make it one")
    spread = any(isinstance(argument, ast.Starred) for argument in given) or any(not word.arg for word in call.keywords)
    if len(given) > 1 or spread:
        message = f"{node.name} gives the base's __init__ more than config_path, or all that it got: name its arguments"
        yield Spot(line=call.lineno, message=message)
    unknown = [word.arg for word in call.keywords if word.arg is not None and word.arg not in init_arguments()]
    if unknown:
        yield Spot(line=call.lineno, message=f"BaseAgentV2 takes no {', '.join(unknown)}: keep it in the class itself")


def _without_super(node: ast.ClassDef, family: Family) -> Iterator[Spot]:
    reached = {owner.name for owner, _ in init_calls(family)}
    if _has_init(node) and node.name not in reached and not _inherits_init(node, family):
        yield Spot(line=node.lineno, message=f"{node.name}.__init__ does not call super().__init__, which v2 needs")
