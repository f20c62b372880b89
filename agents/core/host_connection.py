"""How a host shows itself at RabbitMQ: the name of its connections, and their properties."""

from collections.abc import Sequence
from typing import Final

NAMED_AGENTS: Final = 3
"""Agents that a connection's name lists; 131 names would help nobody in the management UI."""

LISTED_AGENTS: Final = 12
"""Agents that a connection's page lists under Client properties."""


def connection_name(host: str, agents: Sequence[str]) -> str:
    """Return what the management UI shows for a host: its name and its agents, the first few by name."""
    return f"{host} ({_some_of(agents, NAMED_AGENTS)})"


def connection_properties(host: str, agents: Sequence[str]) -> dict[str, str]:
    """Return what the page of a host's connection shows besides: its name as in reports, and more of its agents."""
    return {"host": host, "agents": _some_of(agents, LISTED_AGENTS)}


def _some_of(agents: Sequence[str], shown: int) -> str:
    more = f" and {len(agents) - shown} more" if len(agents) > shown else ""
    return f"{', '.join(agents[:shown])}{more}"
