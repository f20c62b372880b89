"""Ends the processes of a private node: on request, and when the program that started the node is gone.

Every process of a node carries `NODE_MARK` in its environment. That also finds those that leave the node's
session: epmd is a daemon, and each of Erlang's port programs opens a session of its own.

Run as a script, this file is the guard of one node. It waits at a pipe whose other end only the node's owner
holds, so the kernel closes it however the owner ends, SIGKILL included; then it ends the node and removes its
directory. PR_SET_PDEATHSIG would reach the direct child alone (a shell, not the Erlang machine behind it), is
Linux's only, and needs code between fork and exec, which is unsafe in a program with threads.
"""

import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

NODE_MARK = "SUTAZAI_PRIVATE_NODE"
"""Environment variable that names the directory of the node a process belongs to."""

_SCAN_SECONDS = 0.02


def processes_of(directory: Path) -> list[psutil.Process]:
    """List the living processes of the node that lives in `directory`."""
    return [process for process in psutil.process_iter() if mark_of(process) == str(directory)]


def end_processes(directory: Path, within: float = 10.0) -> list[psutil.Process]:
    """Kill the node's processes until none is left; return those alive after `within` seconds."""
    deadline = time.monotonic() + within
    while (alive := processes_of(directory)) and time.monotonic() < deadline:
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_SCAN_SECONDS)
    return alive


def guard(directory: Path) -> None:
    """Wait until the owner's end of standard input closes, then end the node and remove `directory`."""
    for wish in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(wish, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_processes(directory)
    shutil.rmtree(directory, ignore_errors=True)


def mark_of(process: psutil.Process) -> str | None:
    """Return the directory of the node a process belongs to, or None."""
    try:
        return process.environ().get(NODE_MARK)
    except (psutil.Error, OSError):  # it has just gone, or it is another user's
        return None


if __name__ == "__main__":
    guard(Path(sys.argv[1]))
