"""What BaseAgentV2 has, read from its own source, so that nothing here has to be kept in step with it."""

import ast
import inspect
from functools import cache
from textwrap import dedent

from agents.core.base_agent_v2 import BaseAgentV2


@cache
def v2_attributes() -> frozenset[str]:
    """Return the names that an agent of v2 has on `self`."""
    own = {name for name in dir(BaseAgentV2) if not (name.startswith("__") and name.endswith("__"))}
    return frozenset(own | _assigned())


@cache
def read_only() -> frozenset[str]:
    """Return those that cannot be assigned."""
    return frozenset(name for name in dir(BaseAgentV2) if isinstance(getattr(BaseAgentV2, name), property))


@cache
def init_arguments() -> tuple[str, ...]:
    """Return the arguments of its `__init__`, in their order."""
    return tuple(inspect.signature(BaseAgentV2).parameters)


def _assigned() -> set[str]:
    trees = (ast.parse(dedent(inspect.getsource(cls))) for cls in BaseAgentV2.__mro__ if cls is not object)
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
