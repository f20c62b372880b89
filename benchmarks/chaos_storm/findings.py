"""What the witnesses of a storm saw, put together: the report, and the evidence for each task that it complains of."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.chaos_storm.recovery import SeenResult, Sign, recoveries, signs_of, signs_of_results
from benchmarks.chaos_storm.report import Report
from benchmarks.chaos_storm.run_log import overlaps, read_runs
from benchmarks.chaos_storm.schedule import PUBLISHER, REPLIES, Done
from benchmarks.chaos_storm.stage import Stage
from benchmarks.chaos_storm.verdict import Copies, judge
from benchmarks.chaos_storm.workload import MODEL_COURSES, Order
from bus.codec import decode_result
from bus.envelope import read_envelope


class Findings:
    """All that was seen of one storm."""

    def __init__(self, stage: Stage, orders: Sequence[Order], faults: Sequence[Done], folder: Path) -> None:
        """`folder` holds the runs that the hosts have written down, and gets the evidence."""
        self._stage = stage
        self._orders = orders
        self._faults = faults
        self._folder = folder
        self._runs = read_runs(folder / "runs.jsonl")
        self._results = [SeenResult(one.at, decode_result(one.message)) for one in stage.results.sightings]
        copies = Copies(
            Counter(one.task_id for one in stage.tasks.sightings),
            Counter((one.task_id, read_envelope(one.message.headers).copies) for one in stage.retries.sightings),
            Counter((one.task_id, one.message.message_id or "") for one in stage.returns.sightings),
        )
        self._verdict = judge(orders, [seen.result for seen in self._results], copies, self._runs)
        self._overlaps = overlaps(self._runs)

    def report(self, seed: int, seconds: float, dead_letters: Counter[str], problems: Sequence[str]) -> Report:
        """Return the report; `dead_letters` and `problems` are what the inspection found."""
        verdict = self._verdict
        return Report(
            seed=seed,
            tasks=len(self._orders),
            hosts=len(self._stage.fleet.hosts),
            seconds=seconds,
            statuses=dict(verdict.statuses),
            lost=verdict.lost,
            marked=dict(Counter(one.cause.value for one in verdict.duplicates if one.is_marked)),
            unmarked=dict(Counter(one.cause.value for one in verdict.duplicates if not one.is_marked)),
            contradictory=sum(one.is_contradictory for one in verdict.duplicates),
            runs={str(times): tasks for times, tasks in verdict.runs.items()},
            faults=dict(Counter(done.fault.kind.value for done in self._faults)),
            recovery={kind.value: times for kind, times in recoveries(self._faults, self._signs()).items()},
            replies=self._replies(),
            dead_letters=dead_letters.total(),
            problems=[*problems, *verdict.problems(dead_letters), *self._told_overlaps()],
        )

    def write_evidence(self) -> None:
        """Write all that is known of each task that went wrong, one JSON object a line; and the faults."""
        wrong = self._verdict.wrong() | {first.task_id for first, _ in self._overlaps}
        lines = [json.dumps(self._evidence(order)) for order in self._orders if order.id in wrong]
        (self._folder / "evidence.jsonl").write_text("".join(f"{line}\n" for line in lines))
        faults = [asdict(done) for done in sorted(self._faults, key=lambda done: done.began)]
        (self._folder / "faults.jsonl").write_text("".join(f"{json.dumps(fault)}\n" for fault in faults))

    def _signs(self) -> Iterator[Sign]:
        model_tasks = {order.id for order in self._orders if order.course in MODEL_COURSES}
        yield from signs_of_results(self._results, self._runs, model_tasks)
        yield from signs_of(PUBLISHER, (one.at for one in self._stage.tasks.sightings))
        yield from signs_of(REPLIES, (one.at for one in self._stage.replies.sightings))

    def _replies(self) -> tuple[int, int]:
        received = {one.task_id for one in self._stage.replies.sightings}
        return len(received), sum(order.wants_reply for order in self._orders)

    def _told_overlaps(self) -> Iterator[str]:
        for first, second in self._overlaps:
            yield f"task {first.task_id} ran twice at once in {first.life}: attempts {first.attempt}, {second.attempt}"

    def _evidence(self, order: Order) -> dict[str, Any]:
        seen = self._stage
        return {
            "order": asdict(order),
            "tries": seen.publisher.tries[order.id],
            "tasks": [one.at for one in seen.tasks.sightings if one.task_id == order.id],
            "retries": [
                (one.at, dict(one.message.headers)) for one in seen.retries.sightings if one.task_id == order.id
            ],
            "returns": [(one.at, one.message.message_id) for one in seen.returns.sightings if one.task_id == order.id],
            "runs": [asdict(run) for run in self._runs if run.task_id == order.id],
            "results": [
                (one.at, one.result.model_dump(mode="json")) for one in self._results if one.result.task_id == order.id
            ],
        }
