"""Whoever reads no more, as `head` does, ends a command without a word."""

import os
import subprocess

import pytest

from tests.support.program import sutazai


@pytest.mark.parametrize(
    "command", [("agents", "list"), ("agents", "show", "senior-engineer"), ("--help",), ("--version",)]
)
def test_a_command_whose_output_nobody_reads_says_nothing(command: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(sutazai(*command), stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")
