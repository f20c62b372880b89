"""A program that uses the bus and sets up no structlog of its own, in a process of its own."""

import subprocess
import sys

PROGRAM = """
import logging, sys, structlog
{before}
import bus
log = structlog.get_logger("x")
log.debug("pool.looked_at", url="http://user:secret@host")
log.info("connection.up")
log.warning("connection.lost")
held = "secret"
try:
    raise ValueError("broken")
except ValueError:
    log.exception("consumer.crashed")
"""


def said(before: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True, check=True
    )
    assert ended.stdout == ""
    return ended.stderr


def test_it_hears_warnings_on_standard_error_and_no_values_of_variables() -> None:
    told = said("")
    assert "connection.lost" in told
    assert "ValueError: broken" in told
    assert "secret" not in told
    assert "connection.up" not in told


def test_it_hears_all_once_it_asks_logging_for_debug() -> None:
    told = said("logging.basicConfig(level=logging.DEBUG)")
    assert "pool.looked_at" in told
    assert "connection.up" in told
    assert "http://***@host" in told


def test_it_keeps_its_own_structlog() -> None:
    own = "structlog.configure([lambda *_: 'mine'], logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))"
    told = said(own)
    assert told.split() == ["mine"] * 4
