"""The model server goes away under a steady stream of tasks: does it cost a task, an attempt, or the machine?

Several hosts run as processes on a private RabbitMQ, each in front of a model server on a port of its own. All servers
go away for a while, or are wedged, and come back. Ends with 1 where a task failed or used an attempt, none was seen
waiting in the queue, the first result came later than 2 s after the first probe that succeeded, or a paused host used
more than 1 % of a core. Takes as long as the outage and about half a minute.

    python benchmarks/outage.py [--seconds 60] [--hosts 3] [--rate 5] [--recovery 10] [--wedged] [--json FILE]
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from agents.core.log import configure_logging
from benchmarks.model_outage.figures import Figures, tables
from benchmarks.model_outage.hosts import HostOptions
from benchmarks.model_outage.play import Options, Seen, play
from bus.private_node import PrivateNode


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=positive, default=60.0, help="how long the server is away (default 60)")
    parser.add_argument("--hosts", type=int, choices=range(1, 11), default=3, metavar="1..10", help="default 3")
    parser.add_argument("--rate", type=positive, default=5.0, help="tasks a second (default 5)")
    parser.add_argument("--answer", type=positive, default=0.3, help="seconds an answer takes (default 0.3)")
    parser.add_argument("--recovery", type=positive, default=10.0, help="seconds to the first probe (default 10)")
    parser.add_argument("--timeout", type=positive, default=5.0, help="seconds for one try (default 5)")
    parser.add_argument(
        "--wedged", action="store_true", help="the server accepts and lists models, but answers nothing"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


async def measure(options: Options, console: Console) -> Figures:
    """Play it, and tell how far it is."""
    with console.status("starting") as status:

        def show(step: str, seen: Seen) -> None:
            ready = seen.looks[-1][1] if seen.looks else 0
            status.update(f"{step}: {seen.published} published, {len(seen.results)} ended, {ready} in the queue")

        return await play(options, show)


def main() -> int:
    """Play one outage on a private node; return the exit code."""
    chosen = arguments()
    configure_logging("error")
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="outage-"))
    try:
        with PrivateNode(management=False) as node:
            of_hosts = HostOptions(node.amqp_url, chosen.answer, chosen.recovery, chosen.timeout, folder)
            options = Options(chosen.hosts, chosen.seconds, chosen.rate, chosen.wedged, of_hosts)
            found = asyncio.run(measure(options, console))
    except KeyboardInterrupt:
        return 130
    Console().print(*tables(found))
    if chosen.json:
        chosen.json.write_text(json.dumps(asdict(found) | {"problems": found.problems}, indent=1))
    if not found.problems:
        shutil.rmtree(folder)
        return 0
    console.print(f"logs: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
