"""What operators say to hosts, and the wait for those who obey."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Final, NamedTuple

import typer
from pydantic import ValidationError

from agents.cli.console import out
from agents.cli.given_task import sentence_of
from agents.cli.meant_agents import names_explained
from agents.cli.options import Connected
from agents.cli.shown_letters import plain
from bus.client import Client
from bus.errors import ReplyTimeout, UnknownAgent
from bus.orders import say
from schemas import DrainHost, Order, Report

ANSWER_SECONDS: Final = 2.0
"""How long hosts have to tell their new state. One that is cut off obeys once it is back, within five minutes."""

QUIET_SECONDS: Final = 0.5
"""After the last answer, where each agent that was named has one: more hosts than these do not run."""

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

    def __init__(self, awaited: Sequence[str]) -> None:
        """`awaited`: what was named; nothing means whoever is there."""
        self._awaited = awaited
        self._places: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def add(self, answer: Answer) -> bool:
        """Take in what a report tells; whether it is of who was meant, and nobody has answered from there before."""
        if self._awaited and answer.name not in self._awaited:
            return False
        places = self._places[answer.name]
        is_news = answer.place not in places
        places[answer.place] = answer.note
        return is_news

    @property
    def is_complete(self) -> bool:
        """Whether all that was named has answered once."""
        return not self.missing and bool(self._places)

    @property
    def missing(self) -> list[str]:
        """What was named and has not answered."""
        return [name for name in self._awaited if name not in self._places]

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
        ReplyTimeout: somebody who was named has not obeyed in time.
    """
    async with chosen.broker as broker:
        client = Client(broker, chosen.settings.topology)
        answers = Answers(named)
        async with client.reports() as reports:
            with names_explained(chosen.settings):
                for order in orders:
                    await _must_know(client, order)
            for order in orders:
                await say(broker, client.topology, order)
            await _collect(reports, answers, answer_of)
    for line in answers.lines():
        out.print(plain(f"{done}: {line}"), markup=False)
    if not answers.is_complete:
        whom = f" for {', '.join(answers.missing)}" if answers.missing else ""
        raise ReplyTimeout(
            f"no host answered{whom} within {ANSWER_SECONDS:g} s: none that is meant runs, or it is cut off from "
            "RabbitMQ and obeys once it is back"
        )


async def _must_know(client: Client, order: Order) -> None:
    agent = None if isinstance(order, DrainHost) else order.agent
    if agent is not None and await client.broker.queue_info(client.topology.task_queue(agent)) is None:
        raise UnknownAgent(agent)


async def _collect(reports: AsyncIterator[Report], answers: Answers, answer_of: Reader) -> None:
    clock = asyncio.get_running_loop().time
    end = limit = clock() + ANSWER_SECONDS
    while True:
        try:
            async with asyncio.timeout_at(limit):
                report = await anext(reports)
        except TimeoutError:
            return
        answer = answer_of(report)
        if answer is not None and answers.add(answer) and answers.is_complete:
            limit = min(end, clock() + QUIET_SECONDS)


def _on(places: Mapping[str, str]) -> str:
    told = [f"{place} ({note})" if note else place for place, note in sorted(places.items()) if place]
    return f" on {', '.join(told)}" if told else ""
