"""The dead letters of one agent in a window: looked at, and one of them done again."""

from contextlib import aclosing
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from agents.cli.shown_letters import details_of
from agents.top.columns import Column
from agents.top.grid import Grid
from agents.top.screens import Question, Window
from bus.client import Client
from bus.dead_letters import DeadLetters, Kept, Replayed
from bus.errors import BusError
from bus.letter import Choice, DeadLetter

SHOWN: Final = 200
"""Letters in the window; `sutazai dlq list` shows all."""

_COLUMNS: Final[tuple[Column[DeadLetter], ...]] = (
    Column(
        "FAILED AT", 11, lambda letter: f"{letter.failed_at:%m-%d %H:%M}" if letter.failed_at else "-", is_figure=False
    ),
    Column("REASON", 10, lambda letter: letter.reason, is_figure=False),
    Column("TASK", 12, lambda letter: letter.task_id, share=1, is_figure=False),
    Column("TRY", 3, lambda letter: str(letter.attempt)),
    Column("ERROR", 16, lambda letter: f"{letter.code}: {letter.error}", share=3, is_figure=False),
)


class Letters(ModalScreen[None]):
    """The letters as they were when the window was opened, or after one was done again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("r", "replay", "Do again"),
        Binding("escape,q", "dismiss", "Close"),
    ]

    def __init__(self, client: Client, agent: str) -> None:
        super().__init__()
        self._agent = agent
        self._letters = DeadLetters(client.broker, client.topology, [agent])
        self._grid = Grid(_COLUMNS, lambda letter: letter.task_id)
        self._told = Static("looking ...", markup=False)

    def compose(self) -> ComposeResult:
        """See Textual."""
        with Vertical(classes="frame") as frame:
            frame.border_title = f"dead letters of {self._agent}"
            frame.border_subtitle = "Enter opens  r does one again  Escape closes"
            yield self._told  # above, where no message is laid over it
            yield self._grid

    def on_mount(self) -> None:
        """Begin to look."""
        self._grid.focus()
        self.run_worker(self._look(), name="letters")

    async def action_open(self) -> None:
        """Show all of the chosen letter."""
        letter = self._grid.row
        if letter is None:
            return

        async def lines() -> list[str]:
            return list(details_of(letter))

        await self.app.push_screen(Window(f"dead letter {letter.task_id}", lines))

    async def action_replay(self) -> None:
        """Ask, and have the chosen letter done again."""
        letter = self._grid.row
        if letter is None:
            return

        def answer(is_agreed: bool | None) -> None:
            if is_agreed:
                self.run_worker(self._replay(letter), name="replay")

        await self.app.push_screen(Question(f"Have a task of {letter.agent} done again?", letter.task_id), answer)

    async def _look(self) -> None:
        found: list[DeadLetter] = []
        choice = Choice(agents=frozenset({self._agent}))
        try:
            async with aclosing(self._letters.letters(choice)) as letters:
                async for letter in letters:
                    found.append(letter)
                    if len(found) == SHOWN:
                        break
        except BusError as error:
            self._tell(f"error: {error}")
            return
        self._grid.show(found)
        more = "; there may be more" if len(found) == SHOWN else ""
        self._tell(f"dead letters: {len(found)}{more}")

    async def _replay(self, letter: DeadLetter) -> None:
        told = "there is no dead letter of it any more"
        choice = Choice(ids=frozenset({letter.task_id}), agents=frozenset({letter.agent}))
        try:
            async with aclosing(self._letters.replay(choice)) as steps:
                async for step in steps:
                    match step:
                        case Replayed():
                            told = f"done again as {step.task_id}"
                        case Kept():
                            told = f"no queue takes tasks for {letter.agent}: the letter stays"
        except BusError as error:
            told = f"error: {error}"
        await self._look()
        self.app.notify(told, markup=False)

    def _tell(self, text: str) -> None:
        self._told.update(Text(text))
