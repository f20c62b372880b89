"""One storm from its first host to its report."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.chaos_storm.findings import Findings
from benchmarks.chaos_storm.report import Report
from benchmarks.chaos_storm.schedule import draw_schedule
from benchmarks.chaos_storm.stage import Stage, stage
from benchmarks.chaos_storm.storm import Storm
from benchmarks.chaos_storm.witness import Witness
from benchmarks.chaos_storm.workload import Order, draw_orders

HOSTS: Final = ("h1", "h2", "h3")

TAIL_SECONDS: Final = 10.0
"""Tasks are published so long beyond the last fault: without work, no recovery can be seen."""

WEDGED_SECONDS: Final = 120.0
"""Without a single new result, while some are still owed."""

_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What a storm is made of."""

    seed: int
    tasks: int
    minutes: float
    folder: Path
    """For the logs of the hosts, and of their runs."""


@dataclass(frozen=True, slots=True)
class News:
    """How far a storm is; `faults` are those that hit at the moment."""

    step: str
    ended: int
    faults: Sequence[str]


Show = Callable[[News], None]


async def play(options: Options, show: Show) -> Report:
    """Play one storm. What it starts ends with it, also where it fails or is cancelled."""
    show(News("starting a broker and the hosts", 0, ()))
    async with stage(options.seed, HOSTS, options.folder) as on_stage:
        problems = await on_stage.inspection.probe(lambda: _ended(on_stage.results), "before")
        orders = draw_orders(options.seed, options.tasks, options.minutes * 60 + TAIL_SECONDS)
        began = time.time()
        storm = Storm(on_stage.fleet)
        async with asyncio.TaskGroup() as group:
            group.create_task(_drain(on_stage, orders, storm, show), name="storm.drain")
            faults = draw_schedule(options.seed, options.minutes * 60, HOSTS)
            group.create_task(storm.run(faults, began), name="storm.faults")
            group.create_task(on_stage.publisher.run(orders, began), name="storm.publish")
        show(News("looking at what is left", len(_ended(on_stage.results)), ()))
        problems += await _aftermath(on_stage)
        dead_letters = await on_stage.inspection.dead_letters()
        seconds = time.time() - began
    findings = Findings(on_stage, orders, storm.done, options.folder)
    findings.write_evidence()
    return findings.report(options.seed, seconds, dead_letters, problems)


async def _drain(on_stage: Stage, orders: Sequence[Order], storm: Storm, show: Show) -> None:
    """Return when each order has a result, or when none came for too long."""
    owed = {order.id for order in orders}
    last, since = 0, time.monotonic()
    while (ended := len(owed & _ended(on_stage.results))) < len(owed):
        show(News("storm", ended, [f"{fault.kind} {fault.target}" for fault in storm.active]))
        if ended > last:
            last, since = ended, time.monotonic()
        if time.monotonic() - since > WEDGED_SECONDS:
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _aftermath(on_stage: Stage) -> list[str]:
    problems = await on_stage.inspection.probe(lambda: _ended(on_stage.results), "after")
    problems += await on_stage.inspection.queues(consumed=True)
    hosts = on_stage.fleet.hosts.values()
    await asyncio.gather(*(host.stop() for host in hosts))
    problems += await on_stage.inspection.queues(consumed=False)
    return problems + [fault for host in hosts for fault in host.faults]


def _ended(results: Witness) -> set[str]:
    return {sighting.task_id for sighting in results.sightings}
