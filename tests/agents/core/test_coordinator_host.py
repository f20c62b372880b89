"""A host with BACKEND_URL: what a real coordinator hears of it, and that a bad one harms no task."""

import asyncio
import json
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents import BaseAgentV2, Host
from agents.core.coordinator.client import CONNECTIONS
from agents.core.coordinator.coordinator import LAST_SECONDS
from agents.core.log import configure_logging
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.settings import SettingsError
from bus.errors import PermanentError
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import agent_world, memory_url, settings_for
from tests.support.tiny_http import TinyHttp
from tests.support.waiting import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"
SILENT = b""


class Echo(BaseAgentV2):
    needs_model = False

    async def process_task(self, task: TaskMessage) -> str | None:
        if task.prompt == "fail":
            raise PermanentError("as asked")
        return task.prompt


def heard(server: TinyHttp, path: str) -> list[dict[str, Any]]:
    """Return the bodies of all requests to a path."""
    asked = zip(server.request_lines, server.bodies, strict=False)  # a line comes before its body
    return [json.loads(body) for line, body in asked if line == f"POST {path} HTTP/1.1"]


def coordinator_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("coordinator")]


async def test_a_coordinator_hears_of_agents_of_each_result_and_of_their_end() -> None:
    async with TinyHttp(OK) as server:
        async with agent_world(Echo(name="echo"), backend_url=server.url, heartbeat_interval=0.05) as world:
            done = await world.client.ask("echo", "hello")
            failed = await world.client.ask("echo", "fail")
            await wait_until(lambda: len(heard(server, "/api/tasks/complete")) == 2, what="both completions")
            await wait_until(lambda: len(heard(server, "/api/agents/heartbeat")) > 2, what="heartbeats")
            await world.host.stop()
        (registered,) = heard(server, "/api/agents/register")
        beats = heard(server, "/api/agents/heartbeat")
        told = heard(server, "/api/tasks/complete")
    assert registered["agent_name"] == "echo"
    assert registered["status"] in ("registering", "active")
    assert [(body["task_id"], body["status"]) for body in told] == [
        (done.task_id, TaskStatus.COMPLETED),
        (failed.task_id, TaskStatus.FAILED),
    ]
    assert told[0] == json.loads(done.model_dump_json())
    assert {"tasks_processed", "tasks_failed", "active_tasks", "uptime_seconds", "ollama_healthy"} <= beats[-1].keys()
    assert (beats[-1]["status"], beats[-1]["tasks_processed"], beats[-1]["tasks_failed"]) == ("stopped", 2, 1)


class OldGreeter:
    """Greets, as agents of the first generation did."""

    agent_name = "old-greeter"

    def process_task(self, task: dict[str, Any]) -> dict[str, Any]:
        return {"status": "success", "greeting": f"Hello, {task['prompt']}"}

    def query_ollama(self, prompt: str) -> str:
        return prompt


async def test_a_wrapped_agent_of_the_first_generation_is_told_of_like_any_other() -> None:
    old = await asyncio.to_thread(LegacyAgentWrapper, OldGreeter)
    async with TinyHttp(OK) as server:
        async with agent_world(old, backend_url=server.url, heartbeat_interval=0.05) as world:
            await world.client.ask("old-greeter", "Ada")
            await wait_until(lambda: heard(server, "/api/tasks/complete"), what="its completion")
            await wait_until(lambda: heard(server, "/api/agents/heartbeat"), what="its heartbeat")
            await world.host.stop()
        assert [body["agent_name"] for body in heard(server, "/api/agents/register")] == ["old-greeter"]
        (told,) = heard(server, "/api/tasks/complete")
    assert told["result"]["greeting"] == "Hello, Ada"


async def test_131_agents_share_a_few_connections_and_all_say_goodbye() -> None:
    names = [f"agent-{number}" for number in range(131)]
    async with TinyHttp(OK) as server, agent_world(*map(a_echo, names), backend_url=server.url) as world:
        await wait_until(lambda: len(heard(server, "/api/agents/register")) == 131, what="all registrations")
        assert {body["agent_name"] for body in heard(server, "/api/agents/register")} == set(names)
        assert len(heard(server, "/api/agents/heartbeat")) < 20
        assert server.connections <= CONNECTIONS
        await world.host.stop()


def a_echo(name: str) -> Echo:
    return Echo(name=name)


async def test_without_an_address_nothing_is_started() -> None:
    async with agent_world(Echo(name="echo")) as world:
        assert (await world.client.ask("echo", "hello")).result == "hello"
        assert coordinator_tasks() == []


@pytest.mark.parametrize("backend_url", ["", None])
async def test_an_empty_address_is_none(backend_url: str | None) -> None:
    async with agent_world(Echo(name="echo"), backend_url=backend_url):
        assert coordinator_tasks() == []


@pytest.mark.parametrize("reply", [BROKEN, SILENT], ids=["broken", "silent"])
async def test_a_bad_coordinator_holds_up_no_task_no_health_and_no_stop(reply: bytes) -> None:
    async with TinyHttp(reply) as server, asyncio.timeout(20):
        agent = Echo(name="echo")
        async with agent_world(agent, backend_url=server.url, heartbeat_interval=0.05) as world:
            for number in range(20):
                assert (await world.client.ask("echo", str(number))).status is TaskStatus.COMPLETED
            await wait_until(lambda: server.request_lines, what="a first try")
            assert (await agent.health_check())["healthy"]
            await world.host.stop()
        assert coordinator_tasks() == []


async def test_a_coordinator_that_falls_silent_holds_up_a_stop_for_a_second_at_most() -> None:
    async with TinyHttp(OK) as server:
        async with agent_world(Echo(name="echo"), backend_url=server.url, heartbeat_interval=0.05) as world:
            await wait_until(lambda: heard(server, "/api/agents/heartbeat"), what="a heartbeat")
            server.reply = SILENT
            assert (await world.client.ask("echo", "hello")).result == "hello"
            await world.host.stop()
            started = time.monotonic()
        closed = time.monotonic() - started
    assert closed < LAST_SECONDS + 1.5  # room for a busy machine, and less than one request may take


async def test_an_absent_coordinator_is_one_line_in_the_log() -> None:
    async with TinyHttp(OK) as server:
        url = server.url
    configure_logging("info")
    with capture_logs() as logs:
        async with agent_world(Echo(name="echo"), backend_url=url, heartbeat_interval=0.01) as world:
            for number in range(50):
                assert (await world.client.ask("echo", str(number))).result == str(number)
            await wait_until(lambda: any(line["event"] == "coordinator.silent" for line in logs), what="the warning")
    lines = [line for line in logs if line["event"].startswith("coordinator.")]
    assert [line["event"] for line in lines] == ["coordinator.silent", "coordinator.left"]
    assert (lines[0]["reason"], lines[1]["untold"]) == ("no connection (ConnectError)", 50)


@pytest.mark.parametrize("url", ["ftp://me:s3cret@host", "http://", "http://me:s3cret/@host"])
def test_an_address_that_is_none_is_refused_before_anything_starts(url: str) -> None:
    told = r"setting BACKEND_URL = \*\*\*: it is no http address: write it like http://backend:8000; "
    with pytest.raises(SettingsError, match=told) as refused:
        Host([Echo(name="echo")], settings_for(memory_url(), backend_url=url))
    assert "s3cret" not in str(refused.value)
