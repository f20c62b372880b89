"""The screen of `sutazai top` as text, read off the picture that Textual draws of it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape

from textual.pilot import Pilot

from agents.top.app import TopApp
from agents.top.watch import Watch
from bus.client import Client
from tests.support.waiting import wait_until

_PIECE = re.compile(
    r'<text class="[^"]*" x="([\d.]+)" y="[\d.]+"[^>]*clip-path="url\(#[^)]*-line-(\d+)\)">(.*?)</text>'
)
_CELL = 12.2
"""The width of a cell in the picture."""


def text_of(app: TopApp) -> str:
    """Return the lines of the screen, without colours."""
    lines: dict[int, str] = {}
    for x, line, piece in _PIECE.findall(app.export_screenshot()):
        column = round(float(x) / _CELL)
        before = lines.get(int(line), "").ljust(column)  # blanks between two pieces are not drawn
        lines[int(line)] = before[:column] + unescape(piece).replace("\xa0", " ")
    return "\n".join(text for _, text in sorted(lines.items()))


class Shown:
    """A running TopApp: its keys, and what is on its screen."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot

    @property
    def text(self) -> str:
        """The screen at the moment."""
        return text_of(self.app)

    def line_with(self, word: str) -> str:
        """Return the first line with `word`, its blanks folded; empty where there is none."""
        return next((" ".join(line.split()) for line in self.text.splitlines() if word in line), "")

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self._pilot.press(*keys)

    async def resize(self, width: int, height: int) -> None:
        """Change the size of the terminal."""
        await self._pilot.resize_terminal(width, height)
        await self._pilot.pause()

    async def shows(self, *words: str, timeout: float = 10.0) -> None:
        """Wait until all of these are on the screen."""
        seen = ""

        def are_there() -> bool:
            nonlocal seen
            seen = self.text
            return all(word in seen for word in words)

        try:
            await wait_until(are_there, timeout)
        except AssertionError:
            missing = [word for word in words if word not in seen]
            raise AssertionError(f"Waited {timeout:g} s in vain for {missing} on the screen:\n{seen}") from None

    async def hides(self, word: str) -> None:
        """Wait until a word is not on the screen any more."""
        await wait_until(lambda: word not in self.text, what=f"a screen without {word!r}")


@asynccontextmanager
async def top_of(client: Client, width: int = 80, height: int = 24, *, interval: float = 0.5) -> AsyncIterator[Shown]:
    """Run the live view of a client's fleet on a screen of this size."""
    async with Watch(client, interval=interval) as watch:
        app = TopApp(watch)
        async with app.run_test(size=(width, height), notifications=True) as pilot:
            yield Shown(app, pilot)
