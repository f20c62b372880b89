"""Connections cut in the middle of a long model call: is there one run, one result, and no cancelled handler?

A host reaches a private RabbitMQ through a TCP proxy and asks a model server that streams its answer for a while;
meanwhile all connections to the broker are cut several times. Ends with 1 where the task ran twice, has another number
of results than one, or its handler was cancelled.

    python benchmarks/long_call.py [--seconds 20] [--cuts 4]
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.host import Host
from agents.core.log import configure_logging
from agents.core.settings import load_settings
from bus import codec
from bus.client import Client
from bus.connect import broker_at
from bus.listener import Listener
from bus.node_layout import HOST
from bus.private_node import PrivateNode
from bus.topology import Topology
from schemas import TaskMessage, TaskResult, TaskStatus
from tests.support.ollama_port import OllamaPort
from tests.support.proxy import TcpProxy
from tests.support.scripted_ollama import DONE, Json, ScriptedOllama

TOPOLOGY: Final = Topology()

PIECES_A_SECOND: Final = 5

MORE_SECONDS: Final = 10.0
"""After the answer: a second run, or a second result, would have come by then."""


class SlowAnswer(httpx.AsyncByteStream):
    """An answer of /api/generate that takes its time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(round(self._seconds * PIECES_A_SECOND)):
            yield _line({"response": "word ", "done": False})
            await asyncio.sleep(1 / PIECES_A_SECOND)
        yield _line({"response": "", **DONE})


class Teller(BaseAgentV2):
    """Asks the model and counts what happens to it."""

    def __init__(self) -> None:
        super().__init__(name="teller", config_path=None, max_concurrent_tasks=1)
        self.cancelled = 0

    async def process_task(self, task: TaskMessage) -> str:
        """Return the model's answer."""
        try:
            return await self.query_ollama(task.prompt or "")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@dataclass(frozen=True)
class Findings:
    """What was seen. `losses` counts how often the host's consumer was taken away."""

    seconds: float
    cuts: int
    losses: int
    runs: int
    results: list[TaskResult]
    cancelled: int

    @property
    def is_good(self) -> bool:
        """Whether the task ran once, completed once, and nobody cancelled it."""
        completed = [result.status for result in self.results] == [TaskStatus.COMPLETED]
        return completed and (self.runs, self.cancelled, self.losses) == (1, 0, self.cuts)


async def measure(amqp_url: str, seconds: float, cuts: int) -> Findings:
    """Play it over the broker at `amqp_url`."""
    ollama, agent, results = ScriptedOllama(), Teller(), list[TaskResult]()
    ollama.script.extend([lambda _: httpx.Response(200, stream=SlowAnswer(seconds))] * 10)
    async with (
        OllamaPort(ollama) as port,
        TcpProxy(HOST, urlsplit(amqp_url).port or 0) as proxy,
        broker_at(amqp_url, "long call", "0") as broker,
    ):
        await broker.declare(TOPOLOGY.shared())
        settings = load_settings(None, amqp_url=proxy.url_for(amqp_url), ollama_url=port.url)
        exchange = TOPOLOGY.results
        async with (
            Listener(broker, TOPOLOGY, "results", codec.decode_result, exchange=exchange, keys=("#",)) as told,
            Host([agent], settings) as host,
        ):
            started = time.perf_counter()
            await Client(broker, TOPOLOGY).submit("teller", "Tell me all")
            cutting = asyncio.create_task(cut(proxy, seconds / (cuts + 1), cuts), name="cuts")
            arriving = aiter(told)
            results.append(await anext(arriving))
            took = time.perf_counter() - started
            await cutting
            await collect(arriving, results)
            losses = host.consumers[0].losses
    return Findings(took, cuts, losses, len(ollama.asked("/api/generate")), results, agent.cancelled)


async def cut(proxy: TcpProxy, pause: float, cuts: int) -> None:
    """Cut all connections so many times, at equal distances."""
    for _ in range(cuts):
        await asyncio.sleep(pause)
        await proxy.drop()


async def collect(arriving: AsyncIterator[TaskResult], results: list[TaskResult]) -> None:
    """Add what else comes for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MORE_SECONDS):
            async for result in arriving:
                results.append(result)  # noqa: PERF401 - what has come before the timeout counts


def table(found: Findings) -> Table:
    """Return the figures."""
    rows = {
        "seconds to the result": f"{found.seconds:.1f}",
        "cuts": found.cuts,
        "consumer lost and back": found.losses,
        "runs at the model server": found.runs,
        "results": ", ".join(result.status.value for result in found.results),
        "cancellations in the handler": found.cancelled,
    }
    shown = Table("", "", title="a long call across cut connections", show_header=False)
    for name, value in rows.items():
        shown.add_row(name, str(value))
    return shown


def _line(value: Json) -> bytes:
    return json.dumps(value).encode() + b"\n"


def main() -> int:
    """Play it on a private node; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the model answers (default 20)")
    parser.add_argument("--cuts", type=int, default=4)
    chosen = parser.parse_args()
    configure_logging("error")
    with PrivateNode(management=False) as node:
        found = asyncio.run(measure(node.amqp_url, chosen.seconds, chosen.cuts))
    Console().print(table(found))
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
