"""Agents in lists. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from agents.cli.shown_letters import plain
from agents.core.catalog import AgentFile
from agents.core.tiers import Tier


def searched(agents: Iterable[AgentFile], words: str) -> list[AgentFile]:
    """Return the agents with all of the words in name, category or description, by category and name."""
    wanted = words.lower().split()
    found = (agent for agent in agents if all(word in _told(agent) for word in wanted))
    return sorted(found, key=lambda agent: (agent.category, agent.name))


def agent_table(agents: Sequence[AgentFile]) -> Table:
    """Return name, tier and description, under a heading for each category; whole names, cut descriptions."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, width=max(len(agent.name) for agent in agents))
    table.add_column(no_wrap=True, width=max(map(len, Tier)), style="dim")
    table.add_column()
    groups = defaultdict[str, list[AgentFile]](list)
    for agent in agents:
        groups[agent.category].append(agent)
    for category, members in groups.items():
        table.add_row(Text(f"{plain(category)} ({len(members)})", style="bold"))
        for agent in members:
            table.add_row(Text(agent.name), agent.tier.value, _cut(agent.summary))
    return table


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


def _cut(summary: str) -> Text:
    return Text(plain(summary), no_wrap=True, overflow="ellipsis")


def _told(agent: AgentFile) -> str:
    return f"{agent.name} {agent.category} {agent.description}".lower()
