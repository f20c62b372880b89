"""Thousands of malformed messages at once, between good tasks: does a host hold, and does its memory?

A real host process on a private RabbitMQ is given random bytes, truncated JSON, wrong types, huge numbers, deep
nesting, hostile headers and properties, and bodies of 5 MiB. Each bad message must end in one `rejected` result and in
a dead letter with its bytes, each good task must complete, and the host's memory must stay flat. Ends with 1 where that
is not so.

    python benchmarks/malformed.py [--messages 20000] [--huge 200] [--good 500] [--seed 1] [--prefetch 10]
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import psutil
from rich.console import Console
from rich.table import Table

from agents.core.log import configure_logging
from bus import codec
from bus.broker import Broker
from bus.client import Client
from bus.connect import broker_at
from bus.ending import end_tasks
from bus.listener import Listener
from bus.message import Delivery
from bus.private_node import PrivateNode
from bus.topology import Topology
from schemas import TaskResult
from tests.support.malformed import samples
from tests.support.malformed_ledger import Ledger
from tests.support.malformed_publisher import publish_samples
from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).parent.parent
SUTAZAI: Final = Path(sys.executable).with_name("sutazai")
TOPOLOGY: Final = Topology()
AGENT: Final = "echo"

WARM_UP: Final = 200
"""Good tasks before the memory is measured first."""

IDLE_SECONDS: Final = 30.0
"""Nothing seen for so long: what is missing does not come any more."""

FLAT_BYTES: Final = 200 * 2**20
"""What the host's memory may be above its start at most. It holds up to its prefetch of bodies of 5 MiB, and reads one
at a time: as a list of empty objects that takes 25 times its size."""

GROWTH_BYTES: Final = 64 * 2**20
"""What it may be above its start at the end: a leak of one body in ten would be more."""


@dataclass
class Memory:
    """The resident memory of a process, in bytes, sampled all the while."""

    process: psutil.Process
    seen: list[int] = field(default_factory=list)

    async def watch(self) -> None:
        """Sample it ten times a second until cancelled."""
        while True:
            self.seen.append(self.now())
            await asyncio.sleep(0.1)

    def now(self) -> int:
        """Return what it is now."""
        return int(self.process.memory_info().rss)


@dataclass(frozen=True)
class Findings:
    """What a storm showed. Times in seconds, memory in bytes."""

    ledger: Ledger
    published: float
    ended: float
    before: int
    memory: list[int]
    after: int
    log_bytes: int
    exit_code: int | None

    @property
    def peak(self) -> int:
        """The most memory that was seen."""
        return max(self.memory)

    def faults(self) -> list[str]:
        """Return what must not be, one sentence each."""
        faults = self.ledger.faults()
        if self.peak - self.before > FLAT_BYTES:
            faults.append(f"memory rose by {_mib(self.peak - self.before)} MiB")
        if self.after - self.before > GROWTH_BYTES:
            faults.append(f"memory ended {_mib(self.after - self.before)} MiB above its start")
        if self.exit_code != 0:
            faults.append(f"the host ended with {self.exit_code}")
        return faults


async def storm(url: str, chosen: argparse.Namespace, log: BinaryIO) -> Findings:
    """Play it and return what was seen."""
    ledger = Ledger()
    async with broker_at(url, "storm", "0") as broker, _host(url, chosen.prefetch, log) as process:
        await broker.declare(TOPOLOGY.shared())
        await broker.declare(TOPOLOGY.agent(AGENT))
        await _warm_up(broker)
        memory = Memory(psutil.Process(process.pid))
        before, started = memory.now(), time.perf_counter()
        async with _witnessed(broker, ledger), _running(memory):
            drawn = samples(chosen.seed, good=chosen.good, bad=chosen.messages, huge=chosen.huge)
            await publish_samples(url, TOPOLOGY.tasks, AGENT, drawn, ledger.expect)
            published = time.perf_counter() - started
            last = await _until_complete(ledger)
        after = memory.now()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(IDLE_SECONDS):
            code = await process.wait()
    return Findings(ledger, published, last - started, before, memory.seen, after, log.seek(0, os.SEEK_END), code)


@asynccontextmanager
async def _host(url: str, prefetch: int, log: BinaryIO) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("run", "benchmarks.echo:Echo", "--concurrency", str(prefetch))
    process = await asyncio.create_subprocess_exec(
        SUTAZAI, *arguments, env={**os.environ, "AMQP_URL": url}, cwd=ROOT, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _warm_up(broker: Broker) -> None:
    async def consumes() -> bool:
        info = await broker.queue_info(TOPOLOGY.task_queue(AGENT))
        return info is not None and info.consumers > 0

    await wait_until(consumes, timeout=IDLE_SECONDS, what="the host")
    client = Client(broker, TOPOLOGY)
    for _ in range(WARM_UP // 10):
        await asyncio.gather(*(client.ask(AGENT, "warm up", timeout=IDLE_SECONDS) for _ in range(10)))


@asynccontextmanager
async def _running(memory: Memory) -> AsyncIterator[None]:
    watching = asyncio.create_task(memory.watch(), name="memory")
    try:
        yield
    finally:
        await end_tasks([watching])


@asynccontextmanager
async def _witnessed(broker: Broker, ledger: Ledger) -> AsyncIterator[None]:
    """Show all results and dead letters to the ledger for the length of a block; the letters are taken away."""
    acks: set[asyncio.Task[None]] = set()

    def take(delivery: Delivery) -> None:
        ledger.note_dead(delivery.message)
        ack = asyncio.create_task(delivery.ack(), name="ack")
        acks.add(ack)
        ack.add_done_callback(acks.discard)

    async def listen(results: Listener[TaskResult]) -> None:
        async for result in results:
            ledger.note_result(result)

    plan = TOPOLOGY.agent(AGENT)
    exchange = TOPOLOGY.results
    async with Listener(broker, TOPOLOGY, "results", codec.decode_result, exchange=exchange, keys=("#",)) as results:
        letters = broker.subscribe(TOPOLOGY.dead_queue(AGENT), take, prefetch=50, tag="storm", plan=plan)
        listening = asyncio.create_task(listen(results), name="listen")
        try:
            yield
        finally:
            await end_tasks([listening, *acks])
            await letters.close()


async def _until_complete(ledger: Ledger) -> float:
    """Return when the last was seen, which all are waited for as long as any come."""
    last = time.perf_counter()
    while not ledger.is_complete:
        ledger.news.clear()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await ledger.news.wait()
        except TimeoutError:
            break
        last = time.perf_counter()
    return last


def table(found: Findings) -> Table:
    """Return the figures."""
    ledger, quarter = found.ledger, max(1, len(found.memory) // 4)
    quarters = [max(found.memory[n : n + quarter]) for n in range(0, 4 * quarter, quarter) if found.memory[n:]]
    rows = {
        "malformed messages": ledger.bad,
        "  rejected results": ledger.rejected.total(),
        "  dead letters": ledger.kept,
        "good tasks": len(ledger.good),
        "  completed": ledger.completed.total(),
        "seconds to publish": f"{found.published:.1f}",
        "seconds to the last result": f"{found.ended:.1f}",
        "messages a second": f"{ledger.published / found.ended:.0f}",
        "memory before, MiB": _mib(found.before),
        "  peak in each quarter, MiB": ", ".join(map(_mib, quarters)),
        "  after, MiB": _mib(found.after),
        "log of the host, MiB": _mib(found.log_bytes),
    }
    shown = Table("", "", title="malformed messages", show_header=False)
    for name, value in rows.items():
        shown.add_row(name, str(value))
    return shown


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f}"


def main() -> int:
    """Play it on a private node; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="malformed ones, the huge ones among them")
    parser.add_argument("--huge", type=int, default=200, help="of them, bodies of 5 MiB")
    parser.add_argument("--good", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefetch", type=int, default=10)
    chosen = parser.parse_args()
    configure_logging("error")
    with tempfile.TemporaryFile() as log, PrivateNode(management=False) as node:
        found = asyncio.run(storm(node.amqp_url, chosen, log))
    console = Console()
    console.print(table(found))
    for fault in found.faults():
        console.print(f"[red]{fault}")
    return 1 if found.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
