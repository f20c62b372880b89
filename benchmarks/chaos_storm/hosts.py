"""A host as a real process, started again whenever it ends, as systemd would."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from agents.core.exit_codes import ExitCode
from benchmarks.chaos_storm.agents import LIFE_VARIABLE, RUNS_VARIABLE
from bus.ending import end_tasks

SUTAZAI: Final = Path(sys.executable).with_name("sutazai")

ROOT: Final = Path(__file__).parent.parent.parent
"""Where `benchmarks` can be imported from."""

_CLASSES: Final = "benchmarks.chaos_storm.agents"

AGENTS: Final = (
    *(f"{_CLASSES}:{name}" for name in ("Swift", "Steady", "Single", "Thinker", "Probe")),
    str(Path(__file__).with_name("scribe.md")),
)
"""What each host runs, as typed on its command line."""

GRACE_SECONDS: Final = 3.0
"""Shorter than some tasks, so that some are handed back."""

STOP_SECONDS: Final = 30.0
"""Within which a host must have ended after SIGTERM, whatever its broker does at the time."""

RESTART_SECONDS: Final = 0.5
"""Between the end of a host and its next start."""

_FOREIGN: Final = ("SUTAZAI_", "AMQP_URL", "RABBITMQ_URL", "OLLAMA_", "AGENT_", "CHAOS_")
"""Variables of the caller that would change a host."""


@dataclass(slots=True)
class Life:
    """One process of a host. `signals` are those it was sent, `code` is negative where one has ended it."""

    process: asyncio.subprocess.Process
    signals: list[signal.Signals] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    code: int | None = None


class HostProcess:
    """One host under supervision while its block runs."""

    def __init__(self, name: str, *, amqp_url: str, ollama_url: str, folder: Path) -> None:
        """`folder` gets NAME.log, with what all its processes say, and runs.jsonl, which all hosts share."""
        self.name = name
        self.lives: list[Life] = []
        self.faults: list[str] = []
        """What a host must not do: ends without being asked, or not as asked."""
        self._log_path = folder / f"{name}.log"
        self._environment = _environment(name, amqp_url, ollama_url, folder)
        self._running = asyncio.Event()
        self._is_wanted = True
        self._supervisor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._supervisor = asyncio.create_task(self._supervise(), name=f"host:{self.name}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._supervisor is not None:
            await end_tasks([self._supervisor])

    async def kill(self) -> None:
        """Kill the process that runs, or the next one where none does."""
        await self._signal(signal.SIGKILL)

    async def terminate(self) -> None:
        """Ask the process to stop, and wait for its end. One that does not end in time is killed and noted."""
        life = await self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await life.ended.wait()
        except TimeoutError:
            self.faults.append(f"{self.name} did not end within {STOP_SECONDS:g} s of SIGTERM")
            await self._signal(signal.SIGKILL)
            await life.ended.wait()

    async def stop(self) -> None:
        """Stop for good."""
        self._is_wanted = False
        await self.terminate()

    async def _signal(self, number: signal.Signals) -> Life:
        await self._running.wait()
        life = self.lives[-1]
        life.signals.append(number)
        if life.process.returncode is None:
            life.process.send_signal(number)
        return life

    async def _supervise(self) -> None:
        while self._is_wanted:
            life = await self._start()
            try:
                life.code = await life.process.wait()
            finally:
                self._running.clear()
                await _end(life.process)
                life.ended.set()
            self._note_end(life)
            await asyncio.sleep(RESTART_SECONDS)

    async def _start(self) -> Life:
        number = len(self.lives) + 1
        with self._log_path.open("ab") as log:
            log.write(f"--- {self.name}.{number} starts at {time.time():.3f}\n".encode())
            log.flush()
            process = await asyncio.create_subprocess_exec(
                *_command(),
                env={**self._environment, LIFE_VARIABLE: f"{self.name}.{number}"},
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the storm, which ends its hosts in order
            )
        life = Life(process)
        self.lives.append(life)
        self._running.set()
        return life

    def _note_end(self, life: Life) -> None:
        if signal.SIGKILL in life.signals or life.code in self._good_codes(life):
            return
        how = "after SIGTERM" if life.signals else "without being asked to"
        self.faults.append(f"{self.name}.{len(self.lives)} ended with code {life.code} {how}")

    def _good_codes(self, life: Life) -> set[int]:
        if not life.signals:
            return {ExitCode.BROKER_UNREACHABLE}  # a start that gave up: nothing was held
        codes = {int(ExitCode.OK)}
        if self._is_wanted:
            codes.add(-signal.SIGTERM)  # while it still starts, and holds nothing, it ends by the signal itself
        if life.signals.count(signal.SIGTERM) > 1:
            codes |= {-signal.SIGTERM, ExitCode.INTERRUPTED}  # the second one ends it at once
        return codes


def _command() -> Sequence[str]:
    return (str(SUTAZAI), "run", *AGENTS, "--slots", "2", "--grace", f"{GRACE_SECONDS:g}")


def _environment(name: str, amqp_url: str, ollama_url: str, folder: Path) -> Mapping[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    models = {f"OLLAMA_{tier}_MODEL": "tinyllama" for tier in ("OPUS", "SONNET", "DEFAULT")}
    return {
        **inherited,
        **models,
        "AMQP_URL": amqp_url,
        "OLLAMA_URL": ollama_url,
        "SUTAZAI_HOST_NAME": name,
        "SUTAZAI_CONNECT_TIMEOUT": "30",
        "SUTAZAI_BREAKER_FAILURES": "3",
        "SUTAZAI_BREAKER_RECOVERY": "1",
        "HEALTH_CHECK_INTERVAL": "2",
        RUNS_VARIABLE: str(folder / "runs.jsonl"),
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
