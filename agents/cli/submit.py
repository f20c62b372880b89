"""`sutazai submit`: one task, and its answer if wanted."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from agents.cli.console import err, out
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.shown_results import answer_of, error_of
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from bus.client import Client
from schemas import TaskMessage, TaskResult, TaskStatus


def submit(
    agent: Annotated[str, typer.Argument(help="Whom to ask.")],
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    priority: Annotated[
        str, typer.Option("--priority", "-p", help="background, low, normal, high, critical, or 0 to 9.")
    ] = "normal",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the result and print it.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="With --wait: seconds to wait at most.")] = 300.0,
    model: Annotated[str | None, typer.Option(help="Ask this model in place of the agent's own.")] = None,
    data: Annotated[str | None, typer.Option(metavar="JSON", help="Structured input beside the prompt.")] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.1, help="After this long nobody wants the result: expire.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole task or result as JSON.")] = False,
    amqp_url: AmqpUrl = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Publish a task. Prints its id; with --wait its answer. Exit code 6 means that it ended in another way.

    Examples:
      sutazai submit senior-engineer "Why is my asyncio.Queue unbounded?" --wait

      git diff | sutazai submit senior-engineer - --priority high --wait
    """
    given = {"model": model, "data": None if data is None else _json(data), "timeout": deadline}
    task = _task(agent=agent, prompt=sys.stdin.read() if prompt == "-" else prompt, priority=priority, **given)
    chosen = connected("submit", config, amqp_url=amqp_url, prefix=prefix)

    async def publish() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            if wait:
                with err.status(f"waiting for {agent} ({task.id})"):
                    result = await _result(client, task, timeout)
                _show(result, as_json=as_json)
            else:
                await client.send(task)
                out.print(task.model_dump_json() if as_json else task.id, markup=False)

    run_process(publish, "error")


async def _result(client: Client, task: TaskMessage, timeout: float) -> TaskResult:
    try:
        return await client.wait_for(task, timeout=timeout)
    except asyncio.CancelledError:
        err.print(f"interrupted: task {task.id} goes on", markup=False)
        raise


def _task(**fields: Any) -> TaskMessage:
    try:
        return TaskMessage(**fields)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"])) or "task"
        raise typer.BadParameter(f"{name} = {fault['input']!r}: {fault['msg'].removeprefix('Value error, ')}") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--data is no JSON: {error}") from None


def _show(result: TaskResult, *, as_json: bool) -> None:
    if as_json:
        out.print_json(result.model_dump_json())
    elif result.status is TaskStatus.COMPLETED:
        out.print(answer_of(result), markup=False)
    else:
        err.print(f"error: the task ended as {result.status}: {error_of(result)}", markup=False)
    if result.status is not TaskStatus.COMPLETED:
        raise typer.Exit(ExitCode.TASK_NOT_COMPLETED)
