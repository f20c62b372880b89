"""How soon is a killed model server seen, and its return?

A real host in front of the small model's server, on a private RabbitMQ. The server is killed with SIGKILL while the
host has nothing to do, and started again. Five places are watched for it: the breaker's report, the lines of `sutazai
top`, the exporter's gauge, the queue over AMQP, and the management API, whose statistics are up to five seconds old.
Ends with 1 where the report came later than a second after the kill.

    python benchmarks/seen.py [--rounds 5]
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import httpx
from rich.console import Console
from rich.table import Table

from agents.core.log import configure_logging
from bus.client import Client
from bus.connect import broker_at
from bus.node_layout import HOST, free_ports
from bus.private_node import PrivateNode
from schemas import BreakerReport, Report
from tests.support.metrics_page import MetricsPage
from tests.support.program import Program, program, sutazai
from tests.support.waiting import wait_until

AGENT: Final = "prompt-injection-guard"
QUEUE: Final = f"sutazai.tasks.{AGENT}"
MOST_SECONDS: Final = 1.0
PATIENCE: Final = 60.0
PLACES: Final = ("breaker report", "sutazai top", "exporter", "queue (AMQP)", "management API")

Seen = Mapping[str, float]
"""Seconds from the kill, or from the server's start, by place."""


class Watchers:
    """Those who look, each in its own way."""

    def __init__(self, reports: AsyncIterator[Report], client: Client, api: httpx.AsyncClient) -> None:
        self._reports = reports
        self._client = client
        self._api = api
        self.top: Program
        self.metrics: str
        self._lines = 0

    async def see(self, state: str, consumers: int) -> Seen:
        """Return when each place showed the breaker in a state, and so many consumers."""
        began = time.monotonic()
        self._lines = (self.top.out + self.top.err).count(f"-> {state}") + 1
        looks: Sequence[Callable[[str, int], Awaitable[None]]] = (
            self._report,
            self._line,
            self._gauge,
            self._queue,
            self._statistics,
        )

        async def timed(look: Callable[[str, int], Awaitable[None]]) -> float:
            await look(state, consumers)
            return time.monotonic() - began

        return dict(zip(PLACES, await asyncio.gather(*map(timed, looks)), strict=True))

    async def _report(self, state: str, _: int) -> None:
        while True:
            report = await anext(self._reports)
            if isinstance(report, BreakerReport) and report.old is not None and report.state == state:
                return

    async def _line(self, state: str, _: int) -> None:
        await self.top.says(f"-> {state}", self._lines)

    async def _gauge(self, state: str, _: int) -> None:
        async def says() -> bool:
            return MetricsPage((await self._api.get(self.metrics)).text).state("sutazai_breaker_state") == [state]

        await wait_until(says, PATIENCE)

    async def _queue(self, _: str, consumers: int) -> None:
        async def has() -> bool:
            info = await self._client.broker.queue_info(QUEUE)
            return info is not None and info.consumers == consumers

        await wait_until(has, PATIENCE)

    async def _statistics(self, _: str, consumers: int) -> None:
        async def says() -> bool:
            return bool((await self._api.get(f"/api/queues/%2F/{QUEUE}")).json().get("consumers") == consumers)

        await wait_until(says, PATIENCE)


async def measure(amqp_url: str, management_url: str, rounds: int) -> tuple[list[Seen], list[Seen]]:
    """Return when the deaths and the returns were seen."""
    url = f"http://{HOST}:{free_ports(1)[0]}"
    env = {**os.environ, "AMQP_URL": amqp_url, "OLLAMA_URL": url}
    async with AsyncExitStack() as stack:

        async def start(*arguments: str, until: str) -> Program:
            running = await stack.enter_async_context(program(*sutazai(*arguments), env=env))
            await running.says(until)
            return running

        async def start_model() -> Program:
            return await start("local-model", "--port", url.rpartition(":")[2], until=url)

        broker = await stack.enter_async_context(broker_at(amqp_url))
        reports = await stack.enter_async_context(Client(broker).reports())
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=management_url, auth=("guest", "guest")))
        watchers, deaths, returns = Watchers(reports, Client(broker), api), list[Seen](), list[Seen]()
        model = await start_model()
        await start("run", AGENT, until="host.started")
        watchers.metrics = (
            (await start("exporter", "--port", "0", until="Ctrl-C")).out.split(" are at ")[1].split(";")[0]
        )
        watchers.top = await start("top", "--plain", until="has come")
        for _ in range(rounds):
            await asyncio.sleep(1)  # the host's idle connection is there, and so are the first statistics
            model.send(signal.SIGKILL)
            deaths.append(await watchers.see("open", 0))
            model = await start_model()
            returns.append(await watchers.see("closed", 1))
        return deaths, returns


def shown(title: str, seen: Sequence[Seen]) -> Table:
    """Return a table of the times in seconds."""
    table = Table("place", "median s", "longest s", title=title)
    for place in PLACES:
        times = [one[place] for one in seen]
        table.add_row(place, f"{statistics.median(times):.2f}", f"{max(times):.2f}")
    return table


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, choices=range(1, 100), default=5, metavar="1..99", help="default 5")
    chosen = parser.parse_args()
    configure_logging("error")
    with PrivateNode() as node, Console(stderr=True).status("watching"):
        deaths, returns = asyncio.run(measure(node.amqp_url, node.management_url, chosen.rounds))
    Console().print(shown("From the kill to `open` and no consumer", deaths))
    Console().print(shown("From the server's start to `closed` and a consumer", returns))
    return int(max(seen["breaker report"] for seen in deaths) > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
