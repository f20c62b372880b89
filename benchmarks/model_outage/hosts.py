"""Hosts as real processes: `sutazai run` with one agent, each in front of a model server's port of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.support.ollama_port import OllamaPort
from tests.support.watched_ollama import WatchedOllama

AGENT: Final = "asker"
SLOTS: Final = 2
PREFETCH: Final = 4
"""More than the slots, so that a host holds tasks that wait when the outage comes."""

_AGENT_FILE: Final = Path(__file__).with_name("asker.md")
_SUTAZAI: Final = Path(sys.executable).with_name("sutazai")
_ROOT: Final = Path(__file__).parent.parent.parent
_STOP_SECONDS: Final = 30.0

_FOREIGN: Final = ("SUTAZAI_", "AMQP_URL", "RABBITMQ_URL", "OLLAMA_", "AGENT_", "MAX_")
"""Variables of the caller that would change a host."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What all hosts have in common. Times are in seconds; `request_timeout` is for one try at the model server."""

    amqp_url: str
    answer_seconds: float
    recovery: float
    request_timeout: float
    folder: Path
    """For the logs."""


@dataclass(frozen=True, slots=True)
class RunningHost:
    """One host, and the model server that it alone asks, on a port that can go away."""

    name: str
    process: asyncio.subprocess.Process
    model: WatchedOllama
    port: OllamaPort

    def cpu_seconds(self) -> float:
        """How long it has used a core so far."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)


@asynccontextmanager
async def running_host(name: str, options: HostOptions) -> AsyncIterator[RunningHost]:
    """Run a host for the block; it may not be ready yet. It ends with SIGTERM, or is killed where that takes long."""
    model = WatchedOllama(options.answer_seconds)
    async with OllamaPort(model) as port:
        with (options.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(str(_SUTAZAI), "run", str(_AGENT_FILE), "--slots", str(SLOTS), "--grace", "5"),
                env=_environment(name, port.url, options),
                cwd=_ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends its hosts in order
            )
        try:
            yield RunningHost(name, process, model, port)
        finally:
            await _end(process)


def _environment(name: str, ollama_url: str, options: HostOptions) -> Mapping[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    return {
        **inherited,
        "AMQP_URL": options.amqp_url,
        "OLLAMA_URL": ollama_url,
        "OLLAMA_DEFAULT_MODEL": "tinyllama",
        "MAX_CONCURRENT_TASKS": str(PREFETCH),
        "SUTAZAI_HOST_NAME": name,
        "SUTAZAI_BREAKER_RECOVERY": str(options.recovery),
        "SUTAZAI_MODEL_REQUEST_TIMEOUT": str(options.request_timeout),
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
