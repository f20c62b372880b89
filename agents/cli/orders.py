"""What operators say to hosts, and the wait for those who obey."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final, NamedTuple

import typer
from pydantic import ValidationError

from agents.cli.console import out
from agents.cli.given_task import sentence_of
from agents.cli.meant_agents import names_explained
from agents.cli.options import Connected
from agents.cli.shown_letters import plain
from agents.core.host_stage import LEAVING
from bus.client import Client
from bus.errors import ReplyTimeout, UnknownAgent
from bus.live_hosts import live_crews
from bus.orders import OBEYING_SECONDS, say
from schemas import DrainHost, HostReport, Order, Report

ANSWER_SECONDS: Final = 2.0
"""How long hosts have to tell their new state where none is known to be connected; else OBEYING_SECONDS. One that is
cut off obeys once it is back, within five minutes."""

QUIET_SECONDS: Final = 0.5
"""After the last answer, where each agent that was named has one: more hosts than these do not run."""

NAMED: Final = 4
"""Agents of a silent host, or hosts that are connected, that an error lists."""

Agents = Annotated[list[str] | None, typer.Argument(metavar="AGENT...", help="Their names.")]
OneHost = Annotated[str | None, typer.Option(metavar="NAME", help="Only on this host. Default: on all.")]


class Answer(NamedTuple):
    """What has obeyed, an agent or a host, on which host if it is an agent, and what there is to say of it."""

    name: str
    place: str = ""
    note: str = ""


Reader = Callable[[Report], Answer | None]
"""Reads a report; None is one of something else, or of who has not obeyed."""


class Answers:
    """Who has obeyed. Pure."""

    def __init__(self, awaited: Sequence[str], posts: Iterable[tuple[str, str]] = ()) -> None:
        """`awaited`: what was named; nothing means whoever is there.

        `posts`: agents, each with a host that is known to run it and must obey too; a host itself, with "".
        """
        self._awaited = awaited
        self._posts = set(posts)
        self._places: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def add(self, answer: Answer) -> bool:
        """Take in what a report tells; whether it is of who was meant, and nobody has answered from there before."""
        if self._awaited and answer.name not in self._awaited:
            return False
        places = self._places[answer.name]
        is_news = answer.place not in places
        places[answer.place] = answer.note
        self._posts.discard((answer.name, answer.place))
        return is_news

    def excuse(self, host: str) -> bool:
        """Wait for a host no more; whether anything was awaited from there."""
        excused = {post for post in self._posts if post[1] == host}
        self._posts -= excused
        return bool(excused)

    @property
    def is_complete(self) -> bool:
        """Whether all that was named has answered, from each host that is known to run it."""
        return not self.missing and not self._posts and bool(self._places)

    @property
    def missing(self) -> list[str]:
        """What was named and has answered from nowhere."""
        return [name for name in self._awaited if name not in self._places]

    @property
    def silent(self) -> dict[str, list[str]]:
        """The hosts that are connected and have not obeyed, with those of their agents that were meant."""
        hosts: defaultdict[str, list[str]] = defaultdict(list)
        for name, place in sorted(self._posts):
            hosts[place or name].extend([name] if place else [])
        return dict(sorted(hosts.items()))

    def lines(self) -> list[str]:
        """Return who obeyed, a line for each agent or host."""
        return [f"{name}{_on(places)}" for name, places in sorted(self._places.items())]


def named_agents(doing: str, agents: Sequence[str] | None, *, everything: bool) -> list[str | None]:
    """Return whom an order is for: the names, or None for all.

    Raises:
        typer.BadParameter: neither is given, or both.
    """
    if bool(agents) is everything:
        raise typer.BadParameter(f"choose what to {doing}: the names of agents, or --all")
    return [None] if everything else list(dict.fromkeys(agents or ()))


def orders_of(make: Callable[[str | None], Order], names: Sequence[str | None]) -> list[Order]:
    """Make an order for each name. Raises typer.BadParameter for one that is no agent's."""
    try:
        return [make(name) for name in names]
    except ValidationError as error:
        raise typer.BadParameter(sentence_of(error)) from None


async def carried_out(
    chosen: Connected, orders: Sequence[Order], named: Sequence[str], answer_of: Reader, done: str
) -> None:
    """Give `orders` and print who obeyed, as in `paused: senior-engineer on vm-1, vm-2`.

    `named`: who must answer, agents or one host; nobody means whoever is there.

    Raises:
        UnknownAgent: nobody has ever started one of the agents; then none is told.
        ReplyTimeout: somebody who was named, or a host that is known to run what was meant, has not obeyed in time.
    """
    async with chosen.broker as broker:
        client = Client(broker, chosen.settings.topology)
        async with client.reports() as reports:
            with names_explained(chosen.settings):
                for order in orders:
                    await _must_know(client, order)
            crews = await live_crews(broker, client.topology)
            answers = Answers(named, posts_of(orders, crews or {}))
            patience = OBEYING_SECONDS if answers.silent else ANSWER_SECONDS
            for order in orders:
                await say(broker, client.topology, order)
            await _collect(reports, answers, answer_of, patience)
    for line in answers.lines():
        out.print(plain(f"{done}: {line}"), markup=False)
    if not answers.is_complete:
        complaint = _disobedience(answers, patience) if answers.silent else _silence(answers, orders, crews, patience)
        raise ReplyTimeout(complaint)


def posts_of(orders: Iterable[Order], crews: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    """Yield each agent that is meant by what its host must do, with that host; a host that is to end, with "".

    `crews`: the agents of each host that is connected.
    """
    for order in orders:
        if isinstance(order, DrainHost):
            yield from ((host, "") for host in crews if host == order.host)
        else:
            hosts = [host for host in crews if order.host in (None, host)]
            yield from ((agent, host) for host in hosts for agent in crews[host] if order.agent in (None, agent))


def _disobedience(answers: Answers, patience: float) -> str:
    silent = answers.silent.items()
    hosts = ", ".join(f"{host} ({_some(agents)})" if agents else host for host, agents in silent)
    return (
        f"not all have obeyed within {patience:g} s: {hosts}: it is connected and does not answer; it obeys "
        "once it goes on, so look again with `sutazai status`"
    )


def _silence(
    answers: Answers, orders: Sequence[Order], crews: Mapping[str, Collection[str]] | None, patience: float
) -> str:
    """Say whom nobody answered for, and who is connected, where that is known: the name of a host may be misspelt."""
    whom = f" for {', '.join(answers.missing)}" if answers.missing else ""
    host = None if isinstance(orders[0], DrainHost) else orders[0].host  # all of a command are for the same
    where = "" if host is None else f" on {host}"
    known = "" if crews is None else f" (connected: {_some(sorted(crews)) or 'no host'})"
    return (
        f"no host answered{whom}{where} within {patience:g} s: none that is meant runs{known}, or it is cut off from "
        "RabbitMQ and obeys once it is back"
    )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


async def _must_know(client: Client, order: Order) -> None:
    agent = None if isinstance(order, DrainHost) else order.agent
    if agent is not None and await client.broker.queue_info(client.topology.task_queue(agent)) is None:
        raise UnknownAgent(agent)


async def _collect(reports: AsyncIterator[Report], answers: Answers, answer_of: Reader, patience: float) -> None:
    clock = asyncio.get_running_loop().time
    end = limit = clock() + patience
    while True:
        try:
            async with asyncio.timeout_at(limit):
                report = await anext(reports)
        except TimeoutError:
            return
        if _is_news(report, answers, answer_of) and answers.is_complete:
            limit = min(end, clock() + QUIET_SECONDS)


def _is_news(report: Report, answers: Answers, answer_of: Reader) -> bool:
    answer = answer_of(report)
    if answer is not None:
        return answers.add(answer)
    # What ends takes no tasks, and pauses or resumes no more.
    return isinstance(report, HostReport) and report.state in LEAVING and answers.excuse(report.host)


def _on(places: Mapping[str, str]) -> str:
    told = [f"{place} ({note})" if note else place for place, note in sorted(places.items()) if place]
    return f" on {', '.join(told)}" if told else ""
