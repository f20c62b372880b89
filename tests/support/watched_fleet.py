"""A watch of `sutazai top` and what it is told."""

from collections.abc import Callable

from agents.top.view import View
from agents.top.watch import Watch
from bus.client import Client
from bus.codec import encode_report
from bus.routing_keys import report_key
from schemas import Report
from tests.support.waiting import wait_until


def announce(client: Client, *told: Report) -> None:
    """Publish reports as hosts do."""
    for report in told:
        client.broker.announce(client.topology.metrics, report_key(report.host, report.kind), encode_report(report))


async def until(watch: Watch, predicate: Callable[[View], object]) -> View:
    """Return the first view of which that is true."""
    await wait_until(lambda: predicate(watch.view()), what="the view")
    return watch.view()


def whats(view: View) -> list[str]:
    """Return what its alarms are about."""
    return [alarm.what for alarm in view.alarms]
