"""What a file of an agent's folder is, and which of its classes is the agent."""

import ast
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agents.core.migration.imports import names_of
from agents.core.migration.lineage import Generation, Lineage, Lineages, classes_of
from agents.core.migration.source import Source
from agents.core.migration.syntax import methods_of

_SERVICES: Final = frozenset(
    {
        "fastapi.FastAPI",
        "flask.Flask",
        "quart.Quart",
        "starlette.applications.Starlette",
        "aiohttp.web.Application",
        "http.server.HTTPServer",
        "http.server.ThreadingHTTPServer",
    }
)


class Kind(StrEnum):
    """What an agent's file is."""

    V1 = "v1"
    V2 = "v2"
    SERVICE = "service"
    """An HTTP application without an agent's class."""
    BROKEN = "broken"
    """It cannot be read or compiled."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AgentClass:
    """The class of a file that is the agent."""

    node: ast.ClassDef
    lineage: Lineage

    @property
    def kind(self) -> Kind:
        """Return its kind, which its base decides."""
        return Kind.V1 if self.lineage.generation is Generation.V1 else Kind.V2


def agent_class(source: Source, lineages: Lineages) -> AgentClass | None:
    """Return the agent of a file: of the classes that nobody in it inherits, the first that defines process_task."""
    classes = classes_of(source.tree)
    inherited = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
    found = [(node, lineages.lineage(source, node)) for node in classes if node.name not in inherited]
    agents = [AgentClass(node, lineage) for node, lineage in found if lineage is not None]
    return next((agent for agent in agents if does_tasks(agent.node)), agents[0] if agents else None)


def does_tasks(node: ast.ClassDef) -> bool:
    """Say whether a class defines process_task itself."""
    return any(method.name == "process_task" for method in methods_of(node))


def is_service(source: Source) -> bool:
    """Say whether a file makes an HTTP application."""
    names = names_of(source.tree)
    return any(isinstance(node, ast.Call) and names.full(node.func) in _SERVICES for node in ast.walk(source.tree))
