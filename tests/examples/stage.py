"""An example as a process of its own, between a broker and a scripted model server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.support.ollama_port import OllamaPort
from tests.support.program import Program, ended, program
from tests.support.scripted_ollama import Json, ScriptedOllama, answer

EXAMPLES: Final = Path(__file__).parents[2] / "examples"

QUICK: Final = {"SUTAZAI_RETRY_BASE": "0", "SUTAZAI_CONNECT_TIMEOUT": "2", "SUTAZAI_GRACE_PERIOD": "1"}


@dataclass(frozen=True)
class Stage:
    """Runs examples."""

    port: OllamaPort
    amqp_url: str

    @property
    def ollama(self) -> ScriptedOllama:
        """The model server behind the port."""
        return self.port.ollama

    @property
    def env(self) -> Mapping[str, str]:
        """The addresses, as an example reads them."""
        return {"AMQP_URL": self.amqp_url, "OLLAMA_URL": self.port.url, **QUICK}

    async def ran(self, example: str, *arguments: object) -> tuple[int, Program]:
        """Run an example to its end; return its exit code and what it said."""
        return await ended(sys.executable, str(EXAMPLES / example), *map(str, arguments), env=self.env)

    @asynccontextmanager
    async def running(self, example: str, *arguments: object) -> AsyncIterator[Program]:
        """Run an example for the block."""
        command = (sys.executable, str(EXAMPLES / example), *map(str, arguments))
        async with program(*command, env=self.env) as running:
            yield running

    def answers(self, told: Callable[[str], str], times: int) -> None:
        """Have so many requests answered with what `told` makes of their prompts."""

        def script(body: Json) -> httpx.Response:
            return answer(told(body["prompt"]))

        self.ollama.script.extend([script] * times)

    @property
    def prompts(self) -> list[str]:
        """What the model was asked, in order."""
        return [body["prompt"] for body in self.ollama.asked("/api/generate")]


@asynccontextmanager
async def talking(stage: Stage, example: str, *arguments: str) -> AsyncIterator[tuple[Program, asyncio.StreamWriter]]:
    """Run an example that reads its standard input, which the second value writes to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / example),
        *arguments,
        env={**os.environ, **stage.env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    running = Program(process)
    try:
        yield running, process.stdin
    finally:
        process.stdin.close()
        await running.kill()
