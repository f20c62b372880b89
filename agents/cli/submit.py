"""`sutazai submit`: one task, and its answer if wanted."""

import sys
from typing import Annotated

import typer

from agents.cli.answer_screen import AnswerScreen, ResultScreen
from agents.cli.console import out
from agents.cli.followed import followed
from agents.cli.given_task import task_of
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from bus.client import Client
from schemas import TaskStatus

Pairs = list[str] | None


def submit(
    agent: Annotated[str, typer.Argument(help="Whom to ask.")],
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    priority: Annotated[
        str, typer.Option("--priority", "-p", help="background, low, normal, high, critical, or 0 to 9.")
    ] = "normal",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result and print it.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", "-s", help="Print the answer as it is written, and wait for its end.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="With --wait or --stream: seconds to wait at most.")] = 300.0,
    model: Annotated[str | None, typer.Option(help="Ask this model in place of the agent's own.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="Structured input beside the prompt.")] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.1, help="After this long nobody wants the result: expire.")
    ] = None,
    task_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The task's id, so that sending it twice is one task.")
    ] = None,
    max_attempts: Annotated[
        int | None, typer.Option(metavar="N", help="How often it is tried at most. Default: the agent's.")
    ] = None,
    retry: Annotated[
        Pairs,
        typer.Option(metavar="KEY=VALUE", help="How late and after which errors: base, factor, cap, jitter, on=A,B."),
    ] = None,
    metadata: Annotated[
        Pairs, typer.Option(metavar="KEY=VALUE", help="Repeated in the result; may be given several times.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole task or result as JSON.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Publish a task. Prints its id; with --wait or --stream its answer. Exit code 6: it ended in another way.

    Ctrl-C ends the waiting, not the task: the last line tells how to cancel that.

    Examples:
      sutazai submit senior-engineer "Why is my asyncio.Queue unbounded?" --stream

      git diff | sutazai submit senior-engineer - --priority high --wait

      sutazai submit senior-engineer "Review order 17" --id order-17 --max-attempts 5 --metadata customer=42
    """
    if stream and as_json:
        raise typer.BadParameter("--stream and --json contradict each other: --wait --json prints the whole result")
    try:
        task = task_of(
            agent=agent,
            prompt=sys.stdin.read() if prompt == "-" else prompt,
            priority=priority,
            stream=stream,
            model=model,
            data=data,
            timeout=deadline,
            id=task_id,
            max_attempts=max_attempts,
            retry=retry or (),
            metadata=metadata or (),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    chosen = connected("submit", config, amqp_url=amqp_url, prefix=prefix)

    screen = AnswerScreen() if stream else ResultScreen(as_json=as_json)

    async def publish() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            if stream or wait:
                result = await followed(client, task, screen, timeout)
                if result.status is not TaskStatus.COMPLETED:
                    raise typer.Exit(ExitCode.TASK_NOT_COMPLETED)
            else:
                await client.send(task)
                out.print(task.model_dump_json() if as_json else task.id, markup=False)

    run_process(publish, "error")
