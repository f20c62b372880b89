"""The fleet in lines, for pipes and logs: one for each change, and a summary at each interval."""

import asyncio
from collections.abc import Callable
from typing import Final

from agents.cli.since import moment_text
from agents.top.changes import Changes, timed
from agents.top.watch import INTERVAL_SECONDS, Watch
from bus.client import Client
from schemas import Report, TaskResult
from schemas.base import now

TICK_SECONDS: Final = 0.5
"""Between two looks at what no report tells: silence, and the viewer's own connection."""


async def tell_lines(client: Client, interval: float, write: Callable[[str], None]) -> None:
    """Write what changes until cancelled; the first summary comes once all hosts have answered.

    `interval` is between two summaries, in seconds; hosts are asked as often as for a screen, at least, as a host is
    silent after three rounds. What `write` raises ends it.
    """
    news: asyncio.Queue[Report | TaskResult] = asyncio.Queue()
    changes, clock = Changes(), asyncio.get_running_loop().time
    async with Watch(client, interval=min(interval, INTERVAL_SECONDS), hear=news.put_nowait) as watch:
        summary_at = clock() + min(interval, 2.0)
        while True:
            await _tell_news(news, changes, write, clock() + TICK_SECONDS)
            view = watch.view()
            changes.keep(watch.hosts)
            for line in (*changes.of_agents(), *changes.of_alarms(view.alarms)):
                write(line)
            if clock() >= summary_at:
                summary_at = clock() + interval
                write(timed(moment_text(now()), "summary", str(view.totals)))


async def _tell_news(
    news: asyncio.Queue[Report | TaskResult], changes: Changes, write: Callable[[str], None], until: float
) -> None:
    """Write what comes up to a moment of the event loop's clock."""
    try:
        async with asyncio.timeout_at(until):
            while True:
                for line in changes.of(await news.get()):
                    write(line)
    except TimeoutError:
        return
