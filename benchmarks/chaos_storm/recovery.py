"""How long each fault was felt: from its healing to the next result that concerns what it had hit. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.chaos_storm.run_log import Run
from benchmarks.chaos_storm.schedule import BROKER, MODEL, Done, FaultKind
from schemas import TaskResult, TaskStatus


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of life of some parts of the fleet, such as a result: `at` in seconds since 1970."""

    at: float
    parts: frozenset[str]


@dataclass(frozen=True, slots=True)
class SeenResult:
    """A result and when it was seen, in seconds since 1970."""

    at: float
    result: TaskResult


def signs_of_results(seen: Iterable[SeenResult], runs: Iterable[Run], model_tasks: Collection[str]) -> Iterator[Sign]:
    """Say whom each result speaks for: the broker, the host that ran the task, the model if it was asked for it."""
    started: defaultdict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        started[run.task_id, run.attempt].append(run)
    for one in seen:
        parts = {BROKER}
        before = [run for run in started[one.result.task_id, one.result.attempt] if run.started <= one.at]
        if before:
            parts.add(max(before, key=lambda run: run.started).host)
        if one.result.task_id in model_tasks and one.result.status is TaskStatus.COMPLETED:
            parts.add(MODEL)
        yield Sign(one.at, frozenset(parts))


def signs_of(part: str, times: Iterable[float]) -> Iterator[Sign]:
    """Say that one part, the publisher or the reply queue, was heard of at these times."""
    return (Sign(at, frozenset({part})) for at in times)


def recoveries(faults: Iterable[Done], signs: Iterable[Sign]) -> Mapping[FaultKind, list[float]]:
    """Return the seconds of each fault by its kind; a fault after which no sign came has none."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for sign in sorted(signs, key=lambda sign: sign.at):
        for part in sign.parts:
            times[part].append(sign.at)
    found: defaultdict[FaultKind, list[float]] = defaultdict(list)
    for done in faults:
        seconds = _until_next(times[done.fault.target], done.since)
        if seconds is not None:
            found[done.fault.kind].append(seconds)
    return found


def _until_next(times: Sequence[float], since: float) -> float | None:
    place = bisect_right(times, since)
    return times[place] - since if place < len(times) else None
