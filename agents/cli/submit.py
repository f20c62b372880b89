"""`sutazai submit`: one task, and its answer if wanted."""

import sys

import typer

from agents.cli.answer_screen import AnswerScreen, ResultScreen
from agents.cli.console import out
from agents.cli.followed import followed
from agents.cli.given_task import task_of
from agents.cli.meant_agents import names_explained
from agents.cli.options import AmqpUrl, Config, Prefix, connected
from agents.cli.task_options import (
    Agent,
    AsJson,
    Data,
    Deadline,
    Id,
    MaxAttempts,
    Metadata,
    Model,
    PriorityText,
    Prompt,
    Retry,
    Stream,
    Timeout,
    Type,
    Wait,
)
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process
from agents.core.tracing.traced import traced
from bus.client import Client
from schemas import TaskMessage, TaskStatus


def submit(
    agent: Agent,
    prompt: Prompt,
    priority: PriorityText = "normal",
    wait: Wait = False,
    stream: Stream = False,
    timeout: Timeout = 300.0,
    model: Model = None,
    data: Data = None,
    task_type: Type = None,
    deadline: Deadline = None,
    task_id: Id = None,
    max_attempts: MaxAttempts = None,
    retry: Retry = None,
    metadata: Metadata = None,
    as_json: AsJson = False,
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
            type=task_type,
            timeout=deadline,
            id=task_id,
            max_attempts=max_attempts,
            retry=retry or (),
            metadata=metadata or (),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    chosen = connected("submit", config, amqp_url=amqp_url, prefix=prefix)

    async def publish() -> None:
        with traced(chosen.settings, "sutazai-submit"), names_explained(chosen.settings):
            await deliver()

    async def deliver() -> None:
        async with chosen.broker as broker:
            client = Client(broker, chosen.settings.topology)
            if stream or wait:
                await _follow(client, task, AnswerScreen() if stream else ResultScreen(as_json=as_json), timeout)
            else:
                await client.send(task)
                out.print(task.model_dump_json() if as_json else task.id, markup=False)

    run_process(publish, "error")


async def _follow(client: Client, task: TaskMessage, screen: ResultScreen, timeout: float) -> None:
    result = await followed(client, task, screen, timeout)
    if result.status is not TaskStatus.COMPLETED:
        raise typer.Exit(ExitCode.TASK_NOT_COMPLETED)
