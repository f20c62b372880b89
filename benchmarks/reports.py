"""What do reports cost a host with all 131 agents?

One host in this process, on a private RabbitMQ, with nothing to do. Its CPU time is taken with a round of reports each
half second, and with none but the first, in turns. The difference tells what one round costs, and so what they cost at
the default interval. Ends with 1 above 1 % of a core.

    python benchmarks/reports.py [--rounds 3] [--seconds 10]
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.table import Table

from agents.core.catalog import load_catalog
from agents.core.host import Host
from agents.core.log import configure_logging
from agents.core.markdown_agent import MarkdownAgent
from agents.core.settings import Settings, load_settings
from bus.private_node import PrivateNode

OFTEN: Final = 0.5
NEVER: Final = 3600.0
"""Seconds between two rounds of reports."""

NOBODY: Final = "http://127.0.0.1:9"
"""No model server: a host with nothing to do needs none."""

AIM_PERCENT: Final = 1.0


async def cpu_share(amqp_url: str, interval: float, seconds: float) -> float:
    """Return the share of a core that an idle host of all agents uses with this interval."""
    settings = settings_for(amqp_url, interval)
    async with Host([MarkdownAgent(file) for file in load_catalog().values()], settings):
        await asyncio.sleep(2)  # the start is over: what is to be measured is a state, there is no event for it
        used, began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        return (time.process_time() - used) / (time.monotonic() - began)


def settings_for(amqp_url: str, interval: float) -> Settings:
    """Return the settings of the host."""
    return load_settings(None, amqp_url=amqp_url, ollama_url=NOBODY, health_check_interval=interval, host_name="all")


def main() -> int:
    """Measure in turns and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, choices=range(1, 100), default=3, metavar="1..99", help="default 3")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement (default 10)")
    chosen = parser.parse_args()
    configure_logging("error")
    often, never = list[float](), list[float]()
    with PrivateNode(management=False) as node, Console(stderr=True).status("starting") as status:
        for number in range(chosen.rounds):
            status.update(f"round {number + 1} of {chosen.rounds}")
            never.append(asyncio.run(cpu_share(node.amqp_url, NEVER, chosen.seconds)))
            often.append(asyncio.run(cpu_share(node.amqp_url, OFTEN, chosen.seconds)))
    interval = Settings.model_fields["health_check_interval"].default
    costs = [(with_them - without) * OFTEN for with_them, without in zip(often, never, strict=True)]
    percent = 100 * statistics.median(costs) / interval
    table = Table("", "median", "each", title="An idle host of 131 agents")
    for name, shares in (("CPU without reports", never), (f"CPU with reports each {OFTEN:g} s", often)):
        table.add_row(name, f"{100 * statistics.median(shares):.2f} %", _listed(100 * share for share in shares))
    table.add_row("one round of reports", f"{1000 * statistics.median(costs):.1f} ms", _listed(1000 * c for c in costs))
    table.add_row(f"at one round each {interval:g} s", f"{percent:.3f} % of a core", f"aim: {AIM_PERCENT:g} %")
    Console().print(table)
    return int(percent > AIM_PERCENT)


def _listed(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.2f}" for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
