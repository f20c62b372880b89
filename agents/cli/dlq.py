"""`sutazai dlq`: dead letters and unrouted tasks, looked at, done again, thrown away."""

import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agents.cli import letter_work
from agents.cli.fleet import fleet
from agents.cli.meant_agents import names_explained, remedy_for
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_letters import Groups, json_of, row_of
from agents.cli.since import since_of
from agents.core.catalog import CATALOG, load_catalog
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from agents.core.settings import load_settings
from bus.broker import Broker
from bus.dead_letters import DeadLetters
from bus.errors import UnknownAgent
from bus.letter import Choice
from bus.topology import Topology

Agents = Annotated[
    list[str] | None,
    typer.Option("--agent", metavar="NAME", help="Only this agent's; may be repeated. Default: all that are known."),
]
Reason = Annotated[
    str | None,
    typer.Option(metavar="WORD", help="Only these: unreadable, rejected, permanent, exhausted, poison, unrouted."),
]
Code = Annotated[str | None, typer.Option(metavar="WORD", help="Only those of this error class, such as timeout.")]
One = Annotated[str | None, typer.Option(metavar="ID", help="Only that of this task.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print which would be taken, and change nothing.")]

dlq = typer.Typer(
    name="dlq",
    help="Dead letters: tasks that could not be done, and tasks that reached no agent.",
    no_args_is_help=True,
)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where letters are worked on: a broker, and whose letters they are."""

    agents: list[str] | None
    amqp_url: str | None
    prefix: str | None
    config: Path | None

    def run(self, work: Callable[[DeadLetters], Coroutine[Any, Any, None]]) -> None:
        """Connect, find the agents, and do `work` as the whole process."""
        chosen = connected("dlq", self.config, amqp_url=self.amqp_url, prefix=self.prefix)

        async def at_desk() -> None:
            async with chosen.broker as broker:
                topology = chosen.settings.topology
                with names_explained(chosen.settings):
                    await _must_be_known(broker, topology, self.agents or ())
                names = self.agents or await fleet(broker, chosen.settings)
                await work(DeadLetters(broker, topology, names))

        run_process(at_desk, "error")

    def remedy_for(self, agent: str) -> str:
        """Return what to do about an agent that no queue takes tasks for; empty where nothing is known of it."""
        return remedy_for(agent, load_catalog((*load_settings(self.config).agents_path, CATALOG)))


@dlq.command("list")
def list_letters(
    agents: Agents = None,
    reason: Reason = None,
    code: Code = None,
    long: Annotated[bool, typer.Option("--long", "-l", help="One line for each letter.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each, all but the body.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Count them by agent, reason and error class; nothing is taken away.

    Examples:
      sutazai dlq list

      sutazai dlq list --reason exhausted --long
    """
    choice = Choice(agents=_agents(agents), reason=reason, code=code)
    line_of = json_of if as_json else row_of if long else None
    _Desk(agents, amqp_url, prefix, config).run(lambda letters: letter_work.list_letters(letters, choice, line_of))


@dlq.command()
def show(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="The task's id, as `dlq list --long` tells it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the exact bytes of the body, and nothing else.")] = False,
    agents: Agents = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Print all of one letter: why, its attempts, properties, headers and body.

    Examples:
      sutazai dlq show 9a4b98578c184d2db739ea122d440c1f

      sutazai dlq show order-17 --raw > body.json
    """
    choice = Choice(ids=frozenset({task_id}), agents=_agents(agents))
    _Desk(agents, amqp_url, prefix, config).run(lambda letters: letter_work.show_letters(letters, choice, raw=raw))


@dlq.command()
def replay(
    one: One = None,
    every: Every = False,
    reason: Reason = None,
    code: Code = None,
    agents: Agents = None,
    dry_run: DryRun = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Have tasks done again, each as a new task with the id ID~1; unrouted ones as they are, once their agent is there.

    Each is published and confirmed before its letter is removed. Exit code 5: some stay, since their agent is unknown.
    --all leaves out poison, the tasks that ended their processes, and what is unreadable, which would only be rejected
    again: --reason poison, --reason unreadable, or --one, takes those.

    Examples:
      sutazai dlq replay --one 9a4b98578c184d2db739ea122d440c1f

      sutazai dlq replay --reason exhausted --agent senior-engineer --dry-run
    """
    spared = frozenset(letter_work.SPARED) if every else frozenset[str]()
    choice = Choice(ids=_ids(one), agents=_agents(agents), reason=reason, code=code, without=spared)
    _must_choose("replay", choice, every=every)
    desk = _Desk(agents, amqp_url, prefix, config)
    if dry_run:
        desk.run(lambda letters: letter_work.preview(letters, choice, "replay"))
    else:
        desk.run(lambda letters: letter_work.replay_letters(letters, choice, desk.remedy_for))


@dlq.command()
def purge(
    one: One = None,
    every: Every = False,
    reason: Reason = None,
    code: Code = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what failed before: 90s, 30m, 1h or 7d ago, or RFC 3339.")
    ] = None,
    agents: Agents = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Throw letters away for good. Tasks that reached no agent are answered first, with a `rejected` result.

    Examples:
      sutazai dlq purge --older-than 7d

      sutazai dlq purge --reason unrouted --agent retired-agent --yes
    """
    before = _moment_of(older_than)
    choice = Choice(ids=_ids(one), agents=_agents(agents), reason=reason, code=code, before=before)
    _must_choose("purge", choice, every=every)
    desk = _Desk(agents, amqp_url, prefix, config)
    if dry_run:
        desk.run(lambda letters: letter_work.preview(letters, choice, "purge"))
    else:
        confirmed = choice if yes else _confirmed(desk, choice)
        desk.run(lambda letters: letter_work.purge_letters(letters, confirmed))


def _confirmed(desk: _Desk, choice: Choice) -> Choice:
    """Show what is chosen and ask; return the choice of just these, since more may come meanwhile."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: give --yes")
    groups = Groups()
    ids: set[str] = set()

    async def look(letters: DeadLetters) -> None:
        async with aclosing(letters.letters(choice)) as found:
            async for letter in found:
                groups.add(letter)
                ids.add(letter.task_id)
        letter_work.must_be_found(choice, groups.count)

    desk.run(look)
    if ids:
        letter_work.print_table(groups)
        # Outside of the event loop: nobody knows how long the answer takes.
        _must_agree(f"purge these {groups.count}?")
    return replace(choice, ids=frozenset(ids))


def _must_agree(question: str) -> None:
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        typer.echo("nothing was purged", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED)


async def _must_be_known(broker: Broker, topology: Topology, agents: Iterable[str]) -> None:
    unrouted = await broker.queue_info(topology.unrouted)
    if unrouted is not None and unrouted.ready:
        return  # tasks that reached no agent may be for one that nobody has ever started
    for agent in agents:
        if await broker.queue_info(topology.dead_queue(agent)) is None:
            raise UnknownAgent(agent)


def _must_choose(doing: str, choice: Choice, *, every: bool) -> None:
    narrowed = any((choice.ids, choice.reason, choice.code))
    if every and narrowed:
        raise typer.BadParameter("--all and --one, --reason or --code contradict each other: give one of them")
    if not (every or narrowed or choice.before):
        raise typer.BadParameter(
            f"choose what to {doing}: --one ID, --reason WORD, --code WORD, --all"
            + (", or --older-than TIME" if doing == "purge" else "")
        )


def _ids(one: str | None) -> frozenset[str] | None:
    return None if one is None else frozenset({one})


def _agents(agents: list[str] | None) -> frozenset[str] | None:
    return frozenset(agents) if agents else None


def _moment_of(text: str | None) -> datetime | None:
    try:
        return None if text is None else since_of(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(f"--older-than {error}") from error
