"""The command line within this process."""

import io
import sys

import pytest

from agents.core.log import configure_logging
from tests.support.command_line import Cli, Ran, code_of_main


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `sutazai` with these arguments; also from a thread, beside agents in the test's own event loop."""
    configure_logging("error")  # agents of the test itself must not speak into the command's output
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: str, stdin: str = "") -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["sutazai", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = code_of_main()
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return run
