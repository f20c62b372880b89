"""Selection: which agents a command is for, as typed: names, patterns, all, a category, a tier. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated, Final

import typer

from agents.core.catalog import AgentFile
from agents.core.settings import SettingsError
from agents.core.tiers import Tier

All = Annotated[bool, typer.Option("--all", help="All agents of the catalogue and of SUTAZAI_AGENTS_PATH.")]
Categories = Annotated[
    list[str] | None,
    typer.Option(
        "--category", metavar="NAME", help="All agents of this category; repeatable. With --tier: those of both."
    ),
]
Tiers = Annotated[
    list[Tier] | None,
    typer.Option("--tier", help="All agents of this tier; repeatable. With --category: those of both."),
]

NAMED: Final = 5
"""Agents of the catalogue that an error lists: all of them would be no sentence."""


class AgentNotFoundError(SettingsError):
    """What was typed names no agent. The text says what would."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`typed` are names, patterns such as `*-optimizer`, and texts that the catalogue knows nothing of.

    Agents of one of the `categories` that are of one of the `tiers` too come on top; where one of the two is empty,
    it does not count.
    """

    typed: Sequence[str] = ()
    everything: bool = False
    categories: Sequence[str] = ()
    tiers: Sequence[Tier] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was chosen at all."""
        return not (self.typed or self.everything or self.categories or self.tiers)

    def names(self, catalog: Mapping[str, AgentFile]) -> list[str]:
        """Return what was chosen, each once: the typed ones first, then the others by name.

        Raises:
            AgentNotFoundError: a pattern, a category, or category and tier together fit no agent.
        """
        typed = [name for text in self.typed for name in _expanded(text, catalog)]
        return list(dict.fromkeys([*typed, *self._kinds(catalog)]))

    def _kinds(self, catalog: Mapping[str, AgentFile]) -> list[str]:
        if self.everything:
            return sorted(catalog)
        if not (self.categories or self.tiers):
            return []
        found = [agent.name for agent in fitting(catalog.values(), self.categories, self.tiers)]
        if not found:
            kinds = " and ".join(word for word in (" or ".join(self.categories), " or ".join(self.tiers)) if word)
            raise AgentNotFoundError(f"no agent is of {kinds}: `sutazai agents list` shows what there is")
        return sorted(found)


def fitting(agents: Iterable[AgentFile], categories: Sequence[str] = (), tiers: Sequence[Tier] = ()) -> list[AgentFile]:
    """Return the agents of one of the categories and of one of the tiers; where one of the two is empty, of any.

    Raises:
        AgentNotFoundError: no agent is of one of the categories.
    """
    known = list(agents)
    counts = Counter(agent.category for agent in known)
    for category in categories:
        if category not in counts:
            told = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
            raise AgentNotFoundError(f"no agent is of category {category!r}: there are {told}")
    return [
        agent
        for agent in known
        if (not categories or agent.category in categories) and (not tiers or agent.tier in tiers)
    ]


def unknown_agent(text: str, catalog: Mapping[str, AgentFile]) -> AgentNotFoundError:
    """Return the error for a name or pattern that fits no agent of the catalogue, with those that were meant."""
    close = get_close_matches(text.strip("*"), catalog, n=3)
    some = f"the catalogue has {len(catalog)} others, such as {', '.join(sorted(catalog)[:NAMED])}."
    meant = f"did you mean {' or '.join(close)}?" if close else some
    return AgentNotFoundError(f"no agent {text!r}: {meant} A class of yours is MODULE:CLASS, a file ends in .md")


def _expanded(text: str, catalog: Mapping[str, AgentFile]) -> list[str]:
    # Where a text is a path, its shell has expanded it, or its name has such a character.
    if not any(mark in text for mark in "*?[") or "/" in text or text.endswith(".md"):
        return [text]
    found = sorted(name for name in catalog if fnmatchcase(name, text))
    if not found:
        raise unknown_agent(text, catalog)
    return found
