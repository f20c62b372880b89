"""A fault storm over real processes and a real broker: is anything lost?

Hosts run agents behind TCP proxies; tasks are published all the while; a seed decides which faults hit whom and when:
hosts killed and stopped, connections dropped and swallowed, the broker restarted, memory alarms, outages of the model
server, deleted reply queues. At the end each task must have one terminal result, or several of which one is marked as
redelivered, and each host must be well. Ends with 1 where that is not so.

    python benchmarks/chaos.py [--tasks 2000] [--seed 1] [--minutes 2] [--json FILE] [--logs FOLDER] [--verbose]
    python benchmarks/chaos.py --merge FILE...
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.core.log import configure_logging
from benchmarks.chaos_storm.play import HOSTS, News, Options, play
from benchmarks.chaos_storm.report import Report, markdown, read_report, tables
from benchmarks.chaos_storm.schedule import draw_schedule


async def storm(options: Options, console: Console) -> Report:
    """Play a storm under a progress bar. SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=options.tasks)

        def show(news: News) -> None:
            told = ", ".join((news.step, *news.faults))
            progress.update(bar, completed=min(news.ended, options.tasks), description=told)

        return await play(options, show)


def plan(options: Options) -> Table:
    """Return what is going to happen."""
    table = Table("at", "fault", "target", "seconds", title=f"seed {options.seed}")
    for fault in draw_schedule(options.seed, options.minutes * 60, HOSTS):
        table.add_row(f"{fault.at:.1f}", fault.kind.value, fault.target, f"{fault.seconds:.1f}")
    return table


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=positive, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=positive, default=2.0, help="how long faults happen (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as well")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep the logs in a new folder there")
    parser.add_argument("--verbose", action="store_true", help="print the schedule first")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE", help="print several reports as one table")
    return parser.parse_args()


def print_merged(files: Sequence[Path]) -> int:
    """Print the Markdown tables of several reports; return 1 if one of them is not good."""
    reports = [read_report(file) for file in files]
    print(markdown(reports))
    return 0 if all(report.is_good for report in reports) else 1


def new_folder(chosen: argparse.Namespace) -> Path:
    """Make the folder of all logs, and log what is done there as well: the terminal is for the progress."""
    if chosen.logs:
        chosen.logs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{chosen.seed}-", dir=chosen.logs))
    configure_logging()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=(folder / "storm.log").open("w")))
    return folder


def main() -> int:
    """Play one storm, or merge reports; return the exit code."""
    chosen = arguments()
    if chosen.merge:
        return print_merged(chosen.merge)
    # aio-pika's, of a connection that failed to open and is thrown away while a thread restarts the broker.
    warnings.filterwarnings("ignore", "coroutine 'Connection.close' was never awaited", RuntimeWarning)
    folder = new_folder(chosen)
    options = Options(chosen.seed, max(1, round(chosen.tasks)), chosen.minutes, folder)
    progress = Console(stderr=True)
    if chosen.verbose:
        progress.print(plan(options))
    try:
        report = asyncio.run(storm(options, progress))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    Console().print(*tables(report))
    if chosen.json:
        chosen.json.write_text(report.to_json())
    if report.is_good and not chosen.logs:
        shutil.rmtree(folder)
    else:
        progress.print(f"logs: {folder}")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
