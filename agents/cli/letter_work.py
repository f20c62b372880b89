"""What the commands of `sutazai dlq` do with letters, and what they say of it.

Answers go to standard output. Whoever reads of an error there finds the exit code in `agents.core.exit_codes`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import typer
from rich.console import Console
from rich.status import Status

from agents.cli.console import err, out
from agents.cli.shown_letters import Groups, details_of, plain, row_of
from agents.core.exit_codes import ExitCode
from bus.dead_letters import DeadLetters, Kept, Replayed, Spared
from bus.letter import Choice, DeadLetter

SPARED: Final[Mapping[str, str]] = {
    "poison": "their hosts died over them",
    "unreadable": "they could only be rejected again",
}
"""Reasons of letters that a replay of all leaves where they are, and why."""

PIPE_WIDTH: Final = 160
"""Columns of a table that does not go to a terminal: enough for long names."""


async def list_letters(letters: DeadLetters, choice: Choice, line_of: Callable[[DeadLetter], str] | None) -> None:
    """Print one line for each letter, or without `line_of` a table of their counts."""
    groups = Groups()
    async with aclosing(letters.letters(choice)) as found:
        async for letter in found:
            groups.add(letter)
            if line_of is not None:
                typer.echo(line_of(letter))
    if groups.count == 0:
        err.print("no dead letters" if choice == Choice() else "no dead letters of this choice", style="dim")
    elif line_of is None:
        print_table(groups)


async def show_letters(letters: DeadLetters, choice: Choice, *, raw: bool) -> None:
    """Print all of each letter, or with `raw` the body of the first. Exits where there is none."""
    shown = 0
    async with aclosing(letters.letters(choice)) as found:
        async for letter in found:
            shown += 1
            if raw:
                typer.echo(letter.message.body, nl=False)
                break
            typer.echo("\n".join(details_of(letter)))
    must_be_found(choice, shown)


async def preview(letters: DeadLetters, choice: Choice, doing: str) -> None:
    """Print which letters `doing` would take. Exits where a task that was named has none."""
    count, spared = 0, Counter[str]()
    async with aclosing(letters.letters(replace(choice, without=frozenset()))) as found:
        async for letter in found:
            if choice.spares(letter):
                spared[letter.reason] += 1
            else:
                count += 1
                typer.echo(row_of(letter))
    must_be_found(choice, count)
    out.print(f"would {doing} {count}")
    _tell_spared(spared)


async def replay_letters(letters: DeadLetters, choice: Choice, remedy_for: Callable[[str], str]) -> None:
    """Replay with a count of it. Exits where letters stay because nobody knows their agents, each with its remedy."""
    with _tally("replayed") as tally:
        async with aclosing(letters.replay(choice)) as steps:
            async for step in steps:
                match step:
                    case Kept():
                        tally.unknown_agents.append(plain(step.letter.agent))
                    case Spared():
                        tally.spared[step.letter.reason] += 1
                    case Replayed():
                        tally.add()
    total = tally.done + len(tally.unknown_agents)
    must_be_found(choice, total)
    out.print(f"replayed {tally.done} of {total}")
    _tell_spared(tally.spared)
    if tally.unknown_agents:
        names = ", ".join(f"{name}{_in_brackets(remedy_for(name))}" for name in sorted(set(tally.unknown_agents)))
        typer.echo(f"error: {len(tally.unknown_agents)} stay, since no queue takes tasks for: {names}", err=True)
        raise typer.Exit(ExitCode.UNKNOWN_AGENT)


async def purge_letters(letters: DeadLetters, choice: Choice) -> None:
    """Purge with a count of it."""
    with _tally("purged") as tally:
        async with aclosing(letters.purge(choice)) as steps:
            async for _ in steps:
                tally.add()
    must_be_found(choice, tally.done)
    out.print(f"purged {tally.done}")


def must_be_found(choice: Choice, count: int) -> None:
    """Exit as for wrong usage where tasks were named and none of them has a letter."""
    if choice.ids and not count:
        names = ", ".join(map(repr, sorted(choice.ids)))
        typer.echo(f"error: no dead letter of task {names}: `sutazai dlq list --long` shows all", err=True)
        raise typer.Exit(ExitCode.USAGE)


def print_table(groups: Groups) -> None:
    """Print the counts, as wide as they are where that is no matter of a terminal."""
    console = Console(highlight=False, width=None if out.is_terminal else PIPE_WIDTH)
    console.print(groups.table(console.width))


def _tell_spared(spared: Counter[str]) -> None:
    for reason, count in sorted(spared.items()):
        err.print(f"left out {count} {reason}, since {SPARED[reason]}: `--reason {reason}` takes them", markup=False)


def _in_brackets(remedy: str) -> str:
    return f" ({remedy})" if remedy else ""


@dataclass(slots=True)
class _Tally:
    doing: str
    status: Status
    done: int = 0
    unknown_agents: list[str] = field(default_factory=list)
    spared: Counter[str] = field(default_factory=Counter)

    def add(self) -> None:
        self.done += 1
        self.status.update(f"{self.doing} {self.done}")


@contextmanager
def _tally(doing: str) -> Iterator[_Tally]:
    """Count on standard error while it goes on; where it is cut short, say how far it came."""
    with err.status(doing) as status:
        tally = _Tally(doing, status)
        try:
            yield tally
        except BaseException:
            typer.echo(f"{doing} {tally.done}, then stopped", err=True)
            raise
