"""Grid: a table of rows with a cursor, which draws only what is in sight."""

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Final, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from agents.top.columns import Column, Fitted
from agents.top.cursor import Cursor
from agents.top.tone import Tone

Row = TypeVar("Row")

MARK, MARK_AWAY = "▸ ", "· "
"""Before the chosen row, in the pane that hears the keys and in others; colour alone is not seen by all."""

STYLES: Final = {
    Tone.PLAIN: Style(),
    Tone.GOOD: Style(color="#8ec07c"),
    Tone.DIM: Style(color="#a0a0a0"),
    Tone.WARN: Style(color="#fabd2f", bold=True),
    Tone.BAD: Style(color="#ff6b5e", bold=True),
}


class Grid(Widget, Generic[Row], can_focus=True):
    """Shows the rows it is given last. The chosen one is `row`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--header", "grid--cursor"}
    DEFAULT_CSS = """
    Grid {
        height: 1fr;
        & > .grid--header { color: $text-muted; text-style: bold; background: $panel; }
        & > .grid--cursor { background: $surface-lighten-2; text-style: bold; }
        &:focus > .grid--cursor { background: $primary-muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000)", "First", show=False),
        Binding("end,G", "move(1000000)", "Last", show=False),
    ]

    index = reactive(0)
    """The place of the chosen row; whoever shows it watches this."""

    def __init__(self, columns: Sequence[Column[Row]], key_of: Callable[[Row], Hashable]) -> None:
        """`key_of`: what a row is known by, however the figures in it change."""
        super().__init__()
        self._columns = columns
        self._key_of = key_of
        self._fit = (0, Fitted(columns, 0))
        self._rows: Sequence[Row] = ()
        self._cursor = Cursor()

    @property
    def row(self) -> Row | None:
        """The chosen row; None where there is none."""
        return self._rows[self._cursor.index] if self._rows else None

    @property
    def count(self) -> int:
        """How many rows are shown, in sight or not."""
        return len(self._rows)

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows."""
        self._rows = rows
        self._cursor.show([self._key_of(row) for row in rows])
        self.index = self._cursor.index
        self.refresh()

    def action_move(self, by: int) -> None:
        """Choose another row."""
        self._cursor.move(by)
        self.index = self._cursor.index
        self.refresh()

    def action_page(self, by: int) -> None:
        """Choose a row a page further."""
        self.action_move(by * self._height)

    def render_line(self, y: int) -> Strip:
        """See Textual: one line of the widget."""
        base = self.rich_style
        fitted = self._fitted()
        if y == 0:
            style = base + self.get_component_rich_style("grid--header")
            return self._strip([Segment(f"{' ' * len(MARK)}{fitted.header()}", style)], style)
        at = self._cursor.first_in_sight(self._height) + y - 1
        if at >= len(self._rows):
            return self._strip([], base)
        is_chosen = at == self._cursor.index
        style = base + self.get_component_rich_style("grid--cursor") if is_chosen else base
        mark = (MARK if self.has_focus else MARK_AWAY) if is_chosen else " " * len(MARK)
        cells = [Segment(text, style + STYLES[tone]) for text, tone in fitted.cells(self._rows[at])]
        return self._strip([Segment(mark, style), *cells], style)

    def _fitted(self) -> Fitted[Row]:
        width = self.size.width - len(MARK)
        if self._fit[0] != width:
            self._fit = (width, Fitted(self._columns, width))
        return self._fit[1]

    @property
    def _height(self) -> int:
        return max(1, self.size.height - 1)

    def _strip(self, segments: list[Segment], style: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self.size.width, style)
