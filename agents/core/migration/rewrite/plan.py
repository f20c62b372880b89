"""What the rewrite of one file will do, or why it will not. Pure: decided on the syntax tree alone."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agents.core.kebab import agent_name_from
from agents.core.migration.blocking import blocking_calls
from agents.core.migration.findings import Spot
from agents.core.migration.lineage import Lineages
from agents.core.migration.places import queue_name
from agents.core.migration.rewrite.asking import Asking, asking_of
from agents.core.migration.rewrite.attributes import reads_config, refused_attributes
from agents.core.migration.rewrite.bases import Base, base_of, init_calls, refused_bases, roots_of
from agents.core.migration.rewrite.contexts import refused_places
from agents.core.migration.rewrite.family import Family, family_of
from agents.core.migration.rewrite.state import kept_state
from agents.core.migration.rewrite.ways import kept_ways
from agents.core.migration.source import Source


@dataclass(frozen=True, slots=True)
class Plan:
    """How one file becomes v2. A plan with `refused` is not carried out.

    `init_lines` are where calls of the base's `__init__` begin, `made_inits` the classes that get an `__init__`.
    `is_lonely`: one task at a time, because state is kept. `has_config`: the agent's own file is read into `config`.
    `keeps_ways`: process_task works as v1 did. `name`: what the wrapped agent is called, where its class says another.
    """

    family: Family
    asking: Asking
    base: Base
    init_lines: frozenset[int]
    made_inits: frozenset[str]
    is_lonely: bool
    has_config: bool
    keeps_ways: bool
    name: str | None
    refused: tuple[Spot, ...]
    notes: tuple[Spot, ...]


def plan_of(source: Source, lineages: Lineages) -> Plan | None:
    """Plan the rewrite of a file; None where it has no v1 agent."""
    family = family_of(source, lineages)
    if not family.agents:
        return None
    asking, base = asking_of(family), base_of(family)
    is_lonely, has_config = kept_state(family) is not None, reads_config(family)
    inits = frozenset(call.lineno for _, call in init_calls(family))
    name = _other_name(family)
    needs_init = (is_lonely or has_config or name is not None) and not inits
    ways = tuple(kept_ways(family, asking))
    refused = (*refused_bases(family, base), *refused_places(family, asking), *refused_attributes(family))
    return Plan(
        family=family,
        asking=asking,
        base=base,
        init_lines=inits,
        made_inits=frozenset(roots_of(family, base)) if needs_init else frozenset(),
        is_lonely=is_lonely,
        has_config=has_config,
        keeps_ways=bool(ways),
        name=name,
        refused=_sorted(refused),
        notes=_sorted((*_blocking(family), *ways)),
    )


def _other_name(family: Family) -> str | None:
    """Return the name by the file's place; None where the class has the same, or no single class is the agent."""
    inherited = {base.id for node in family.agents.values() for base in node.bases if isinstance(base, ast.Name)}
    last = [name for name in family.agents if name not in inherited]
    name = queue_name(family.source.path)
    return name if name and len(last) == 1 and agent_name_from(last[0]) != name else None


def _sorted(spots: Iterable[Spot]) -> tuple[Spot, ...]:
    return tuple(sorted(set(spots), key=lambda spot: (spot.line, spot.message)))


def _blocking(family: Family) -> Iterator[Spot]:
    """Iterate over the blocking calls of the agents' methods: in v2 all of these run in the event loop."""
    elsewhere = {"__init__", "run", "start", *_thread_targets(family.source.tree)}
    methods = {method for _, method in family.methods() if method.name not in elsewhere}
    found = blocking_calls(family.source.tree, family.names, family.around)
    return (spot for node, spot in found if family.around.method_of(node) in methods)


def _thread_targets(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="target", value=ast.Attribute(attr=name)):
                yield name
