"""`sutazai demo`: three agents, nine tasks, one broker, one model, on this machine."""

import asyncio
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Final

import typer

from agents.cli.console import err, out
from agents.cli.demo.board import Board
from agents.cli.demo.places import broker_place, model_place
from agents.cli.demo.screen import shown
from agents.cli.demo.tasks import AGENTS, BAD_TASK_AGENT, BAD_TASK_BODY, BAD_TASK_ID, demo_tasks
from agents.cli.shown_results import summary_of
from agents.core.catalog import load_catalog
from agents.core.exit_codes import ExitCode
from agents.core.host import Host
from agents.core.markdown_agent import MarkdownAgent
from agents.core.process import run_process
from agents.core.settings import Settings, load_settings
from agents.core.version import VERSION
from bus.broker import Broker
from bus.client import Client
from bus.connect import broker_at
from bus.message import Message
from bus.topology import Topology
from schemas import Priority, TaskEvent, TaskMessage, TaskResult, TaskStatus, priority_name

PREFIX: Final = "sutazai-demo"
"""Names of its own, so that a demo on a broker in use touches nobody's tasks."""

NEXT_STEPS: Final = """
[bold]Next[/]
  {command} local-model            a model server in one terminal, or your Ollama
  {command} run senior-engineer    an agent in another; it needs a RabbitMQ
  {command} submit senior-engineer "In one sentence: what is a mutex?" --wait
  {command} results --follow       every result, as it comes"""


def demo(
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that the tasks may take.")] = 300.0,
) -> None:
    """Run the main job here: agents, a broker and a model, nine tasks with mixed priorities, one of them wrong.

    The broker is that of AMQP_URL; else a RabbitMQ node of its own, from the rabbitmq-server on this machine; else in
    memory. The model is that of OLLAMA_URL; else that of an Ollama on its default port; else a small one that is
    fetched once (93 MB). What it starts it ends.
    """
    board = Board()

    async def show() -> None:
        try:
            await _run(board, timeout)
        except TimeoutError:
            err.print(f"error: not all tasks were done within {timeout:g} s: try --timeout {timeout * 2:g}")
            raise typer.Exit(ExitCode.TIMED_OUT) from None

    run_process(show, "error")
    if Counter(row.status for row in board.rows)[TaskStatus.COMPLETED] < len(board.rows) - 1:
        raise typer.Exit(ExitCode.TASK_NOT_COMPLETED)


async def _run(board: Board, timeout: float) -> None:
    async with AsyncExitStack() as stack:
        amqp_url = await stack.enter_async_context(broker_place())
        ollama_url, model = await stack.enter_async_context(model_place())
        # Only now: a slow network may take longer to fetch the model than the tasks may.
        await stack.enter_async_context(asyncio.timeout(timeout))
        settings = load_settings(
            amqp_url=amqp_url,
            ollama_url=ollama_url,
            ollama_default_model=model,
            max_ollama_connections=1,
            prefix=PREFIX,
            grace_period=1.0,
        )
        broker = await stack.enter_async_context(
            broker_at(amqp_url, "sutazai demo", VERSION, patience=settings.connect_timeout)
        )
        await _clear(broker, settings.topology)
        await broker.declare(settings.topology.shared())
        stack.push_async_callback(_clear, broker, settings.topology)
        client = Client(broker, settings.topology)
        started = time.monotonic()
        await _work(client, settings, board, demo_tasks(model))
        _sum_up(board, time.monotonic() - started)


async def _work(client: Client, settings: Settings, board: Board, tasks: Sequence[TaskMessage]) -> None:
    staff = [MarkdownAgent(load_catalog()[name], max_concurrent_tasks=1) for name in AGENTS]
    err.print(f"[bold]agents[/]  {len(AGENTS)} in one host, one task each at a time, one model slot for all\n")
    async with AsyncExitStack() as stack:
        events = await stack.enter_async_context(client.events())
        results = await stack.enter_async_context(client.results())
        await _publish(client, settings, board, tasks)
        refresh = stack.enter_context(shown(board, out))
        await stack.enter_async_context(Host(staff, settings))
        await _follow(board, events, results, refresh)


async def _publish(client: Client, settings: Settings, board: Board, tasks: Sequence[TaskMessage]) -> None:
    """Publish all tasks before an agent runs, so that the priorities have something to decide."""
    for name in AGENTS:
        await client.broker.declare(settings.topology.agent(name))
    for task in tasks:
        board.add(task.id, task.agent, task.priority)
        await client.send(task)
    board.add(BAD_TASK_ID, BAD_TASK_AGENT, Priority.BACKGROUND)
    await client.broker.publish(settings.topology.tasks, BAD_TASK_AGENT, Message(BAD_TASK_BODY))


async def _clear(broker: Broker, topology: Topology) -> None:
    """Delete the demo's queues: before, those of a demo that was cut short; after, its own."""
    plans = [topology.shared(), *map(topology.agent, AGENTS)]
    for queue in [queue for plan in plans for queue in plan.queues]:
        await broker.delete_queue(queue.name)


async def _follow(
    board: Board,
    events: AsyncIterator[TaskEvent],
    results: AsyncIterator[TaskResult],
    refresh: Callable[[], None],
) -> None:
    async def note_events() -> None:
        async for event in events:
            board.note_event(event)
            refresh()

    watching = asyncio.create_task(note_events(), name="demo:events")
    try:
        async for result in results:
            board.note_result(result, summary_of(result))
            refresh()
            if board.is_complete:
                return
    finally:
        watching.cancel()


def _sum_up(board: Board, seconds: float) -> None:
    counts = Counter(str(row.status) for row in board.rows)
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    first = board.rows[0]
    tokens = sum(row.tokens for row in board.rows)
    out.print("\n[bold]Answers[/]")
    for row in board.rows:
        line = f"{row.task_id}  {row.answer}"
        out.print(line, markup=False, soft_wrap=False, no_wrap=True, overflow="ellipsis")
    out.print(f"\n{len(board.rows)} tasks in {seconds:.1f} s: {told}; {tokens} tokens written.")
    told = (
        f"The table is in the order of the results. First came {first.task_id} ({priority_name(first.priority)}): "
        "priority holds from the queue to the model slot. The broken task got its answer too, and its bytes went "
        "to the dead-letter queue."
    )
    out.print(told, soft_wrap=False)
    command = "sutazai" if shutil.which("sutazai") else os.path.relpath(sys.argv[0])
    out.print(NEXT_STEPS.format(command=command))
