"""The v1 agents of one file: their classes, the functions around them, and what expressions stand for an agent."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from agents.core.migration.imports import Names, names_of
from agents.core.migration.lineage import Generation, Lineage, Lineages, classes_of
from agents.core.migration.source import Source
from agents.core.migration.syntax import Function, Surroundings, is_function, is_super, methods_of, within_scope


@dataclass(frozen=True, slots=True)
class Family:
    """What of a file the rewrite has to see as one.

    `agents` are the classes that stand on the v1 base, `members` these and the classes of the file that they inherit.
    """

    source: Source
    names: Names
    around: Surroundings
    agents: dict[str, ast.ClassDef]
    members: dict[str, ast.ClassDef]
    lineages: dict[str, Lineage]
    functions: dict[str, Function]
    instances: frozenset[str]

    def methods(self) -> Iterator[tuple[ast.ClassDef, Function]]:
        """Iterate over the methods of all members with their class."""
        for member in self.members.values():
            yield from ((member, method) for method in methods_of(member))

    def is_agent(self, node: ast.expr) -> bool:
        """Say whether an expression is an agent of this file: `self`, `super()`, its class, a new or a named one."""
        if isinstance(node, ast.Call) and not is_super(node):
            return isinstance(node.func, ast.Name) and node.func.id in self.members
        if isinstance(node, ast.Name) and node.id not in ("self", "cls"):
            return node.id in self.members or node.id in self.instances
        is_own = is_super(node) or isinstance(node, ast.Name)
        owner = self.around.class_of(node)
        return is_own and owner is not None and self.members.get(owner.name) is owner

    def own_attributes(self) -> Iterator[ast.Attribute]:
        """Iterate over all `self.x` of the members' methods."""
        for member in self.members.values():
            for node in ast.walk(member):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                    yield node


def family_of(source: Source, lineages: Lineages) -> Family:
    """Find the v1 agents of a file; `agents` is empty where it has none."""
    classes = {node.name: node for node in classes_of(source.tree)}
    found = {name: lineages.lineage(source, node) for name, node in classes.items()}
    lines = {name: line for name, line in found.items() if line is not None and line.generation is Generation.V1}
    agents = {name: classes[name] for name in lines}
    members = dict(agents)
    waiting = list(agents.values())
    while waiting:
        bases = [base.id for base in waiting.pop().bases if isinstance(base, ast.Name)]
        new = {name: classes[name] for name in bases if name in classes and name not in members}
        members |= new
        waiting += new.values()
    return Family(
        source=source,
        names=names_of(source.tree),
        around=Surroundings(source.tree),
        agents=agents,
        members=members,
        lineages=lines,
        functions={node.name: node for node in within_scope(source.tree) if is_function(node)},
        instances=frozenset(_instances(source.tree, members)),
    )


def _instances(tree: ast.Module, members: dict[str, ast.ClassDef]) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=made))) if made in members:
                yield name
