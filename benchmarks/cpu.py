"""What does a task cost in CPU, here and in another checkout?

A host in a process of its own works off rounds of tasks: in memory, in memory with an agent that asks a model whose
answer is ready, and over RabbitMQ. Counted is the CPU time of that process, from the publish of the tasks to their last
result, with what submitting them costs. These machines are shared and noisy: rounds are short and many, both checkouts
take turns in one run, and the ratios are taken round by round; the least is what comes closest to a quiet machine.

To see what a change costs, clone the commit before it and name the folder. Uses the broker at AMQP_URL, or a RabbitMQ
of its own. Takes a minute for each checkout on an idle core.

    python benchmarks/cpu.py [--against FOLDER] [--tasks 20] [--rounds 200]
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, cast

from rich.console import Console
from rich.table import Table

from bus.private_node import PrivateNode

HERE: Final = Path(__file__).parents[1]
PROGRAM: Final = HERE / "benchmarks" / "task_cpu" / "side.py"

WARM_UP: Final = 10
"""Rounds that do not count."""

TOLD: Final = 2_000
"""Characters of what a side said last that are shown where it failed."""

Costs = Sequence[tuple[float, ...]]
"""Milliseconds for each task: a row for each round, a column for each checkout."""


class Side:
    """The host of one checkout."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self._process = process
        self._questions = cast("IO[str]", process.stdin)
        self._answers = cast("IO[str]", process.stdout)
        self._log = log

    def round(self, tasks: int) -> float:
        """Return the milliseconds of CPU for each of so many tasks. Raises RuntimeError where the host has ended."""
        print(tasks, file=self._questions, flush=True)
        answer = self._answers.readline()
        if not answer:
            self._process.wait()
            self._log.seek(0)
            raise RuntimeError(f"a host ended at its work, and said:\n{self._log.read()[-TOLD:]}")
        return 1000 * float(answer) / tasks


@contextmanager
def side_of(checkout: Path, url: str, agent: str, prefix: str) -> Iterator[Side]:
    """Run a host of `checkout` for the block, with names of its own on the broker at `url`."""
    command = [sys.executable, str(PROGRAM), url, agent, prefix]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    pipe = subprocess.PIPE
    with (
        TemporaryFile("w+") as log,
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True) as process,
    ):
        yield Side(process, log)


def measure(checkouts: Sequence[Path], url: str, agent: str, tasks: int, rounds: int) -> Costs:
    """Have hosts of the checkouts take turns."""
    with ExitStack() as stack:
        sides = [
            stack.enter_context(side_of(checkout, url, agent, f"task-cpu-{number}"))
            for number, checkout in enumerate(checkouts)
        ]
        turns = [tuple(side.round(tasks) for side in sides) for _ in range(WARM_UP + rounds)]
    return turns[WARM_UP:]


def shown(costs: Mapping[str, Costs], title: str) -> Table:
    """Return the figures as a table, with ratios where there are two checkouts."""
    headings = ("here", "least", "there", "least", "here / there", "of the least")
    table = Table("", title=title)
    rows = [(way, cells_of(turns)) for way, turns in costs.items()]
    for heading in headings[: len(rows[0][1])]:
        table.add_column(heading)
    for way, cells in rows:
        table.add_row(way, *cells)
    return table


def cells_of(turns: Costs) -> list[str]:
    """Return the median and the least of each checkout, and the ratios of both, where there are two."""
    columns = list(zip(*turns, strict=True))
    figures = [figure for column in columns for figure in (statistics.median(column), min(column))]
    if len(columns) > 1:
        figures += [statistics.median(here / there for here, there in turns), min(columns[0]) / min(columns[1])]
    return [f"{figure:.3f}" for figure in figures]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    parser.add_argument("--tasks", type=int, default=20, help="in each round (default 20)")
    parser.add_argument("--rounds", type=int, default=200, help="of each way (default 200)")
    chosen = parser.parse_args()
    checkouts = [HERE] if chosen.against is None else [HERE, chosen.against.resolve()]
    costs = dict[str, Costs]()
    with ExitStack() as stack:
        url = os.environ.get("AMQP_URL") or stack.enter_context(PrivateNode(management=False)).amqp_url
        status = stack.enter_context(Console(stderr=True).status("measuring"))
        for way, (where, agent) in ways(url).items():
            status.update(way)
            costs[way] = measure(checkouts, where, agent, chosen.tasks, chosen.rounds)
    Console().print(shown(costs, f"ms of CPU for each task, medians of {chosen.rounds} rounds of {chosen.tasks}"))


def ways(url: str) -> dict[str, tuple[str, str]]:
    """Return what is measured: where the tasks go, and which agent does them."""
    return {
        "in memory": ("memory://task-cpu", "idle"),
        "in memory, asking a model": ("memory://task-cpu", "asking"),
        "over RabbitMQ": (url, "idle"),
    }


if __name__ == "__main__":
    main()
