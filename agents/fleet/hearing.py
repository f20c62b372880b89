"""Asking a fleet how it is, and taking in what it answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Final

from agents.fleet.fleet import Fleet
from bus.alarm import ALARM, is_in_alarm
from bus.client import Client
from bus.errors import PublishTimeout
from bus.live_hosts import live_hosts
from schemas import HostReport, Report

PATIENCE_SECONDS: Final = 1.5
"""A host answers within 1.2 s: it does so once a second at most, and not at the same moment as all others."""

NAMESAKE_SECONDS: Final = 0.15
"""A second process of a name answers within the tenth of a second over which hosts spread their answers."""


async def hear(client: Client, fleet: Fleet, wanted: Collection[str]) -> None:
    """Ask the hosts that are wanted, all where none is, and note what they tell within `PATIENCE_SECONDS`.

    Returns earlier, soon after all have told everything, where it can be known who they are.

    Raises:
        PublishTimeout: none of them has, since the broker is in an alarm and takes neither the question nor answers.
    """
    async with client.reports() as reports:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                awaited = wanted or await live_hosts(client.broker, client.topology) or ()
                await _collect(reports, fleet, wanted, awaited)
            async with asyncio.timeout(NAMESAKE_SECONDS):
                await _collect(reports, fleet, wanted, ())
        if is_in_alarm(client.broker) and not fleet.reports(HostReport):
            raise PublishTimeout(f"no host can answer: {ALARM}")


async def _collect(
    reports: AsyncIterator[Report], fleet: Fleet, wanted: Collection[str], awaited: Collection[str]
) -> None:
    """Take in the reports of the hosts that are wanted, of all where none is; return once those awaited told all."""
    async for report in reports:
        if not wanted or report.host in wanted:
            fleet.note(report)
        if fleet.knows_all_of(awaited):
            return
