"""What grouping by model is worth, measured against the physical limit and against first come, first served.

Two agents on two models of a real, small model server that has room for one of them; their tasks are published in
turn. Side by side: the same prompts sorted by model in a bare HTTP loop (the limit); through RabbitMQ and a host as it
is; the same with mixed priorities; the same with a short bound for the model that waits; and a host that serves first
come, first served.

These machines are shared and noisy. So the ratios are taken heat by heat, and a second time at an even pace: as if
what all runs have in common, one prompt of each model read and all answers written, had taken the same time in both.
The verdict takes these; on a quiet machine they are the same as the plain ones. `idle` is the time without a request at
the server, which is what a host costs.

Ends with 1 where the host has less than 2 times the throughput of first come, first served, or takes more than 1.1
times as long as the bare loop, or a model waited beyond its bound. Takes four minutes on two idle cores. Uses the
broker at AMQP_URL, or a RabbitMQ of its own. The model's weights (93 MB) are fetched once.

    python benchmarks/model_side.py [--rounds 2] [--tasks 12] [--slots 2] [--json FILE]
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.core.log import configure_logging
from benchmarks.model_race.bare_loop import sorted_loop
from benchmarks.model_race.figures import Run
from benchmarks.model_race.hosted import AS_THEY_CAME, BY_PRIORITY, GROUPED, Place, Way, bounded, hosted
from benchmarks.model_race.model_server import ModelServer
from benchmarks.model_race.report import HEATS, Arm, Heat, Report, tables
from benchmarks.model_race.workload import Order, draw_orders
from bus.private_node import PrivateNode

COLUMNS: Final = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

Note = Callable[[], None]
Contestant = Callable[[Place, Sequence[Order], Note], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run; `rounds` of all HEATS."""

    orders: Sequence[Order]
    field: Mapping[Arm, Contestant]
    rounds: int

    @property
    def steps(self) -> int:
        """Answers in all."""
        return len(self.orders) * sum(map(len, HEATS)) * self.rounds


def contestants(lane_bound: float) -> dict[Arm, Contestant]:
    """Return who runs, and how."""

    def by_host(way: Way) -> Contestant:
        return lambda place, orders, note: hosted(place, orders, way, note)

    return {
        Arm.LIMIT: lambda place, orders, note: sorted_loop(place.server, orders, place.slots, note),
        Arm.GROUPED: by_host(GROUPED),
        Arm.BY_PRIORITY: by_host(BY_PRIORITY),
        Arm.BOUNDED: by_host(bounded(lane_bound)),
        Arm.AS_THEY_CAME: by_host(AS_THEY_CAME),
    }


async def race(place: Place, plan: Plan, news: Callable[[str], None], note: Note) -> list[Heat]:
    """Run all heats; each arm finds the server without a model in memory. `news` is called with each step."""
    heats: list[Heat] = []
    for arms in HEATS * plan.rounds:
        runs = {}
        for arm in arms:
            news(f"heat {len(heats) + 1} of {len(HEATS) * plan.rounds}: {arm}")
            await place.server.unload_all()
            runs[arm] = await plan.field[arm](place, plan.orders, note)
        heats.append(runs)
    return heats


async def measure(plan: Plan, slots: int, console: Console) -> list[Heat]:
    """Start what is needed, and run under a progress bar. SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(Progress(*COLUMNS, console=console, transient=True))
        bar = progress.add_task("starting a broker and a model server", total=plan.steps)
        url = os.environ.get("AMQP_URL")
        if url is None:
            url = (await stack.enter_async_context(PrivateNode(management=False))).amqp_url
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="model-race-"))
        server = await stack.enter_async_context(ModelServer(Path(folder) / "model-server.log"))
        place = Place(url, server, slots)
        return await race(
            place, plan, lambda step: progress.update(bar, description=step), lambda: progress.advance(bar)
        )


def at_least(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` on."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return number

    return whole


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=at_least(1), default=2)
    parser.add_argument("--tasks", type=at_least(2), default=12, help="of each run (default 12)")
    parser.add_argument("--tokens", type=at_least(1), default=24, help="of each answer (default 24)")
    parser.add_argument("--slots", type=at_least(1), default=2, help="requests at the server at once (default 2)")
    parser.add_argument(
        "--lane-bound", type=positive, default=4.0, help="seconds, of the arm with a short one (default 4)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def main() -> int:
    """Run the race; return the exit code."""
    chosen = arguments()
    configure_logging("error")
    plan = Plan(draw_orders(chosen.tasks, chosen.tokens), contestants(chosen.lane_bound), chosen.rounds)
    try:
        heats = asyncio.run(measure(plan, chosen.slots, Console(stderr=True)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    report = Report(heats, chosen.slots, chosen.lane_bound)
    Console().print(*tables(report))
    if chosen.json:
        chosen.json.write_text(report.to_json())
    return 1 if report.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
