"""Screens over the view: help, a question, and texts that take a moment to find."""

from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from agents.cli.shown_letters import plain
from bus.errors import BusError

HELP: Final = """\
Tab, 1 to 4  next pane (Shift+Tab: the one before);
             agents, model servers, hosts, results
arrows, j k  choose a row; PageUp, PageDown, Home, End as well
/            filter the pane by words; Enter keeps, Escape ends it
s, S         sort agents by the next column; turn the order round
p, r         pause or resume the chosen agent on all hosts
d            dead letters of the chosen agent, to do them again
Enter        open the chosen result: the life of its task
q            leave, or close a window such as this one
Ctrl-C       leave from anywhere, as interrupted

RUN      handlers at work      WAIT  ready in the broker's queue
HELD     in a host's hands     DEAD  dead letters
RETRY    attempts that failed in passing
P95      seconds that 95 % of the last hundred runs stayed below
tok/s    above: of all servers, over the last minute
TOK/S    of one request at a time, over the last ten answers
WRITTEN  tokens a second of all requests, over five minutes
PROBE    time until a broken model server is tried again
h a unr  above, where it is narrow: hosts, agents, unrouted
● well   ! look   ✗ wrong   ○ neither"""


class Reel(VerticalScroll):
    """A frame round a text, which moves by the keys that choose rows elsewhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", "Up", show=False),
        Binding("j", "scroll_down", "Down", show=False),
    ]


class Window(ModalScreen[None]):
    """A text in a frame; Escape or q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close")]

    def __init__(self, title: str, lines: Callable[[], Awaitable[Iterable[str]]]) -> None:
        """`lines` finds the text; meanwhile the window says so. What goes wrong is shown in its place."""
        super().__init__()
        self._title = title
        self._lines = lines
        self._text = Static("looking ...", markup=False)

    def compose(self) -> ComposeResult:
        """See Textual."""
        with Reel(classes="frame") as frame:
            frame.border_title = plain(self._title).replace("[", "\\[")
            frame.border_subtitle = "j k scroll  Escape closes"
            yield self._text

    def on_mount(self) -> None:
        """Begin to look."""
        self.run_worker(self._fill(), name="window")

    async def _fill(self) -> None:
        try:
            told = "\n".join(await self._lines())
        except BusError as error:
            told = f"error: {error}"
        self._text.update(Text(told))


class Question(ModalScreen[bool]):
    """Asks whether something shall be done. Nothing is done by a slip: only y does it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, more: str = "") -> None:
        super().__init__()
        self._question = "\n".join(plain(line) for line in (question, more) if line)

    def compose(self) -> ComposeResult:
        """See Textual."""
        with Vertical(classes="frame question"):
            yield Static(Text(f"{self._question}\n\ny: yes    n: no"))


async def help_lines() -> list[str]:
    """Return the help."""
    return HELP.splitlines()
