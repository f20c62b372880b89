"""A program without a standard error."""

import subprocess
import sys

import pytest

BUS = "import bus, structlog; structlog.get_logger('x').warning('connection.lost')"
HOST = f"import agents.core.log as log; log.configure_logging(); {BUS}; import logging; logging.error('broken')"


@pytest.mark.parametrize("code", [BUS, HOST])
def test_a_program_that_was_started_without_one_runs_and_keeps_its_answers_clean(code: str) -> None:
    program = [sys.executable, "-c", f"{code}; print('answer')"]
    closed = f"import os; os.close(2); os.execv({sys.executable!r}, {program!r})"
    ended = subprocess.run([sys.executable, "-c", closed], stdout=subprocess.PIPE, check=True, timeout=50)
    assert ended.stdout.split() == [b"answer"]
