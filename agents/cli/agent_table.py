"""Agents in lists. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from rich.text import Text

from agents.cli.shown_letters import plain
from agents.core.catalog import AgentFile
from agents.core.tiers import Tier

DESCRIPTION: Final = 40
"""Cells that a description has at least, where the screen is not narrower: fewer tell too little to choose by."""

_TIER: Final = max(map(len, Tier))
_GAP: Final = 2


def searched(agents: Iterable[AgentFile], words: str) -> list[AgentFile]:
    """Return the agents with all of the words in name, category or description, by category and name."""
    wanted = words.lower().split()
    found = (agent for agent in agents if all(word in _told(agent) for word in wanted))
    return sorted(found, key=lambda agent: (agent.category, agent.name))


def agent_table(agents: Sequence[AgentFile], width: int) -> Iterator[Text]:
    """Iterate over lines of `width` cells: a heading for each category, then name, tier and description.

    Names are whole. One that would leave too little for the description has a line of its own above it.
    """
    room = min(max(len(agent.name) for agent in agents), max(width - _TIER - DESCRIPTION - 2 * _GAP, 0))
    for category, members in groupby(agents, key=lambda agent: agent.category):
        fitting = list(members)
        yield Text(f"{plain(category)} ({len(fitting)})", style="bold", no_wrap=True)
        for agent in fitting:
            yield from _lines(agent, room, width)


def line_of(agent: AgentFile) -> str:
    """Return name, tier, category and description with tabs between them, for programs."""
    return "\t".join((agent.name, agent.tier, plain(agent.category), plain(agent.summary)))


def brief_of(agent: AgentFile) -> dict[str, Any]:
    """Return what a list tells of an agent, as JSON has it."""
    return {
        "name": agent.name,
        "tier": agent.tier.value,
        "category": agent.category,
        "description": agent.description,
        "file": str(agent.path),
    }


def _lines(agent: AgentFile, room: int, width: int) -> Iterator[Text]:
    is_long = len(agent.name) > room
    if is_long:
        yield Text(agent.name, no_wrap=True)
    line = Text("" if is_long else agent.name, no_wrap=True)
    line.pad_right(room + _GAP - len(line))
    line.append(agent.tier.value.ljust(_TIER + _GAP), style="dim").append(plain(agent.summary))
    line.truncate(width, overflow="ellipsis")
    yield line


def _told(agent: AgentFile) -> str:
    return f"{agent.name} {agent.category} {agent.description}".lower()
