"""A task that somebody waits for at a terminal, from its submission to its terminal result."""

import asyncio

from rich.status import Status
from rich.text import Text

from agents.cli.answer_screen import ResultScreen
from agents.cli.console import err
from agents.cli.progress import ProgressLines, words_of
from agents.cli.waiting import PATIENCE_SECONDS, explaining
from bus.client import Client
from bus.errors import ReplyTimeout
from bus.pieces import Advance, Gap, Piece
from schemas import TaskMessage, TaskResult


async def followed(
    client: Client, task: TaskMessage, screen: ResultScreen, timeout: float, *, patience: float = PATIENCE_SECONDS
) -> TaskResult:
    """Submit `task` and show on `screen` what becomes of it; after `patience` seconds also why nothing does.

    Ctrl-C ends the waiting alone: a task is work that somebody has asked for, and a slip must not throw it away.

    Raises:
        ReplyTimeout: no result in time; the text repeats what was seen last of the task or its agent.
    """
    try:
        result = await _until_over(client, task, screen, timeout, patience)
    except asyncio.CancelledError:
        screen.leave()
        _tell_interrupted(task)
        raise
    except BaseException:
        screen.leave()
        raise
    screen.finish(result)
    return result


async def _until_over(
    client: Client, task: TaskMessage, screen: ResultScreen, timeout: float, patience: float
) -> TaskResult:
    with err.status(f"waiting for {task.agent} ({task.id})") as status:
        async with (
            client.watch(task, timeout=timeout) as stream,
            explaining(client, task, screen.mark, patience=patience) as reasons,
        ):
            lines = ProgressLines()
            try:
                async for step in stream.steps():
                    reasons.note(step)
                    if isinstance(step, Piece | Gap):
                        status.stop()  # it would draw over the text
                    if isinstance(step, Advance):
                        _tell_progress(task, step, lines, screen, status)
                    screen.show(step)
                return await stream.result()
            except ReplyTimeout as error:
                seen = f"; last seen: {reasons.last}" if reasons.last else ""
                raise ReplyTimeout(f"{error}{seen}") from None


def _tell_progress(
    task: TaskMessage, advance: Advance, lines: ProgressLines, screen: ResultScreen, status: Status
) -> None:
    if err.is_terminal:
        status.update(Text(f"{task.agent} ({task.id}): {words_of(advance)}"))
    elif (line := lines.line(advance)) is not None:
        screen.mark(line)


def _tell_interrupted(task: TaskMessage) -> None:
    err.print(f"interrupted: task {task.id} goes on", markup=False)
    err.print(f"to end it: sutazai cancel {task.id} --agent {task.agent}", markup=False)
