"""Each run of a handler, written down as it begins and ends, by processes that may be killed at any moment."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

_ALWAYS = float("inf")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one attempt at a task. `life` is a process, HOST.NUMBER. `ended` None: its process was killed.

    Times are seconds since 1970. `how` it ended: returned, or the name of what was raised.
    """

    task_id: str
    attempt: int
    life: str
    started: float
    ended: float | None = None
    how: str = ""

    @property
    def host(self) -> str:
        """The host whose process it was."""
        return self.life.partition(".")[0]


class RunLog:
    """Appends to a file that several processes share: each line is one write, which the kernel keeps whole."""

    def __init__(self, path: Path, life: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._life = life

    @contextmanager
    def run(self, task_id: str, attempt: int) -> Iterator[None]:
        """Write down that a run begins, and how it ends."""
        run = uuid4().hex
        self._write(run, "start", task=task_id, attempt=attempt)
        how = "returned"
        try:
            yield
        except BaseException as error:
            how = type(error).__name__
            raise
        finally:
            self._write(run, "end", how=how)

    def _write(self, run: str, step: str, **told: object) -> None:
        line = {"run": run, "life": self._life, "step": step, "at": time.time(), **told}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def read_runs(path: Path) -> list[Run]:
    """Return all runs in the order of their starts; none where there is no file."""
    runs: dict[str, Run] = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        line = json.loads(text)
        if line["step"] == "start":
            runs[line["run"]] = Run(line["task"], line["attempt"], line["life"], line["at"])
        else:
            runs[line["run"]] = replace(runs[line["run"]], ended=line["at"], how=line["how"])
    return list(runs.values())


def overlaps(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Return the pairs of runs of one task that ran at the same time in one process."""
    together: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        together[run.life, run.task_id].append(run)
    return [
        (first, second)
        for same in together.values()
        for first, second in pairwise(sorted(same, key=lambda run: run.started))
        if second.started < (_ALWAYS if first.ended is None else first.ended)
    ]
