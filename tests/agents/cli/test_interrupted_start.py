"""Ctrl-C while the program still imports its commands ends it without a word."""

import signal
import sys
from pathlib import Path

from agents.core.exit_codes import ExitCode
from agents.core.version import VERSION
from tests.support.program import ended, program

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "agents.cli")

SLOW_LIBRARY = """
import threading
print("importing", flush=True)
threading.Event().wait()
"""


async def test_ctrl_c_during_the_imports_is_exit_code_130_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(SLOW_LIBRARY)  # in the place of a library, to be in the midst of the imports
    async with program(*COMMAND, "--help", cwd=ROOT, env={"PYTHONPATH": str(tmp_path)}) as running:
        await running.says("importing\n")
        running.send(signal.SIGINT)
        assert await running.ends() == ExitCode.INTERRUPTED
        assert (running.out, running.err) == ("importing\n", "")


async def test_the_module_is_the_same_program_as_the_command() -> None:
    code, said = await ended(*COMMAND, "--version", cwd=ROOT)
    assert (code, said.out, said.err) == (0, f"{VERSION}\n", "")
