"""Pane: a title, a table, and what does not fit into the columns of its chosen row."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from agents.cli.shown_letters import plain
from agents.top.columns import Column
from agents.top.grid import Grid
from agents.top.order import filtered


class Shown(Protocol):
    """A row that can be filtered and told in full."""

    @property
    def words(self) -> str:
        """What a filter looks into."""

    @property
    def details(self) -> str:
        """What does not fit into columns."""


Row = TypeVar("Row", bound=Shown)


class Pane(Vertical, Generic[Row]):
    """Shows rows, filtered by `filter`."""

    DEFAULT_CSS = """
    Pane { height: 1fr; }
    Pane > .title { height: 1; color: $text; background: $boost; text-style: bold; }
    Pane:focus-within > .title { background: $primary; }
    Pane > .details { height: auto; max-height: 2; color: $text-muted; }
    """

    def __init__(
        self, title: str, name: str, columns: Sequence[Column[Row]], key_of: Callable[[Row], Hashable]
    ) -> None:
        """`name` is its id, too."""
        super().__init__(id=name)
        self.title = title
        self.filter = ""
        self.note = ""
        """Told behind the title, as the order of the rows."""
        self.grid = Grid(columns, key_of)
        self._title = Static(classes="title", markup=False)
        self._details = Static(classes="details", markup=False)
        self._rows: Sequence[Row] = ()

    def compose(self) -> ComposeResult:
        """See Textual."""
        yield self._title
        yield self.grid
        yield self._details

    def on_mount(self) -> None:
        """Follow the cursor."""
        self.watch(self.grid, "index", self._tell, init=False)

    @property
    def row(self) -> Row | None:
        """The chosen row."""
        return self.grid.row

    @property
    def count(self) -> int:
        """How many rows there are, those that are filtered out included."""
        return len(self._rows)

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, or those of them that the filter lets through."""
        self._rows = rows
        self.grid.show(filtered(rows, self.filter))
        self._tell()

    def set_filter(self, text: str) -> None:
        """Show only rows that hold the words of `text`."""
        self.filter = text
        self.show(self._rows)

    def _tell(self) -> None:
        shown = self.grid.count
        of_all = f"{shown} of {self.count}" if self.filter else str(self.count)
        notes = (self.note, f"filter: {self.filter}" if self.filter else "")
        place = f"{self.grid.index + 1}/{shown}" if shown else "none"
        told = "  ".join(part for part in (f"{self.title} {of_all}", *notes, place) if part)
        self._title.update(Text(f" {plain(told)}"))
        self._details.update(Text(plain(self.row.details) if self.row is not None else ""))
