"""Columns: what stands in a table, and what is left out where it is narrow. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size

from agents.cli.shown_letters import plain
from agents.top.agent_rows import AgentRow
from agents.top.figures import NONE, count_text, span_text, sparkline, speed_text
from agents.top.host_rows import HostRow
from agents.top.result_rows import ResultRow
from agents.top.server_rows import ServerRow
from agents.top.speeds import CELLS
from agents.top.tone import Tone, signed, tone_of

Row = TypeVar("Row")

GAP: Final = 1
"""Blanks between two columns."""


def _plain_tone(_row: object) -> Tone:
    return Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of at least `width` cells.

    `rank` tells which one goes first where there is no room: the highest; 0 stays. `share` is its part of the room that
    is left. Figures stand at the right.
    """

    title: str
    width: int
    text: Callable[[Row], str]
    rank: int = 0
    share: int = 0
    is_figure: bool = True
    tone: Callable[[Row], Tone] = _plain_tone


class Cell(NamedTuple):
    """A text of exactly the width of its column, its gap included."""

    text: str
    tone: Tone


class Fitted(Generic[Row]):
    """The columns that fit into so many cells, with their widths."""

    def __init__(self, columns: Sequence[Column[Row]], width: int) -> None:
        shown = list(columns)
        while _least(shown) > width and any(column.rank for column in shown):
            shown.remove(max(shown, key=lambda column: column.rank))
        shares, left = sum(column.share for column in shown), max(0, width - _least(shown))
        self.columns = [(column, column.width + left * column.share // (shares or 1)) for column in shown]

    def header(self) -> str:
        """Return the line of titles."""
        cells = (_cut(column.title, width, at_right=column.is_figure) for column, width in self.columns)
        return "".join(f"{cell}{' ' * GAP}" for cell in cells)

    def cells(self, row: Row) -> list[Cell]:
        """Return the cells of a row."""
        return [
            Cell(
                f"{_cut(plain(column.text(row)), width, at_right=column.is_figure)}{' ' * GAP}",
                column.tone(row),
            )
            for column, width in self.columns
        ]


def _least(columns: Sequence[Column[Row]]) -> int:
    return sum(column.width + GAP for column in columns)


def _cut(text: str, width: int, *, at_right: bool) -> str:
    """Return a text in exactly `width` cells; what is too long ends in an ellipsis."""
    room = width - cell_len(text)
    if room < 0:
        return f"{set_cell_size(text, width - 1)}…" if width > 0 else ""
    return f"{' ' * room}{text}" if at_right else f"{text}{' ' * room}"


def _dim(count: int | None) -> Tone:
    return Tone.PLAIN if count else Tone.DIM


def _probe_tone(probe_in: float | None) -> Tone:
    return Tone.DIM if probe_in is None else Tone.WARN


def _warning(count: int | None) -> Tone:
    return Tone.WARN if count else Tone.DIM


AGENTS: Final[Sequence[Column[AgentRow]]] = (
    Column("AGENT", 24, lambda row: row.name, share=3, is_figure=False),
    Column("STATE", 11, lambda row: signed(row.state), is_figure=False, tone=lambda row: tone_of(row.state)),
    Column("RUN", 3, lambda row: count_text(row.running), tone=lambda row: _dim(row.running)),
    Column("WAIT", 5, lambda row: count_text(row.ready), tone=lambda row: _dim(row.ready)),
    Column("HELD", 4, lambda row: count_text(row.held), rank=2, tone=lambda row: _dim(row.held)),
    Column("DONE", 5, lambda row: count_text(row.done), tone=lambda row: _dim(row.done)),
    Column("FAIL", 4, lambda row: count_text(row.failed), tone=lambda row: _warning(row.failed)),
    Column("DEAD", 4, lambda row: count_text(row.dead), rank=1, tone=lambda row: _warning(row.dead)),
    Column("RETRY", 5, lambda row: count_text(row.retries), rank=4, tone=lambda row: _dim(row.retries)),
    Column("P95", 5, lambda row: span_text(row.p95), rank=3),
    Column("MODEL", 12, lambda row: row.models or NONE, rank=6, share=1, is_figure=False),
    Column("HOSTS", 5, lambda row: str(len(row.living)), rank=5),
)

SERVERS: Final[Sequence[Column[ServerRow]]] = (
    Column("MODEL SERVER", 15, lambda row: row.address, share=2, is_figure=False),
    Column("BREAKER", 11, lambda row: signed(row.state), is_figure=False, tone=lambda row: tone_of(row.state)),
    Column("SLOTS", 5, lambda row: row.slots),
    Column("WAIT", 4, lambda row: count_text(row.pool.waiting)),
    Column("TOK/S", 5, lambda row: speed_text(row.pool.tokens_per_second), rank=4),
    Column("WRITTEN", CELLS, lambda row: sparkline(row.history, CELLS), rank=3, tone=lambda _row: Tone.GOOD),
    Column("PROBE", 5, lambda row: span_text(row.probe_in), rank=1, tone=lambda row: _probe_tone(row.probe_in)),
    Column("HOST", 10, lambda row: row.pool.host, rank=2, share=1, is_figure=False),
    Column("LOADED", 16, lambda row: row.loaded or NONE, rank=5, share=2, is_figure=False),
)

HOSTS: Final[Sequence[Column[HostRow]]] = (
    Column("HOST", 11, lambda row: row.name, share=1, is_figure=False),
    Column("STATE", 11, lambda row: signed(row.state), is_figure=False, tone=lambda row: tone_of(row.state)),
    Column("AGENTS", 6, lambda row: str(len(row.report.agents)), rank=2),
    Column("HELD", 6, lambda row: row.held),
    Column("MEM", 5, lambda row: row.memory),
    Column("CPU%", 5, lambda row: speed_text(row.report.cpu_percent)),
    Column("UP", 6, lambda row: span_text(row.uptime)),
    Column("VERSION", 8, lambda row: row.report.version, rank=3, is_figure=False),
    Column("LINKS", 9, lambda row: row.links, rank=1, is_figure=False),
)

RESULTS: Final[Sequence[Column[ResultRow]]] = (
    Column("TIME", 8, lambda row: row.time, is_figure=False),
    Column(
        "STATUS",
        11,
        lambda row: signed(row.result.status.value),
        is_figure=False,
        tone=lambda row: tone_of(row.result.status.value),
    ),
    Column("AGENT", 16, lambda row: row.agent, share=1, is_figure=False),
    Column("TOOK", 6, lambda row: span_text(row.result.processing_time)),
    Column("TOKENS", 6, lambda row: count_text(row.tokens), rank=2),
    Column("MODEL", 12, lambda row: row.result.model or NONE, rank=3, is_figure=False),
    Column("TOLD", 9, lambda row: row.told, rank=1, share=3, is_figure=False, tone=lambda _row: Tone.DIM),
)
