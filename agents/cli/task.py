"""`sutazai task`: what has become of one task."""

from typing import Annotated

import typer
from pydantic import ValidationError

from agents.cli.console import err, out
from agents.cli.fleet import fleet
from agents.cli.given_task import sentence_of
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_task import json_of, no_trace, shown
from agents.cli.task_life import life_of
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from bus.client import Client
from schemas import CancelTask


def task(
    task_id: Annotated[str, typer.Argument(metavar="TASK_ID", help="As `sutazai submit` printed it.")],
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose task it is: quicker, and tells more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with all that is known.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Print the life of one task: its result with waits, attempts, model and tokens, or else which host has it.

    Looks at the results of the last hour, then of the last days, and at the dead letters, then asks the hosts, for 2 s.
    A task that waits, in a queue or for its next attempt, is silent: with --agent that queue and its hosts are told
    instead. Exit code 5: nothing tells of it.

    Examples:
      sutazai task 62f8066c21b04a36972a1ec0625cc28c

      sutazai task order-17 --agent senior-engineer --json | jq .result.usage
    """
    try:
        CancelTask(task_id=task_id, agent=agent)
    except ValidationError as error:
        raise typer.BadParameter(sentence_of(error)) from None
    chosen = connected("task", config, amqp_url=amqp_url, prefix=prefix)

    async def show() -> None:
        async with chosen.broker as broker:
            agents = [agent] if agent else await fleet(broker, chosen.settings)
            with err.status("looking at the results") as status:
                client = Client(broker, chosen.settings.topology)
                life = await life_of(client, task_id, agent, agents, status.update)
        for line in [json_of(life)] if as_json else shown(life):
            out.print(line, markup=False)
        if not life.is_known:
            err.print(f"error: {no_trace(life)}", markup=False)
            raise typer.Exit(ExitCode.UNKNOWN_AGENT)

    run_process(show, "error")
