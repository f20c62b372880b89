"""Questions about syntax trees: what stands around a node, in which scope it runs, how a name is spelt."""

import ast
from collections.abc import Iterator
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module


class Surroundings:
    """The parents of all nodes of a tree."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return what `node` stands in; None for the module."""
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Iterate over (ancestor, the child of it that leads to `node`), from the inside out."""
        child = node
        while (parent := self._parents.get(child)) is not None:
            yield parent, child
            child = parent

    def scope(self, node: ast.AST) -> Scope:
        """Return where `node` runs: defaults, decorators and annotations run outside of their function."""
        for ancestor, child in self.ancestors(node):
            if isinstance(ancestor, ast.Lambda) and child is ancestor.body:
                return ancestor
            if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and child in ancestor.body:
                return ancestor
        return self.tree

    def method_of(self, node: ast.AST) -> Function | None:
        """Return the outermost function that `node` runs in: a method, or a function of the module."""
        found: Function | None = None
        scope = self.scope(node)
        while not isinstance(scope, ast.Module):
            found = scope if is_function(scope) else found
            scope = self.scope(scope)
        return found

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the outermost class that `node` runs in."""
        found: ast.ClassDef | None = None
        scope = self.scope(node)
        while not isinstance(scope, ast.Module):
            found = scope if isinstance(scope, ast.ClassDef) else found
            scope = self.scope(scope)
        return found


def is_function(node: ast.AST) -> TypeGuard[Function]:
    """Say whether a node is a `def`, async or not."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def dotted(node: ast.AST) -> str | None:
    """Return `a.b.c` for an expression that is spelt so; None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (front := dotted(node.value)) is not None:
        return f"{front}.{node.attr}"
    return None


def methods_of(node: ast.ClassDef) -> Iterator[Function]:
    """Iterate over the functions that a class defines, also under an `if` or a `try`."""
    return (child for child in within_scope(node) if is_function(child))


def within_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Iterate over what runs in a scope itself, and the functions, lambdas and classes in it, but not into them."""
    # A stack of our own: a sum of a thousand terms is nested as deep as Python's.
    waiting = list(ast.iter_child_nodes(scope))[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not (is_function(node) or isinstance(node, ast.Lambda | ast.ClassDef)):
            waiting += list(ast.iter_child_nodes(node))[::-1]


def first_parameter(function: Function) -> str | None:
    """Return the name under which a method knows its object, usually `self`."""
    names = [*function.args.posonlyargs, *function.args.args]
    return names[0].arg if names else None


def is_super(node: ast.AST) -> bool:
    """Say whether an expression is `super()` or `super(Class, self)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
