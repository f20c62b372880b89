"""The page, the alert rules, the dashboard and the docs fit together, and promtool agrees."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.exporter.exporter import Exporter
from tests.support.agent_world import Asker, agent_world
from tests.support.metrics_page import MetricsPage, promtool
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "sutazai.json"


async def full_page() -> str:
    """Return the page of a fleet that has done a task with a model."""
    async with agent_world(Asker(name="asker")) as world, Exporter(world.client, interval=30) as exporter:
        await world.client.ask("asker", "Hi", timeout=10)

        async def told() -> bool:
            return b"sutazai_tokens_total{" in await exporter.page()

        await wait_until(told, what="the task")
        return (await exporter.page()).decode()


def expressions(node: Any) -> Iterator[str]:
    """Yield every query below a node of the dashboard."""
    if isinstance(node, dict):
        if "expr" in node:
            yield node["expr"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from expressions(item)


def queried(text: str) -> set[str]:
    return set(re.findall(r"\bsutazai_\w+", text))


def named(matchers: list[str]) -> set[str]:
    """Return the alerts that Alertmanager's matchers name."""
    return set(re.findall(r"Sutazai\w+", " ".join(matchers)))


async def test_the_dashboard_and_the_rules_query_nothing_but_what_is_served() -> None:
    served = MetricsPage(await full_page()).names
    dashboard = list(expressions(json.loads(DASHBOARD.read_text())))
    rules = re.sub(r"#.*|summary:.*|description:.*", "", (PROMETHEUS / "alerts.yml").read_text())
    assert len(dashboard) > 20
    assert queried(" ".join(dashboard)) - served == set()
    assert queried(rules) - served == set()


async def test_the_docs_tell_every_metric_and_no_other() -> None:
    rows = [line for line in (ROOT / "docs" / "metrics.md").read_text().splitlines() if line.startswith("| `sutazai_")]
    told = {name for row in rows for name in queried(row.split("|")[1])}
    served = {re.sub(r"_(bucket|count|sum)$", "", name) for name in MetricsPage(await full_page()).names}
    assert told == served


def test_each_alert_is_explained_and_tested_and_has_its_row_in_what_to_watch() -> None:
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
    explained = re.findall(r"^\| `(Sutazai\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    fired = re.findall(r"alertname: (\w+)\n\s+exp_alerts", tests)
    watched = re.findall(r"\| `(Sutazai\w+)` \|$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert alerts == explained
    assert sorted(watched) == sorted(alerts)
    assert set(fired) == set(alerts)


def test_alertmanager_keeps_quiet_of_alerts_that_there_are_and_of_none_for_its_own_sake() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text()))
    rules = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())["inhibit_rules"]
    hidden = [(named(rule["source_matchers"]), named(rule["target_matchers"])) for rule in rules]
    causes = {cause for names, _ in hidden for cause in names}
    effects = {effect for _, names in hidden for effect in names}
    assert causes | effects <= alerts
    assert all(names and follow for names, follow in hidden)
    assert not causes & effects  # a fault that follows from itself, or from its effect, would never be told
    assert any("SutazaiBreakerOpen" in names and "SutazaiQueueUnserved" in follow for names, follow in hidden)


def test_every_panel_of_the_dashboard_has_its_place() -> None:
    places = [panel["gridPos"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))


async def test_promtool_finds_nothing_wrong_with_the_page() -> None:
    assert promtool("check", "metrics", stdin=await full_page()) == ""


@pytest.mark.parametrize(
    ("check", "file"),
    [
        (("check", "config"), "prometheus.yml"),
        (("check", "rules"), "alerts.yml"),
        (("test", "rules"), "alerts_test.yml"),
    ],
)
def test_promtool_finds_nothing_wrong_with_the_rules_and_their_tests_pass(check: tuple[str, ...], file: str) -> None:
    assert "SUCCESS" in promtool(*check, PROMETHEUS / file)
