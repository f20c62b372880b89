"""Attributes of a v1 agent that mean something else in v2, or nothing."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.rewrite.family import Family
from agents.core.migration.rewrite.v2_names import read_only, v2_attributes
from agents.core.migration.syntax import Function, is_super

_REMEDIES: Final = {
    "backend_url": "read self.settings.backend_url",
    "ollama_url": "ask through self.query_ollama",
    "is_running": "v2 stops by itself: drop the loop",
    "tasks_processed": "read self.statistics.processed",
}
"""What the v1 base gives to its agents, and what stands for it."""

_OVERRIDABLE: Final = frozenset({"process_task", "query_ollama", "run", "start"})
_ASSIGNABLE: Final = frozenset({"config", "logger", "description", "port", "agent_type", "agent_id"})


def refused_attributes(family: Family) -> Iterator[Spot]:
    """Iterate over attributes and methods that would break an agent on BaseAgentV2."""
    for _, method in family.methods():
        yield from _refused_method(method)
    stored = {node.attr for node in family.own_attributes() if isinstance(node.ctx, ast.Store)}
    for node in family.own_attributes():
        if isinstance(node.ctx, ast.Store):
            yield from _refused_store(node)
        elif node.attr in _REMEDIES and node.attr not in stored | v2_attributes():
            yield Spot(line=node.lineno, message=f"v2 has no self.{node.attr}: {_REMEDIES[node.attr]}")


def reads_config(family: Family) -> bool:
    """Say whether the agents read what v1 found in their own file, and do not assign it themselves."""
    uses = [node.ctx for node in family.own_attributes() if node.attr == "config"]
    return bool(uses) and not any(isinstance(use, ast.Store) for use in uses)


def _refused_method(method: Function) -> Iterator[Spot]:
    if method.name in ("run", "start"):
        if isinstance(method, ast.AsyncFunctionDef) or not _goes_on(method):
            message = f"{method.name} is overridden without super().{method.name}(): v2 consumes its queue there"
            yield Spot(line=method.lineno, message=message)
    elif method.name in v2_attributes() - _OVERRIDABLE:
        yield Spot(line=method.lineno, message=f"v2 has {method.name} of its own: choose another name")


def _goes_on(method: Function) -> bool:
    return any(
        isinstance(node, ast.Attribute) and is_super(node.value) and node.attr in ("run", "start")
        for node in ast.walk(method)
    )


def _refused_store(node: ast.Attribute) -> Iterator[Spot]:
    name = f"self.{node.attr}"
    if node.attr in ("name", "agent_name"):
        yield Spot(line=node.lineno, message=f"{name} is assigned: give super().__init__ the agent's name as name=")
    elif node.attr in read_only():
        yield Spot(line=node.lineno, message=f"{name} is read only in v2: choose another name")
    elif node.attr in v2_attributes() - _ASSIGNABLE - _OVERRIDABLE:
        yield Spot(line=node.lineno, message=f"v2 has {name} of its own: choose another name")
