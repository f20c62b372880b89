"""`sutazai cancel`: nobody wants a task any more."""

from typing import Annotated

import typer
from pydantic import ValidationError

from agents.cli.console import out
from agents.cli.given_task import sentence_of
from agents.cli.meant_agents import names_explained
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.core.process import run_process
from bus.client import Client
from bus.errors import UnknownAgent
from schemas import CancelTask


def cancel(
    task_ids: Annotated[list[str], typer.Argument(metavar="TASK_ID...", help="As `sutazai submit` printed them.")],
    agent: Annotated[str | None, typer.Option(help="Whose tasks they are: spares other hosts the message.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Told in the result.")] = None,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Cancel tasks. A running one ends at once, its request at the model is closed; a waiting one when it is its turn.

    Each ends with a result of the status `cancelled`. One that has its result already keeps it.

    Examples:
      sutazai cancel 62f8066c21b04a36972a1ec0625cc28c

      sutazai cancel order-17 order-18 --agent senior-engineer --reason "asked twice"
    """
    _must_be_usable(task_ids, agent)
    chosen = connected("cancel", config, amqp_url=amqp_url, prefix=prefix)

    async def tell() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            with names_explained(chosen.settings):
                await _must_be_known(client, agent)
            for task_id in task_ids:
                await client.cancel(task_id, agent=agent, reason=reason)
            hosts = f"the hosts of {agent}" if agent else "all hosts"
            out.print(f"asked {hosts} to cancel {len(task_ids)} task{'s' if len(task_ids) > 1 else ''}", markup=False)

    run_process(tell, "error")


async def _must_be_known(client: Client, agent: str | None) -> None:
    if agent is not None and await client.broker.queue_info(client.topology.task_queue(agent)) is None:
        raise UnknownAgent(agent)


def _must_be_usable(task_ids: list[str], agent: str | None) -> None:
    for task_id in task_ids:
        try:
            CancelTask(task_id=task_id, agent=agent)
        except ValidationError as error:
            raise typer.BadParameter(sentence_of(error)) from None
