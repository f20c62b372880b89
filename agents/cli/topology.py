"""`sutazai topology`: exchanges and queues, made by who may make them."""

import re
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from agents.cli.console import err, out
from agents.cli.known_catalog import known_catalog
from agents.cli.letter_work import PIPE_WIDTH
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.selection import All, Categories, Selection, Tiers
from agents.core.process import run_process
from agents.core.settings import Settings
from bus.broker import Broker
from bus.errors import TopologyError
from bus.plan import Plan
from schemas import AGENT_NAME_PATTERN


def topology(
    agents: Annotated[
        list[str] | None, typer.Argument(metavar="AGENT", help="Declare their queues too: names, or patterns.")
    ] = None,
    everything: All = False,
    category: Categories = None,
    tier: Tiers = None,
    show: Annotated[bool, typer.Option("--show", help="Print what would be declared, and declare nothing.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Declare all exchanges, queues and logs, for a broker where agents themselves may not (least privilege).

    The logs are streams, and optional: where a broker has them turned off, this says so and goes on.

    Examples:
      sutazai topology senior-engineer product-manager

      sutazai topology --all

      sutazai topology --show
    """
    chosen = connected("topology", config, amqp_url=amqp_url, prefix=prefix)
    names = chosen.settings.topology
    selection = Selection(agents or (), everything, category or (), tier or ())
    plans = [names.shared(), *map(names.agent, _names(selection, chosen.settings))]

    async def declare() -> None:
        async with chosen.broker as broker:
            for plan in plans:
                await broker.declare(plan)
            for log in names.logs():
                await _declare_log(broker, log)
            out.print(f"declared on {broker.description}")

    if show:
        console = Console(highlight=False, width=None if out.is_terminal else PIPE_WIDTH)
        console.print(_table([*plans, *names.logs()]))
    else:
        run_process(declare, "warning")


async def _declare_log(broker: Broker, log: Plan) -> None:
    try:
        await broker.declare(log)
    except TopologyError as error:
        names = ", ".join(queue.name for queue in log.queues)
        err.print(f"not declared: {names}: {error}", style="yellow", markup=False)


def _names(selection: Selection, settings: Settings) -> list[str]:
    """Return the names that were chosen; the catalogue need not have them, since an agent may be a class."""
    if selection.is_empty:
        return []
    agents = selection.names(known_catalog(settings).agents)
    for agent in agents:
        if not re.fullmatch(AGENT_NAME_PATTERN, agent):
            raise typer.BadParameter(f"agent {agent!r} cannot be a name: lower-case letters, digits and hyphens only")
    return agents


def _table(plans: list[Plan]) -> Table:
    table = Table("exchange", "key", "queue", title="topology", title_justify="left")
    table.add_column("arguments", overflow="fold")
    for plan in plans:
        arguments = {queue.name: queue.arguments for queue in plan.queues}
        for binding in plan.bindings:
            told = " ".join(f"{name}={value}" for name, value in arguments.get(binding.queue, {}).items())
            table.add_row(binding.exchange, binding.key, binding.queue, told)
        bound = {binding.exchange for binding in plan.bindings}
        for exchange in plan.exchanges:
            if exchange.name not in bound:
                table.add_row(exchange.name, "", "", "")
    return table
