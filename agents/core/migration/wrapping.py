"""What of a v1 agent LegacyAgentWrapper does not take over: it makes one object and calls its process_task."""

import ast
from collections.abc import Iterator
from typing import Final

from agents.core.migration.findings import Spot
from agents.core.migration.kinds import AgentClass
from agents.core.migration.rewrite.family import Family
from agents.core.migration.syntax import Function

_SERVERS: Final = ("uvicorn.run", "serve_forever", "aiohttp.web.run_app", "http.server.HTTPServer", "fastapi.FastAPI")
_BASE_WORK: Final = frozenset(
    {"get_next_task", "register_with_coordinator", "send_heartbeat", "report_task_completion", "heartbeat_loop"}
)
"""Methods of the v1 base that its own loop calls, which the wrapper does not run."""


def unwrapped(agent: AgentClass, family: Family) -> Iterator[Spot]:
    """Iterate over what needs a hand before, or while, the agent runs wrapped."""
    methods = [method for _, method in family.methods()]
    if not agent.lineage.through and all(method.name != "process_task" for method in methods):
        yield Spot(line=agent.node.lineno, message=f"{agent.node.name} has no process_task: nothing calls it")
    for method in methods:
        yield from _method(method)
    for node in ast.walk(family.source.tree):
        if isinstance(node, ast.Call) and (family.names.full(node.func) or "").endswith(_SERVERS):
            message = (
                "an HTTP server of its own is made here, which the wrapper does not start: run it in its own process"
            )
            yield Spot(line=node.lineno, message=message)
        elif isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and _is_outside(node, family):
            yield Spot(line=node.lineno, message="a main loop of its own, which the wrapper does not run: drop it")


def threads_of(family: Family) -> Iterator[Spot]:
    """Iterate over the threads that an agent starts; the wrapper lets them run."""
    for node in ast.walk(family.source.tree):
        if isinstance(node, ast.Call) and family.names.full(node.func) == "threading.Thread":
            yield Spot(
                line=node.lineno, message="a thread of its own: see that it is a daemon, or ends with the process"
            )


def _method(method: Function) -> Iterator[Spot]:
    if method.name in ("run", "start"):
        message = f"{method.name} is overridden, and the wrapper runs its own: do in __init__ what has to be done first"
        yield Spot(line=method.lineno, message=message)
    elif method.name in _BASE_WORK:
        message = f"{method.name} is overridden, and nothing calls it: tasks and results go over RabbitMQ"
        yield Spot(line=method.lineno, message=message)
    elif method.name == "__init__" and (needed := _needed(method)):
        message = f"__init__ needs {', '.join(needed)}: give them to LegacyAgentWrapper(..., {needed[0]}=...)"
        yield Spot(line=method.lineno, message=message)


def _needed(method: Function) -> list[str]:
    arguments = method.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    needed = positional[: len(positional) - len(arguments.defaults)]
    only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [argument.arg for argument in (*needed, *(argument for argument, default in only if default is None))]


def _is_outside(node: ast.AST, family: Family) -> bool:
    """Say whether a node stands in no class: in the main block, or in a function that it calls."""
    return family.around.class_of(node) is None
