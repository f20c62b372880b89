"""Which functions of a file ask the model, directly or through others: these become async, and their calls awaited."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from agents.core.migration.rewrite.family import Family
from agents.core.migration.rewrite.obstacles import obstacle
from agents.core.migration.syntax import Function

ROOTS = frozenset({"query_ollama", "process_task"})


@dataclass(frozen=True, slots=True)
class Asking:
    """Names of methods and of the module's functions that are awaited in v2 and were not in v1."""

    methods: frozenset[str]
    functions: frozenset[str]

    def named_by(self, node: ast.AST, family: Family) -> str | None:
        """Return the name of the function that an expression stands for, if it is one of these."""
        match node:
            case ast.Attribute(value=owner, attr=name) if name in self.methods:
                return name if name in ROOTS or family.is_agent(owner) else None
            case ast.Name(id=name, ctx=ast.Load()):
                if name in self.functions:
                    return name
                scope = family.around.scope(node)
                is_alias = isinstance(scope, ast.ClassDef) and scope.name in family.members and name in self.methods
                return name if is_alias else None
        return None

    def references(self, family: Family) -> Iterator[tuple[ast.expr, str]]:
        """Iterate over all expressions of the file that stand for one of these."""
        for node in ast.walk(family.source.tree):
            if isinstance(node, ast.expr) and (name := self.named_by(node, family)) is not None:
                yield node, name

    def defines(self, function: Function, family: Family) -> bool:
        """Say whether a function becomes async."""
        scope = family.around.scope(function)
        if isinstance(scope, ast.ClassDef):
            return family.members.get(scope.name) is scope and function.name in self.methods
        return isinstance(scope, ast.Module) and function.name in self.functions


def asking_of(family: Family) -> Asking:
    """Find them, until nothing is added: who calls one that asks asks too."""
    native = {method.name for _, method in family.methods() if isinstance(method, ast.AsyncFunctionDef)}
    found = Asking(ROOTS - native, frozenset())
    while True:
        methods, functions = set(found.methods), set(found.functions)
        for node, _ in found.references(family):
            scope = family.around.scope(node)
            if not isinstance(scope, ast.FunctionDef) or obstacle(scope, family):
                continue
            owner = family.around.scope(scope)
            (methods if isinstance(owner, ast.ClassDef) else functions).add(scope.name)
        grown = Asking(frozenset(methods), frozenset(functions))
        if grown == found:
            return found
        found = grown
