"""A program in a process of its own, with what it says."""

import asyncio
import codecs
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

SUTAZAI = str(Path(sys.executable).with_name("sutazai"))

READ_BYTES = 65_536

LIMIT = 40.0
"""Seconds in which a program must say or do what a test waits for."""


class Program:
    """A running program. Its output is read as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.out = ""
        self.err = ""
        self._news = asyncio.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(process.stdout, "out"), name="program.out"),
            asyncio.create_task(self._read(process.stderr, "err"), name="program.err"),
        ]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def says(self, text: str, times: int = 1) -> None:
        """Wait until it has said `text` so many times, on either stream."""
        try:
            async with asyncio.timeout(LIMIT), self._news:
                await self._news.wait_for(lambda: (self.out + self.err).count(text) >= times)
        except TimeoutError as error:
            state = "runs" if self._process.returncode is None else f"ended with {self._process.returncode}"
            raise AssertionError(f"never said {text!r}, {state}, and said:\n{self.out}\n{self.err}") from error

    async def ends(self, limit: float = LIMIT) -> int:
        """Wait for its end; return its exit code, negative for a signal."""
        try:
            async with asyncio.timeout(limit):
                code = await self._process.wait()
                await asyncio.gather(*self._readers)
        except TimeoutError as error:
            raise AssertionError(f"did not end within {limit:g} s, and said:\n{self.out}\n{self.err}") from error
        return code

    async def kill(self) -> None:
        """End it if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ends()

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        # Not by lines: an answer that is streamed is one line for long.
        while data := await stream.read(READ_BYTES):
            async with self._news:
                setattr(self, name, getattr(self, name) + decoder.decode(data))
                self._news.notify_all()


@asynccontextmanager
async def program(
    *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Program]:
    """Run a program for the block; what still runs at its end is killed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Program(process)
    try:
        yield running
    finally:
        await running.kill()


async def ended(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> tuple[int, Program]:
    """Run a program to its end; return its exit code and what it said."""
    async with program(*command, env=env, cwd=cwd) as running:
        return await running.ends(), running


def sutazai(*arguments: str) -> Sequence[str]:
    """Return the command line of the installed `sutazai`."""
    return (SUTAZAI, *arguments)
