"""The tasks that an agent holds, for whoever asks where one is. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from bus.inflight import Entry
from bus.run import Run
from schemas import HeldTask

TOLD_MOST: Final = 20
"""A host may hold hundreds, and tells of them again and again."""


class HeldState(StrEnum):
    """Where a held task is; what runs is told first."""

    RUNNING = "running"
    SETTLING = "settling"
    """Its work is over, and its outcome is published and confirmed."""
    WAITING = "waiting"
    """For a handler or, in its handler, for the model: its work has yet to begin."""


_ORDER: Final = {state: place for place, state in enumerate(HeldState)}


class _Held(NamedTuple):
    state: HeldState
    since: float
    entry: Entry


def held_tasks(entries: Collection[Entry], runs: Collection[Run], clock: float, moment: datetime) -> list[HeldTask]:
    """Return what runs first, then the oldest, `TOLD_MOST` at most. `clock`, monotonic seconds, is at `moment`."""
    if not entries:
        return []
    at_work = {run.entry.incoming.key: run for run in runs}
    held = [_held(entry, at_work.get(entry.incoming.key)) for entry in entries]
    held.sort(key=lambda one: (_ORDER[one.state], one.since))
    return [
        HeldTask(
            id=entry.task.id, attempt=entry.attempt, since=moment - timedelta(seconds=clock - since), state=state.value
        )
        for state, since, entry in held[:TOLD_MOST]
    ]


def _held(entry: Entry, run: Run | None) -> _Held:
    if run is not None:
        return _Held(HeldState.WAITING if run.is_waiting() else HeldState.RUNNING, run.started, entry)
    return _Held(HeldState.SETTLING if entry.is_settling else HeldState.WAITING, entry.delivered_at, entry)
