"""One side of benchmarks/cpu.py: a host in a process of its own.

It reads numbers of tasks, one a line, works off so many, and answers with the CPU seconds that the process took for
them. It ends with its standard input. It keeps to what the packages have long had: one side runs an older checkout.

    python benchmarks/task_cpu/side.py AMQP_URL AGENT PREFIX
"""

import asyncio
import gc
import json
import sys
import time
from typing import Final

import httpx

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.host import Host
from agents.core.log import configure_logging
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.settings import load_settings
from bus.client import Client
from schemas import TaskMessage, TaskResult, TaskStatus

MODEL: Final = "tinyllama:latest"
NEVER: Final = 3600.0
"""Seconds between two rounds of reports: they are no task's cost."""

_PIECES: Final = (
    {"response": "done", "done": False},
    {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 4},
)
_ANSWER: Final = b"".join(json.dumps(piece).encode() + b"\n" for piece in _PIECES)


class Idle(BaseAgentV2):
    """Does nothing."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        """Return the prompt."""
        return {"response": task.prompt or ""}


class Asking(BaseAgentV2):
    """Asks a model that has its answer ready."""

    async def process_task(self, task: TaskMessage) -> dict[str, str | None]:
        """Return the answer."""
        return {"response": await self.query_ollama(task.prompt or "")}


AGENTS: Final = {"idle": Idle, "asking": Asking}


class Side:
    """A host with one agent, and the program that gives it tasks."""

    def __init__(self, host: Host) -> None:
        self._agent = host.agents[0].name
        self._client = Client(host.broker, host.topology)
        self._left = 0
        self._failed: TaskResult | None = None
        self._done = asyncio.Event()
        host.consumers[0].tell_results_to(self._count)

    async def round(self, tasks: int) -> float:
        """Return the CPU seconds of so many tasks. Raises RuntimeError where one was not completed."""
        gc.collect()
        self._done.clear()
        self._left = tasks
        began = time.process_time()
        await asyncio.gather(*(self._client.submit(self._agent, "nothing to do") for _ in range(tasks)))
        await self._done.wait()
        if self._failed is not None:
            raise RuntimeError(f"a task ended as {self._failed.status.value}: {self._failed.error}")
        return time.process_time() - began

    def _count(self, result: TaskResult) -> None:
        self._left -= 1
        if result.status is not TaskStatus.COMPLETED:
            self._failed = result
        if self._left == 0 or self._failed is not None:
            self._done.set()


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as Ollama does, at once."""
    match request.url.path:
        case "/api/generate":
            return httpx.Response(200, content=_ANSWER)
        case "/api/tags":
            return httpx.Response(200, json={"models": [{"name": MODEL, "model": MODEL}]})
        case "/api/ps":
            return httpx.Response(200, json={"models": []})
        case _:
            return httpx.Response(200, json={"version": "0.0.0"})


async def serve(url: str, agent_name: str, prefix: str) -> None:
    """Work off a round for each line of standard input."""
    configure_logging("info")
    settings = load_settings(None, amqp_url=url, prefix=prefix, host_name="cpu", health_check_interval=NEVER)
    pool = OllamaConnectionPool("http://model", default_model=MODEL, transport=httpx.MockTransport(answer))
    async with Host([AGENTS[agent_name](config_path=None)], settings, pool=pool) as host:
        side = Side(host)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(await side.round(int(line)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
