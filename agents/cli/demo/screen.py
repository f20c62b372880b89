"""The demo's table: live on a terminal, lines and one table at the end elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from agents.cli.demo.board import Board, Row
from schemas import TaskStatus, priority_name

_COLOURS = {
    "waiting": "dim",
    "held": "cyan",
    "running": "bold cyan",
    "retrying": "yellow",
    TaskStatus.COMPLETED: "green",
    TaskStatus.REJECTED: "magenta",
    TaskStatus.FAILED: "red",
}


@contextmanager
def shown(board: Board, console: Console) -> Iterator[Callable[[], None]]:
    """Show the board for the block, and give a function that shows it anew."""
    if not console.is_terminal:
        yield _printer(board, console)
        console.print(table_of(board.rows))
        return
    with Live(table_of(board.rows), console=console, refresh_per_second=8) as live:
        yield lambda: live.update(table_of(board.rows))


def table_of(rows: tuple[Row, ...]) -> Table:
    """Return one row a task: state, priority, wait, model, tokens, time. It fits into 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("task", no_wrap=True)
    table.add_column("agent", no_wrap=True, max_width=17, overflow="ellipsis")
    table.add_column("priority", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=9)
    table.add_column("wait s", justify="right", no_wrap=True)
    table.add_column("model", no_wrap=True, max_width=12, overflow="ellipsis")
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("time s", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    colour = _COLOURS.get(row.status or row.state, "red")
    return (
        row.task_id,
        row.agent,
        priority_name(row.priority),
        f"[{colour}]{row.state}[/]",
        _seconds(row.wait),
        row.model,
        str(row.tokens or ""),
        _seconds(row.seconds),
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _printer(board: Board, console: Console) -> Callable[[], None]:
    told: dict[str, str] = {}

    def print_changes() -> None:
        for row in board.rows:
            if told.get(row.task_id) != row.state:
                told[row.task_id] = row.state
                console.print(f"{row.task_id}: {row.state}")

    return print_changes
