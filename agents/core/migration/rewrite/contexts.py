"""Places from which nobody can await: queries there are refused, with the reason."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.rewrite.asking import ROOTS, Asking
from agents.core.migration.rewrite.family import Family
from agents.core.migration.rewrite.obstacles import obstacle
from agents.core.migration.syntax import dotted, is_function, is_super

_LOOP_RUNNERS: Final = ("asyncio.run", "run_until_complete", "run_coroutine_threadsafe", "get_event_loop")


def refused_places(family: Family, asking: Asking) -> Iterator[Spot]:
    """Iterate over references to asking functions that cannot be awaited, and functions that cannot be async."""
    for node, name in asking.references(family):
        reason = _refusal(node, name, family)
        if reason is not None:
            yield Spot(line=node.lineno, message=reason)
    for function in _functions(family):
        if asking.defines(function, family):
            reason = obstacle(function, family) or _mixed(function, family)
            if reason is not None:
                yield Spot(line=function.lineno, message=reason)
    yield from _found_by_name(family, asking)
    yield from _loops_of_their_own(family, asking)


def _functions(family: Family) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(family.source.tree) if isinstance(node, ast.FunctionDef))


def _refusal(node: ast.expr, name: str, family: Family) -> str | None:
    call = family.around.parent(node)
    if not (isinstance(call, ast.Call) and call.func is node):
        return _handed_on(node, name, family)
    if isinstance(family.around.parent(call), ast.Await):
        return None
    return _wrong_object(node, name, family) or _wrong_place(call, name, family)


def _handed_on(node: ast.expr, name: str, family: Family) -> str:
    for ancestor, _ in family.around.ancestors(node):
        if isinstance(ancestor, ast.keyword) and ancestor.arg == "key":
            return f"{name} is a sort key, and sorting cannot await: ask for all of them first, then sort"
        if isinstance(ancestor, ast.Call):
            taker = dotted(ancestor.func) or "a call"
            return f"{name} asks the model and is given to {taker}, which cannot await it: call it directly"
    return f"{name} asks the model and is used as a value: whoever calls it there does not await it; call it directly"


def _wrong_object(node: ast.expr, name: str, family: Family) -> str | None:
    if not isinstance(node, ast.Attribute):
        return None
    owner = node.value
    if name == "process_task" and is_super(owner) and not _is_inherited(node, family):
        return "the base's own process_task is gone in v2: do here what has to be done"
    if isinstance(owner, ast.Name) or family.is_agent(owner):
        return None
    return f"this {name} may belong to another object than the agent: call it on self"


def _is_inherited(node: ast.expr, family: Family) -> bool:
    """Say whether `super().process_task` is one of this file; the v1 base's own is gone in v2."""
    own = family.around.class_of(node)
    bases = [base.id for base in own.bases if isinstance(base, ast.Name)] if own else []
    members = [family.members[base] for base in bases if base in family.members]
    return any(is_function(child) and child.name == "process_task" for base in members for child in base.body)


def _wrong_place(call: ast.Call, name: str, family: Family) -> str | None:
    scope = family.around.scope(call)
    if isinstance(scope, ast.Lambda):
        key = any(isinstance(above, ast.keyword) and above.arg == "key" for above, _ in family.around.ancestors(call))
        why = "is a sort key, and sorting cannot await: ask for all of them first, then sort" if key else "cannot await"
        return f"{name} is called in a lambda, which {why}"
    if isinstance(scope, ast.Module | ast.ClassDef):
        return f"{name} is called outside of any function, where nobody can await it: submit a task instead"
    for ancestor, _ in family.around.ancestors(call):
        if ancestor is scope:
            break
        if isinstance(ancestor, ast.GeneratorExp) and not _is_first_iterable(call, ancestor, family):
            return f"{name} is called in a generator expression, which would become async: write a list [...]"
        if isinstance(ancestor, ast.With) and any(_is_lock(item.context_expr) for item in ancestor.items):
            return f"{name} is called under a lock that is no asyncio lock: ask before it is taken"
    return obstacle(scope, family)


def _is_first_iterable(call: ast.Call, generator: ast.GeneratorExp, family: Family) -> bool:
    first = generator.generators[0].iter
    return call is first or any(ancestor is first for ancestor, _ in family.around.ancestors(call))


def _is_lock(node: ast.expr) -> bool:
    """Take a bare name after `with` for a lock: files and connections are made by a call there."""
    return dotted(node) is not None


def _mixed(function: ast.FunctionDef, family: Family) -> str | None:
    others = (method for _, method in family.methods() if method.name == function.name)
    if any(isinstance(method, ast.AsyncFunctionDef) for method in others):
        return f"{function.name} is async in one class and not in another: make both async"
    return None


def _found_by_name(family: Family, asking: Asking) -> Iterator[Spot]:
    """Iterate over methods that are looked up by a name made at run time, where any of them may be one that asks."""
    helpers = asking.methods - ROOTS
    mangled = {f"_{member.lstrip('_')}{name}" for member in family.members for name in helpers if name.startswith("__")}
    for node in ast.walk(family.source.tree):
        match node:
            case ast.Attribute(attr=name) if name in mangled:
                yield Spot(line=node.lineno, message=f"{name} asks the model and is called by its private name")
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=name), *_]):
                if name in asking.methods and family.is_agent(owner):
                    yield Spot(
                        line=node.lineno, message=f"{name} asks the model and is looked up by name: call it directly"
                    )
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, *_]) if helpers and family.is_agent(owner):
                named = ", ".join(sorted(helpers))
                yield Spot(
                    line=node.lineno,
                    message=f"a method is looked up by a name made at run time, and some must be awaited ({named}): "
                    "call each by its name",
                )


def _loops_of_their_own(family: Family, asking: Asking) -> Iterator[Spot]:
    for node in ast.walk(family.source.tree):
        if not isinstance(node, ast.Call):
            continue
        full = family.names.full(node.func) or ""
        scope = family.around.scope(node)
        is_async = is_function(scope) and (isinstance(scope, ast.AsyncFunctionDef) or asking.defines(scope, family))
        if is_async and full.endswith(_LOOP_RUNNERS):
            yield Spot(line=node.lineno, message=f"{full} cannot run where a loop runs already: write `await`")
