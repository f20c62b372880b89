"""The bounds on what stands in labels."""

from dataclasses import dataclass, field
from typing import Final

from agents.exporter.bounded_names import BoundedNames

AGENTS_MOST: Final = 500
MODELS_MOST: Final = 100
"""A task may ask for any model, so a publisher's slips of the pen come here too."""
SERVERS_MOST: Final = 100
VERSIONS_MOST: Final = 20
HOSTS_MOST: Final = 200
"""Of those that report now: a host's name changes with each start unless SUTAZAI_HOST_NAME is set."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The names that have become labels so far. They stay: a counter must not move to another label."""

    agents: BoundedNames = field(default_factory=lambda: BoundedNames(AGENTS_MOST))
    models: BoundedNames = field(default_factory=lambda: BoundedNames(MODELS_MOST))
    servers: BoundedNames = field(default_factory=lambda: BoundedNames(SERVERS_MOST))
    versions: BoundedNames = field(default_factory=lambda: BoundedNames(VERSIONS_MOST))
