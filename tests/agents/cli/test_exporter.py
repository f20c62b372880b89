import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from agents import BaseAgentV2
from bus.client import Client
from schemas import TaskMessage, TaskResult
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli
from tests.support.program import program, sutazai
from tests.support.waiting import wait_until


class Echo(BaseAgentV2):
    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        return task["prompt"]


async def test_the_command_serves_what_the_fleet_does_until_a_signal(vhost_url: str) -> None:
    async with (
        agent_world(Echo(name="echo"), amqp_url=vhost_url) as world,
        program(*sutazai("exporter", "--port", "0"), env={"AMQP_URL": vhost_url}) as running,
        httpx.AsyncClient() as http,
    ):
        await running.says("Ctrl-C ends")
        found = re.search(r"at (http://127\.0\.0\.1:\d+/metrics); Ctrl-C ends", running.out)
        assert found is not None, running.out
        await world.client.ask("echo", "x", timeout=10)

        async def told() -> bool:
            return 'sutazai_tasks_total{agent="echo",status="completed"} 1.0' in (await http.get(found[1])).text

        await wait_until(told, what="the task")
        running.send(signal.SIGTERM)
        assert await running.ends() == 0
    assert vhost_url not in running.out + running.err


class DeafClient(Client):
    """Its results end in a fault."""

    @asynccontextmanager
    async def results(self, **_: object) -> AsyncIterator[AsyncIterator[TaskResult]]:
        """Yield what fails at once."""

        async def broken() -> AsyncIterator[TaskResult]:
            raise ValueError("no")
            yield

        yield broken()


def test_one_that_hears_no_more_ends_with_an_error_so_that_it_is_started_again(
    cli: Cli, vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.cli.exporter.Client", DeafClient)
    ran = cli("exporter", "--port", "0", "--amqp-url", vhost_url)
    assert ran.code == 1
    assert ran.sentence.endswith("error: the exporter has stopped to listen, and its log says why: start it again")


def test_without_the_extra_one_line_tells_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    ran = cli("exporter")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence == "error: prometheus-client is not installed: pip install 'sutazai-agents[exporter]'"


def test_a_port_that_is_taken_ends_it_with_one_line(cli: Cli) -> None:
    nobody = "amqp://127.0.0.1:9/"  # the port is looked at first
    ran = cli("exporter", "--amqp-url", nobody, "--host", "256.0.0.1")
    assert ran.code == 2
    assert ran.sentence.startswith("error: nothing can listen on 256.0.0.1:9464: ")


def test_the_help_shows_its_examples(cli: Cli) -> None:
    assert "sutazai exporter --host 0.0.0.0 --port 9464" in cli("exporter", "--help").out
