"""A report that cannot be written costs nothing but itself, and one line of the log."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.core.report_writer import ReportWriter
from agents.exporter.host_metrics import HostMetrics
from schemas import AgentReport, BreakerReport, ReportKind, TaskStatus
from tests.support.agent_world import Asker, agent_world


class Raising(Asker):
    def health(self, *_args: object, **_named: object) -> dict[str, Any]:
        raise ValueError("a bug in a report")


class Unspeakable(Asker):
    def health(self, *_args: object, **_named: object) -> dict[str, Any]:
        return {"thing": object()}


@pytest.mark.parametrize("kind", [Raising, Unspeakable])
async def test_an_agent_whose_health_cannot_be_told_leaves_its_host_and_the_others_as_they_are(
    kind: type[Asker],
) -> None:
    with capture_logs() as logs:
        async with (
            agent_world(kind(name="ill"), Asker(name="well"), health_check_interval=0.02) as world,
            world.client.reports(kind=ReportKind.AGENT) as reports,
            asyncio.timeout(10),
        ):
            told = [await anext(reports) for _ in range(4)]
            assert (await world.client.ask("ill", "Hi")).status is TaskStatus.COMPLETED
            page = HostMetrics("host-1", world.host.reporter, world.host.consumers).page()
            assert world.host.failed_watch is None
    assert {report.agent for report in told if isinstance(report, AgentReport)} == {"well"}
    assert [line["about"] for line in logs if line["event"] == "report.failed"] == ["ill"]
    assert b'sutazai_consumer_state{agent="well"' in page


def test_a_fault_is_told_once_until_it_is_over_and_again_when_it_comes_back() -> None:
    writer = ReportWriter()
    report = BreakerReport(
        host="h", name="model", state="closed", consecutive_failures=0, trip_count=0, time_until_retry=0
    )

    def fail() -> BreakerReport:
        raise OSError("no free descriptor")

    with capture_logs() as logs:
        written = [writer.write("it", draft) for draft in (fail, fail, lambda: report, lambda: report, fail)]
        assert writer.write("another", lambda: report) is not None
    assert [each and each.report for each in written] == [None, None, report, report, None]
    assert [line["event"] for line in logs] == ["report.failed", "report.works_again", "report.failed"]
