"""A program on a terminal of its own: what it draws, and the keys it gets."""

import asyncio
import fcntl
import os
import re
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.support.program import LIMIT, READ_BYTES

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|.)", re.DOTALL)


class Terminal:
    """A running program that believes that somebody sits before it."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._news = asyncio.Event()
        self.raw = ""
        """All that it has written, the terminal's orders included."""
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def text(self) -> str:
        """All that it has written, in the order of its writing."""
        return _ESCAPES.sub("", self.raw)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def shows(self, text: str, times: int = 1) -> None:
        """Wait until it has written `text` so many times."""
        try:
            async with asyncio.timeout(LIMIT):
                while self.text.count(text) < times:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise AssertionError(f"never showed {text!r}, but:\n{self.text}") from error

    async def ends(self) -> int:
        """Wait for its end; return its exit code."""
        async with asyncio.timeout(LIMIT):
            return await self.process.wait()

    def close(self) -> None:
        """Take the terminal away."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            self.raw += os.read(self._master, READ_BYTES).decode(errors="replace")
        except OSError:  # the program has ended, and its side is closed
            asyncio.get_running_loop().remove_reader(self._master)
        self._news.set()


@asynccontextmanager
async def on_terminal(
    *command: str, env: Mapping[str, str], width: int = 80, height: int = 24
) -> AsyncIterator[Terminal]:
    """Run a program on a terminal of this size for the block; what still runs at its end is killed."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "TERM": "xterm-256color", **env},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await terminal.ends()
        terminal.close()
