"""The race's figures: judged, as tables, and as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from rich.table import Table

from benchmarks.model_race.figures import Passage, Run, longest_request, percentile, standstill, waits
from schemas import Priority, priority_name

DEFAULT_LANE_BOUND: Final = 30.0
"""Seconds; the product's own, see RequestQueue."""

LEAST_GAIN: Final = 2.0
"""Times the throughput of first come, first served."""

MOST_OVER_LIMIT: Final = 1.1
"""Times the makespan of the sorted bare loop."""

TURN_SECONDS: Final = 0.5
"""Beyond the bound and the request that still runs: a busy machine is late with everything."""


class Arm(StrEnum):
    """Who runs. All have the same prompts."""

    LIMIT = "sorted bare loop"
    GROUPED = "grouped"
    BY_PRIORITY = "grouped, mixed priorities"
    BOUNDED = "grouped, short lane bound"
    AS_THEY_CAME = "first come, first served"


HEATS: Final = ((*reversed(Arm),), (Arm.LIMIT, Arm.GROUPED))
"""Of each round. The narrowest ratio is taken twice, once in either order: a load on the machine that grows, or fades,
then does as much for one side as for the other."""

Heat = Mapping[Arm, Run]
"""Arms that ran side by side."""


@dataclass(frozen=True, slots=True)
class Report:
    """All heats. `lane_bound` is that of Arm.BOUNDED, in seconds."""

    heats: Sequence[Heat]
    slots: int
    lane_bound: float

    def ratios(self, of: Arm, to: Arm) -> list[float]:
        """Return the ratio of two makespans, heat by heat: they are taken side by side on a noisy machine."""
        return [heat[of].seconds / heat[to].seconds for heat in self.heats if {of, to} <= heat.keys()]

    def even_ratios(self, of: Arm, to: Arm) -> list[float]:
        """Return the same, as if what both have in common had taken both the same time.

        Where nobody else uses the machine, it does.
        """
        return [
            heat[of].seconds / heat[of].common_work / (heat[to].seconds / heat[to].common_work)
            for heat in self.heats
            if {of, to} <= heat.keys()
        ]

    def runs(self, arm: Arm) -> list[Run]:
        """Return an arm's runs."""
        return [heat[arm] for heat in self.heats if arm in heat]

    def waits(self, arm: Arm, priority: Priority) -> list[float]:
        """Return how long the tasks of a priority waited for a slot, over all runs."""
        return [seconds for run in self.runs(arm) for seconds in waits(run.passages, priority)]

    @property
    def gain(self) -> float:
        """Times the throughput of first come, first served, at an even pace: the median."""
        return statistics.median(self.even_ratios(Arm.AS_THEY_CAME, Arm.GROUPED))

    @property
    def over_limit(self) -> float:
        """Times the makespan of the sorted bare loop, at an even pace: the median."""
        return statistics.median(self.even_ratios(Arm.GROUPED, Arm.LIMIT))

    def bounds(self) -> dict[Arm, float]:
        """Return the arms whose tasks have one priority, so that the lane bound holds for all, with theirs."""
        return {Arm.GROUPED: DEFAULT_LANE_BOUND, Arm.BOUNDED: self.lane_bound}

    def problems(self) -> list[str]:
        """Return what must hold and does not, in sentences."""
        found = []
        if self.gain < LEAST_GAIN:
            found.append(f"{self.gain:.2f} times the throughput of first come, first served: less than {LEAST_GAIN}")
        if self.over_limit > MOST_OVER_LIMIT:
            found.append(f"{self.over_limit:.2f} times the makespan of the sorted loop: more than {MOST_OVER_LIMIT}")
        for arm, bound in self.bounds().items():
            found += [
                f"{arm}: a model waited {waited:.1f} s, with a bound of {bound:g} s and {last:.1f} s for what ran"
                for waited, last in map(_longest, self.runs(arm))
                if waited > bound + last + TURN_SECONDS
            ]
        return found

    def to_json(self) -> str:
        """Return all figures as JSON."""
        return json.dumps(
            {
                "slots": self.slots,
                "lane_bound": self.lane_bound,
                "gain": self.gain,
                "over_limit": self.over_limit,
                "problems": self.problems(),
                "heats": [{arm.name.lower(): asdict(run) for arm, run in heat.items()} for heat in self.heats],
            },
            indent=1,
        )


def tables(report: Report) -> list[Table]:
    """Return the report for a terminal."""
    return [_makespans(report), _waits(report), _bounds(report), _verdict(report)]


def _makespans(report: Report) -> Table:
    table = Table(
        *("", "seconds", "loads", "idle", "common work", "sorted loop is 1", "at an even pace", "first come is 1"),
        title=f"{len(_passages(report))} tasks on two models with room for one, {report.slots} slots: medians",
    )
    for arm in Arm:
        runs = report.runs(arm)
        table.add_row(
            arm.value,
            f"{statistics.median(run.seconds for run in runs):.1f}",
            f"{statistics.median(run.loads for run in runs):g}",
            f"{statistics.median(run.idle for run in runs):.2f}",
            f"{statistics.median(run.common_work for run in runs):.1f}",
            _spread(report.ratios(arm, Arm.LIMIT)),
            _spread(report.even_ratios(arm, Arm.LIMIT)),
            _spread(report.even_ratios(arm, Arm.AS_THEY_CAME)),
        )
    return table


def _waits(report: Report) -> Table:
    contestants = (Arm.BY_PRIORITY, Arm.AS_THEY_CAME)
    heads = [f"{arm}: {name}" for arm in contestants for name in ("p50", "p95")]
    table = Table("priority", *heads, title="seconds from publishing to a slot")
    for priority in sorted({each.priority for each in _passages(report)}, reverse=True):
        cells = [
            f"{percentile(report.waits(arm, priority), share):.1f}" for arm in contestants for share in (0.5, 0.95)
        ]
        table.add_row(priority_name(priority), *cells)
    return table


def _bounds(report: Report) -> Table:
    table = Table(
        "", "bound", "longest", "request that ran meanwhile", title="seconds that a model's tasks stood still"
    )
    for arm, bound in report.bounds().items():
        waited, last = max(map(_longest, report.runs(arm)))
        table.add_row(arm.value, f"{bound:g}", f"{waited:.1f}", f"{last:.1f} at most")
    return table


def _verdict(report: Report) -> Table:
    table = Table("must hold", "found", title="verdict")
    table.add_row(f"{LEAST_GAIN:g} times the throughput of first come, first served", f"{report.gain:.2f}")
    table.add_row(f"{MOST_OVER_LIMIT:g} times the makespan of the sorted bare loop at most", f"{report.over_limit:.2f}")
    for problem in report.problems():
        table.add_row("[red]not so[/]", problem)
    return table


def _longest(run: Run) -> tuple[float, float]:
    return standstill(run.passages), longest_request(run.passages)


def _passages(report: Report) -> Sequence[Passage]:
    return report.heats[0][Arm.LIMIT].passages


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
