"""Two hosts with 131 agents share a backlog: is a slot of either ever idle, and does CRITICAL go first?

Both hosts are processes, `sutazai run` with as many agents as the catalogue is to have, each in front of a scripted
model server of its own, whose answers all take the same time. LOW tasks for twenty agents come at once; while they are
worked off, CRITICAL ones come for any of the 131, one after the other. Two ratios are printed: the time of all against
the ideal, which is all answers back to back in all slots; and how long CRITICAL tasks waited, from their publish to
their request at a model, against the time of one answer. Ends with 1 where they are beyond their aims, or where a task
was taken for lost.

    python benchmarks/two_hosts.py [--tasks 200] [--seconds 1.0] [--models 1]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from rich.console import Console
from rich.table import Table

from agents.core.log import configure_logging
from bus.client import Client
from bus.connect import broker_at
from bus.private_node import PrivateNode
from bus.topology import Topology
from schemas import Priority, TaskResult
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until

TOPOLOGY: Final = Topology()
SUTAZAI: Final = Path(sys.executable).with_name("sutazai")
ROOT: Final = Path(__file__).parent.parent

MODELS: Final = ("tinyllama:latest", "qwen2.5-coder:7b")
HOSTS: Final = ("one", "two")
SLOTS: Final = 2
AGENTS: Final = tuple(f"agent-{number:03}" for number in range(131))
BUSY_AGENTS: Final = 20
CRITICAL_TASKS: Final = 10

MAKESPAN_AIM: Final = 1.25
WAIT_AIM: Final = 1.0
"""Of the time of one answer: a slot is free by then at the latest."""

START_SECONDS: Final = 120.0
"""What two hosts with 131 agents each may take to start on a busy machine."""


class SteadyModel(ScriptedOllama):
    """Each answer takes as long; it notes when each prompt came."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self.installed = list(MODELS)
        self.came: dict[str, float] = {}

    @property
    def transport(self) -> httpx.MockTransport:
        """What reaches this server."""
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        prompt = _prompt_of(json.loads(request.content or b"{}"))
        if prompt:
            self.came[prompt] = time.monotonic()
            await asyncio.sleep(self._seconds)
        return await self._handle(request)


def _prompt_of(body: dict[str, object]) -> str:
    messages = body.get("messages")
    return str(messages[-1]["content"]) if isinstance(messages, list) else str(body.get("prompt") or "")


@dataclass(slots=True)
class Figures:
    """What was measured, in seconds."""

    makespan: float = 0.0
    waits: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    lost: int = 0


def write_agents(folder: Path, models: int) -> Path:
    """Write the agents' files; with two models, every second agent asks the second."""
    for number, agent in enumerate(AGENTS):
        model = MODELS[number % models]
        head = f"name: {agent}\ndescription: answers\ntier: default\ncategory: utility\nmodel: {model}\n"
        (folder / f"{agent}.md").write_text(f"---\n{head}---\nYou are an agent.\n")
    return folder


@asynccontextmanager
async def host(name: str, folder: Path, amqp_url: str, ollama_url: str) -> AsyncIterator[None]:
    """Run a host as a process for the length of a block."""
    own = {
        "AMQP_URL": amqp_url,
        "OLLAMA_URL": ollama_url,
        "SUTAZAI_HOST_NAME": name,
        "SUTAZAI_AGENTS_PATH": str(folder),
        "LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    process = await asyncio.create_subprocess_exec(
        SUTAZAI,
        *("run", *AGENTS, "--slots", str(SLOTS)),
        env=os.environ | own,
        cwd=ROOT,
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until_both_consume(client: Client) -> None:
    """Wait until every agent has a consumer of each host."""

    async def are_there() -> bool:
        found = [await client.broker.queue_info(TOPOLOGY.task_queue(agent)) for agent in AGENTS]
        return all(info is not None and info.consumers == len(HOSTS) for info in found)

    await wait_until(are_there, START_SECONDS, what="both hosts to consume")


async def measure(amqp_url: str, tasks: int, seconds: float, models: int) -> Figures:
    """Start the hosts, give them the tasks, and note what comes of them."""
    servers = [SteadyModel(seconds) for _ in HOSTS]
    async with AsyncExitStack() as stack:
        folder = write_agents(Path(stack.enter_context(TemporaryDirectory())), models)
        broker = await stack.enter_async_context(broker_at(amqp_url, "two hosts", "0"))
        await broker.declare(TOPOLOGY.shared())
        client = Client(broker, TOPOLOGY)
        for name, server in zip(HOSTS, servers, strict=True):
            port = await stack.enter_async_context(OllamaPort(server))
            await stack.enter_async_context(host(name, folder, amqp_url, port.url))
        await until_both_consume(client)
        results = await stack.enter_async_context(client.results())
        figures = await _work_off(client, results, tasks, seconds, servers)
    figures.answers = [len(server.came) for server in servers]
    return figures


async def _work_off(
    client: Client,
    results: AsyncIterator[TaskResult],
    tasks: int,
    seconds: float,
    servers: Sequence[SteadyModel],
) -> Figures:
    figures, started = Figures(), time.monotonic()
    busy = AGENTS[:: len(AGENTS) // BUSY_AGENTS][:BUSY_AGENTS]
    low = (client.submit(busy[n % len(busy)], f"low {n}", priority=Priority.LOW) for n in range(tasks))
    await asyncio.gather(*low)
    critical = asyncio.create_task(_submit_critical(client, seconds), name="critical")
    ended = [await anext(results) for _ in range(tasks + CRITICAL_TASKS)]
    figures.makespan = time.monotonic() - started
    figures.lost = sum(bool(result.history) for result in ended)
    came = {prompt: at for server in servers for prompt, at in server.came.items()}
    figures.waits = [came[prompt] - at for prompt, at in (await critical).items()]
    return figures


async def _submit_critical(client: Client, seconds: float) -> dict[str, float]:
    """Submit one task after the other, for any of the agents; return when each was submitted."""
    submitted: dict[str, float] = {}
    for number in range(CRITICAL_TASKS):
        await asyncio.sleep(seconds * 1.7)
        prompt = f"critical {number}"
        submitted[prompt] = time.monotonic()
        await client.submit(AGENTS[number * 13 % len(AGENTS)], prompt, priority=Priority.CRITICAL)
    return submitted


def report(figures: Figures, tasks: int, seconds: float, console: Console) -> bool:
    """Print the figures; return whether they are within their aims."""
    ideal = (tasks + CRITICAL_TASKS) * seconds / (SLOTS * len(HOSTS))
    makespan = figures.makespan / ideal
    waits = [wait / seconds for wait in figures.waits]
    table = Table("", "measured", "aim", title=f"{tasks} tasks over {BUSY_AGENTS} agents, {seconds:g} s an answer")
    table.add_row("all tasks, against the ideal", f"{makespan:.2f}", f"{MAKESPAN_AIM:g}")
    table.add_row("CRITICAL's wait, median, in answers", f"{statistics.median(waits):.2f}", "")
    table.add_row("CRITICAL's wait, longest, in answers", f"{max(waits):.2f}", f"{WAIT_AIM:g}")
    table.add_row("answers by host", " and ".join(map(str, figures.answers)), "")
    table.add_row("tasks taken for lost", str(figures.lost), "0")
    console.print(table)
    return makespan <= MAKESPAN_AIM and max(waits) <= WAIT_AIM and figures.lost == 0


def main() -> None:
    """Measure on AMQP_URL, or on a private node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--models", type=int, default=1, choices=(1, 2))
    chosen = parser.parse_args()
    configure_logging("error")
    url = os.environ.get("AMQP_URL")
    if url is not None:
        figures = asyncio.run(measure(url, chosen.tasks, chosen.seconds, chosen.models))
    else:
        with PrivateNode(management=False) as node:
            figures = asyncio.run(measure(node.amqp_url, chosen.tasks, chosen.seconds, chosen.models))
    sys.exit(not report(figures, chosen.tasks, chosen.seconds, Console()))


if __name__ == "__main__":
    main()
