"""RabbitMQ's plugin serves what SutazaiTaskOverdue asks for, under the names that the rule and prometheus.yml have."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from agents.core.version import VERSION
from bus.client import Client
from bus.connect import broker_at
from bus.message import Message
from bus.node_layout import HOST, free_ports
from bus.private_node import PrivateNode
from tests.support.metrics_page import MetricsPage, promtool
from tests.support.waiting import wait_until

PROMETHEUS = Path(__file__).parents[3] / "deploy" / "prometheus"
NOW = datetime.now(UTC).replace(microsecond=0)
AGE = timedelta(hours=2)
OURS, EMPTY, FOREIGN = "worker", "idler", "stranger"


def scraped_path() -> str:
    """Return what the job in prometheus.yml asks RabbitMQ for."""
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    (job,) = (job for job in jobs if job["job_name"] == "rabbitmq")
    return str(httpx.URL(job["metrics_path"], params=job["params"]))


async def publish(amqp_url: str) -> None:
    """Leave a task of ours that is old, a new one behind it, an empty queue, and a foreign task that bears no time."""
    async with broker_at(amqp_url, "test", VERSION) as broker:
        client = Client(broker)
        for plan in (client.topology.shared(), *map(client.topology.agent, (OURS, EMPTY, FOREIGN))):
            await broker.declare(plan)
        await client.submit(OURS, "old", created_at=NOW - AGE)
        await client.submit(OURS, "new", created_at=NOW)
        await broker.publish(client.topology.tasks, FOREIGN, Message(b"{}"))


def enable_plugin(node: PrivateNode) -> None:
    """Do what `rabbitmq-plugins enable rabbitmq_prometheus` does."""
    enabled = node.directory / "enabled_plugins"
    enabled.write_text("[rabbitmq_prometheus].\n")
    node.rabbitmqctl("eval", f'{{ok, _, _}} = rabbit_plugins:ensure("{enabled}").')


@pytest.fixture
async def plugin_url(rabbitmq_server: Path) -> AsyncIterator[str]:
    """The plugin's address, at a node with three agents' queues."""
    (port,) = free_ports(1)
    config = [f"prometheus.tcp.ip = {HOST}", f"prometheus.tcp.port = {port}", "collect_statistics_interval = 500"]
    async with PrivateNode(server=rabbitmq_server, management=False, config=config) as node:
        await asyncio.gather(asyncio.to_thread(enable_plugin, node), publish(node.amqp_url))
        yield f"http://{HOST}:{port}"


async def heads(http: httpx.AsyncClient, path: str) -> dict[str, float]:
    """Return the times of the queues' first tasks by series, in seconds after now."""
    page = MetricsPage((await http.get(path)).raise_for_status().text)
    found = [sample for sample in page.samples if sample.name.endswith("queue_head_message_timestamp")]
    labels = [", ".join(f'{name}="{value}"' for name, value in sample.labels.items()) for sample in found]
    return {
        f"{sample.name}{{{told}}}": sample.value - NOW.timestamp() for sample, told in zip(found, labels, strict=True)
    }


async def has_told(http: httpx.AsyncClient, path: str) -> bool:
    return -AGE.total_seconds() in (await heads(http, path)).values()


def alert_test(series: Mapping[str, float]) -> str:
    """Return promtool's test that the alert fires for the old task alone. The clock of such a test begins at 0: now."""
    fired = 'ALERTS{alertname="SutazaiTaskOverdue", alertstate="firing"'
    labels = f'agent="{OURS}", queue="sutazai.tasks.{OURS}", vhost="/", severity="warning"'
    test = {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": " ".join([str(value).replace("nan", "NaN")] * 12)}
            for name, value in series.items()
        ],
        "promql_expr_test": [
            {"expr": f"{fired}}}", "eval_time": "10m", "exp_samples": [{"labels": f"{fired}, {labels}}}", "value": 1}]}
        ],
    }
    rules = str(PROMETHEUS / "alerts.yml")
    return json.dumps({"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]})


async def test_the_rule_finds_an_old_task_in_what_rabbitmq_serves(plugin_url: str, tmp_path: Path) -> None:
    async with httpx.AsyncClient(base_url=plugin_url) as http:
        for path in (scraped_path(), "/metrics/per-object"):
            await wait_until(partial(has_told, http, path), what=f"the old task at {path}")
            series = await heads(http, path)
            assert {f'queue="sutazai.tasks.{agent}"' in "".join(series) for agent in (OURS, EMPTY, FOREIGN)} == {True}
            assert [value for value in series.values() if not math.isnan(value)] == [-AGE.total_seconds()]
            (tmp_path / "test.yml").write_text(alert_test(series))
            assert "SUCCESS" in await asyncio.to_thread(promtool, "test", "rules", tmp_path / "test.yml")
