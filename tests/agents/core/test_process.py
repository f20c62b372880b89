import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from io import StringIO
from pathlib import Path

import pytest
import structlog

from agents.core import process
from agents.core.catalog import AgentFileError
from agents.core.exit_codes import KNOWN_ERRORS, ExitCode, exit_code_of
from agents.core.log import configure_logging
from agents.core.model.errors import ModelNotFound
from agents.core.process import run_process, stopping_on_signals
from agents.core.process_usage import ProcessUsage
from agents.core.settings import SettingsError
from bus import version
from bus.errors import (
    AccessRefused,
    BrokerUnreachable,
    InvalidTask,
    PrivateNodeError,
    PublishTimeout,
    ReplyTimeout,
    TopologyError,
    UnknownAgent,
    VhostRefused,
)

CODES = [
    (BrokerUnreachable("x"), 3),
    (PrivateNodeError("x"), 3),
    (AccessRefused("x"), 4),
    (VhostRefused("x"), 4),
    (TopologyError("x"), 4),
    (UnknownAgent("x"), 5),
    (ReplyTimeout("x"), 7),
    (ModelNotFound("x"), 8),
    (SettingsError("x"), 2),
    (AgentFileError(Path("x.md"), "bad"), 2),
    (PublishTimeout("x"), 7),
    (InvalidTask("x"), 2),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda value: type(value).__name__)
def test_a_known_error_is_one_line_on_standard_error_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        raise error

    assert isinstance(error, KNOWN_ERRORS)
    assert exit_code_of(error) == code
    with pytest.raises(SystemExit) as ended:
        run_process(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_an_unknown_error_is_a_fault_of_the_program_and_shown_whole() -> None:
    async def main() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run_process(main)
    assert exit_code_of(KeyError()) is ExitCode.UNEXPECTED


def test_ctrl_c_before_anything_listens_ends_with_130_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(10)

    with pytest.raises(SystemExit) as ended:
        run_process(main)
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


HANGING = """
import asyncio, sys, threading
from concurrent.futures import ThreadPoolExecutor
from agents.core import process

process.THREADS_SECONDS = 0.2
forever = threading.Event()

async def main():
    if sys.argv[1] == "executor":
        ThreadPoolExecutor().submit(forever.wait)
    else:
        asyncio.get_running_loop().run_in_executor(None, forever.wait)
    if len(sys.argv) > 2:
        raise KeyError("bug")

process.run_process(main)
"""


@pytest.mark.parametrize("where", ["executor", "to_thread"])
@pytest.mark.parametrize("fault", [[], ["fault"]])
def test_code_that_hangs_in_a_thread_does_not_keep_a_process_whose_work_is_done(where: str, fault: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HANGING, where, *fault], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == (1 if fault else 0)
    assert "process.threads_left" in ran.stderr
    assert ("KeyError: 'bug'" in ran.stderr) == bool(fault)


def test_in_a_thread_it_neither_waits_for_other_threads_nor_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(process, "THREADS_SECONDS", 0.05)
    forever = threading.Event()

    async def main() -> None:
        threading.Thread(target=forever.wait).start()

    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(run_process, main).result(timeout=5)
        finally:
            forever.set()
    assert not ended


def test_the_fast_event_loop_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[str] = []

    async def main() -> None:
        loops.append(type(asyncio.get_running_loop()).__module__.split(".")[0])

    run_process(main)
    monkeypatch.setitem(sys.modules, "uvloop", None)
    run_process(main)
    assert loops == ["uvloop", "asyncio"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_asks_for_a_stop_and_handlers_end_with_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGTERM)
    asked = asyncio.Event()
    with stopping_on_signals(asked.set):
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await asked.wait()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_one_key_that_two_programs_tell_of_is_one_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    asked: asyncio.Queue[None] = asyncio.Queue()
    with stopping_on_signals(partial(asked.put_nowait, None)):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await asked.get()
        await asyncio.sleep(0)  # the loop has heard of both at once
    assert not ended
    assert asked.empty()


async def test_the_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ONE_PRESS_SECONDS", 0.0)
    codes: asyncio.Queue[int] = asyncio.Queue()
    monkeypatch.setattr(os, "_exit", codes.put_nowait)
    asked = asyncio.Event()
    async with asyncio.timeout(5):
        with stopping_on_signals(asked.set):
            os.kill(os.getpid(), signal.SIGTERM)
            await asked.wait()
            os.kill(os.getpid(), signal.SIGINT)
            assert await codes.get() == 130


def test_lines_are_for_people_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logging("info")
    structlog.get_logger("x").info("host.started", agents=2)
    shown = capsys.readouterr().err
    assert "host.started" in shown
    assert "{" not in shown


class ClosedTerminal(StringIO):
    def flush(self) -> None:
        raise BrokenPipeError


async def test_a_process_whose_terminal_was_closed_still_stops_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    configure_logging("info")
    structlog.get_logger("x").info("nobody.listens")
    asked = asyncio.Event()
    with stopping_on_signals(asked.set):
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await asked.wait()


def test_usage_is_measured_at_each_reading() -> None:
    usage = ProcessUsage()
    sum(range(3_000_000))
    assert usage.cpu_percent() > 0
    assert usage.memory_bytes > 10_000_000


def test_a_copy_that_is_not_installed_has_a_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    assert metadata.version("sutazai-agents") == version.VERSION
    monkeypatch.setattr(metadata, "version", missing)
    assert runpy.run_path(version.__file__)["VERSION"] == "0+unknown"
