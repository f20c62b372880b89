"""The command line within this process: what it printed, and its exit code."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.cli.main import main


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The lines for people on standard error, joined; log lines, which are JSON here, are left out."""
        lines = [line for line in self.err.splitlines() if not line.startswith("{")]
        return " ".join(" ".join(lines).split())


Cli = Callable[..., Ran]
"""Runs `sutazai` with these arguments; `stdin` is a text."""


def code_of_main() -> int:
    """Run the program's main function and return its exit code."""
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
