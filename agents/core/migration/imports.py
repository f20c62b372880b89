"""What the names of a module stand for, by its imports: whatever spelling, whatever alias."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from agents.core.migration.syntax import dotted, within_scope


@dataclass(frozen=True, slots=True)
class Names:
    """Local name -> dotted name, such as `Agent` -> `shared.agent_base.BaseAgent`; a relative import begins with dots.

    `starred` are the modules of which all names were taken.
    """

    known: Mapping[str, str]
    starred: tuple[str, ...] = ()

    def full(self, node: ast.AST) -> str | None:
        """Return the dotted name that an expression stands for; one that was not imported is its own."""
        spelt = dotted(node)
        if spelt is None:
            return None
        front, dot, rest = spelt.partition(".")
        return self.known.get(front, front) + dot + rest


def names_of(tree: ast.Module) -> Names:
    """Read the imports of a module, and its plain aliases (`Base = agent_base.BaseAgent`), in their order.

    What an `except` imports stands for nothing where the `try` has imported the name already.
    """
    known: dict[str, str] = {}
    starred: list[str] = []
    fallbacks = {node for part in ast.walk(tree) if isinstance(part, ast.ExceptHandler) for node in within_scope(part)}
    for node in within_scope(tree):
        for name, full in _bound(node, known):
            if name == "*":
                starred.append(full)
            elif not (node in fallbacks and name in known):
                known[name] = full
    return Names(known, tuple(starred))


def _bound(node: ast.AST, known: Mapping[str, str]) -> list[tuple[str, str]]:
    match node:
        case ast.Import(names=aliases):
            # `import a.b` binds a, `import a.b as c` binds a.b.
            return [(alias.asname, alias.name) if alias.asname else (_front(alias.name),) * 2 for alias in aliases]
        case ast.ImportFrom(names=aliases):
            module = module_of(node)
            return [
                ("*", module) if alias.name == "*" else (alias.asname or alias.name, joined(module, alias.name))
                for alias in aliases
            ]
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute() | ast.Name() as value):
            full = Names(known).full(value)
            return [(name, full)] if full is not None and full.partition(".")[0] != name else []
    return []


def module_of(node: ast.ImportFrom) -> str:
    """Return the module that a `from` names, with its dots where it is relative."""
    return "." * node.level + (node.module or "")


def joined(module: str, name: str) -> str:
    """Return the dotted name of what a module holds, also where the module is nothing but dots."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def _front(module: str) -> str:
    return module.partition(".")[0]
