"""A page of metrics as Prometheus reads it, and promtool, which knows its rules."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.exporter.exporter import KEPT_SECONDS, Exporter
from tests.support.clock import FakeClock
from tests.support.debian import install, is_debian_root
from tests.support.waiting import wait_until


class MetricsPage:
    """The samples of a page in the text format."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in families for sample in family.samples]
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        self.names = {f"{family.name}{suffix}" for family in families for suffix in suffixes.get(family.type, ("",))}
        """What may be queried, families without a sample included."""

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return the one sample with this name and these labels; None where there is none."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert len(found) <= 1, f"{name}{labels} stands there {len(found)} times"
        return found[0] if found else None

    def of(self, name: str, label: str) -> dict[str, float]:
        """Return a metric's samples by one of its labels."""
        return {sample.labels[label]: sample.value for sample in self.samples if sample.name == name}

    def state(self, name: str, **labels: str) -> list[str]:
        """Return the states that are 1."""
        rows = [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        return [row.labels["state"] for row in rows if row.value]


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """Run promtool, which must find nothing wrong; return what it says. Skips where it can neither be found nor got."""
    if shutil.which("promtool") is None and is_debian_root():
        install("prometheus")
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    ran = subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


async def until(exporter: Exporter, clock: FakeClock, name: str, value: float, **labels: str) -> MetricsPage:
    """Return the first page where a metric has this value; each page is drawn 10 s later by the exporter's clock."""
    pages: list[MetricsPage] = []

    async def reached() -> bool:
        clock.now += KEPT_SECONDS
        pages.append(MetricsPage((await exporter.page()).decode()))
        return pages[-1](name, **labels) == value

    await wait_until(reached, what=f"{name}{labels} = {value}")
    return pages[-1]
