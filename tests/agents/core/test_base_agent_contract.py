"""What programs written for the first generation rely on in `agents.core.base_agent_v2`, name by name."""

import inspect
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.core import base_agent_v2
from agents.core.base_agent_v2 import AgentStatus, BaseAgent, BaseAgentV2
from schemas import TaskMessage, TaskResult
from tests.support.agent_world import Asker, agent_world

ARGUMENTS = {
    "agent_id": None,
    "name": None,
    "port": None,
    "description": None,
    "config_path": "/app/config.json",
    "max_concurrent_tasks": None,
    "max_ollama_connections": None,
    "health_check_interval": None,
    "heartbeat_interval": None,
}
"""None where the environment or a file may say it; otherwise the default stands in SETTINGS."""

METHODS = {
    "process_task": ["task"],
    "query_ollama": ["prompt", "model", "system"],
    "query_ollama_chat": ["messages", "model"],
    "query_ollama_sync": ["prompt", "model"],
    "health_check": [],
    "run_async": [],
    "run": [],
    "start": [],
    "on_start": [],
    "on_stop": [],
    "progress": ["at", "message"],
    "delegate": ["agent", "prompt"],
    "input_of": ["task"],
}

SYNC = {"query_ollama_sync", "run", "start", "progress", "input_of"}

SETTINGS: list[tuple[str, str, Any, Any, Callable[[BaseAgentV2], Any]]] = [
    ("AGENT_NAME", "agent_name", "clerk", "plain", lambda agent: agent.name),
    ("AGENT_TYPE", "agent_type", "special", "general", lambda agent: agent.agent_type),
    ("OLLAMA_URL", "ollama_url", "http://m:1", "http://localhost:11434", lambda a: a.settings.ollama_url),
    ("OLLAMA_BASE_URL", "ollama_url", "http://m:2", "http://localhost:11434", lambda a: a.settings.ollama_url),
    ("OLLAMA_DEFAULT_MODEL", "ollama_default_model", "llama3", "tinyllama", lambda agent: agent.model),
    ("MAX_CONCURRENT_TASKS", "max_concurrent_tasks", 7, 3, lambda agent: agent.max_concurrent_tasks),
    ("MAX_OLLAMA_CONNECTIONS", "max_ollama_connections", 5, 2, lambda a: a.settings.max_ollama_connections),
    ("HEALTH_CHECK_INTERVAL", "health_check_interval", 9.0, 30.0, lambda a: a.settings.health_check_interval),
    ("HEARTBEAT_INTERVAL", "heartbeat_interval", 8.0, 30.0, lambda a: a.settings.heartbeat_interval),
    ("LOG_LEVEL", "log_level", "debug", "INFO", lambda agent: agent.settings.log_level),
    ("BACKEND_URL", "backend_url", "http://b:1", None, lambda agent: agent.settings.backend_url),
    ("AMQP_URL", "amqp_url", "amqp://r:1/", "amqp://guest:guest@localhost:5672/", lambda a: a.settings.amqp_url),
    ("RABBITMQ_URL", "amqp_url", "amqp://r:2/", "amqp://guest:guest@localhost:5672/", lambda a: a.settings.amqp_url),
]

HEALTH = [
    *("agent_name", "agent_version", "status", "healthy", "uptime_seconds", "tasks_processed", "tasks_failed"),
    *("active_tasks", "avg_processing_time", "ollama_healthy", "circuit_breaker_status", "model", "timestamp"),
]


class Plain(BaseAgentV2):
    """Asks nobody."""

    needs_model = False

    async def process_task(self, task: TaskMessage) -> object:
        return {"id": task["id"], "type": task["type"], "prompt": task["prompt"], "data": task.get("data")}


def positional(function: Callable[..., Any]) -> dict[str, Any]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.kind in kinds and one.name != "self"}


def burn(seconds: float) -> None:
    """Use so much of the processor."""
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass


def test_it_is_constructed_with_these_arguments_in_this_order() -> None:
    assert list(positional(BaseAgentV2.__init__).items()) == list(ARGUMENTS.items())


@pytest.mark.parametrize("method", METHODS)
def test_it_has_these_methods(method: str) -> None:
    function = getattr(BaseAgentV2, method)
    assert list(positional(function)) == METHODS[method]
    assert inspect.iscoroutinefunction(function) is (method not in SYNC)
    assert function.__doc__


def test_the_old_names_are_there() -> None:
    assert BaseAgent is BaseAgentV2
    assert base_agent_v2.__dict__.keys() >= {"AgentStatus", "TaskResult", "BaseAgent", "BaseAgentV2"}
    statuses = ["initializing", "registering", "active", "busy", "error", "shutting_down", "stopped"]
    assert [status.value for status in AgentStatus] == statuses


def test_a_result_is_made_of_these() -> None:
    result = TaskResult(task_id="t", status="completed", result={"a": 1}, processing_time=0.5)
    assert (result.status, result.error, result.timestamp.tzinfo is not None) == ("completed", None, True)
    assert TaskResult(task_id="t", status="failed", error="no", result=None).status.value == "failed"


@pytest.mark.parametrize(("variable", "key", "value", "default", "read"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_a_variable_wins_over_the_file_and_the_file_over_the_default(
    variable: str,
    key: str,
    value: Any,
    default: Any,
    read: Callable[[BaseAgentV2], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read(Plain()) == default
    file = tmp_path / "config.json"
    file.write_text(json.dumps({key: value}))
    assert read(Plain(config_path=file)) == value
    # A file that says one thing leaves all others as they were.
    assert [row[4](Plain(config_path=file)) for row in SETTINGS if row[1] != key] == [
        row[3] for row in SETTINGS if row[1] != key
    ]
    other = "other" if isinstance(value, str) and "://" not in value and variable != "LOG_LEVEL" else value
    file.write_text(json.dumps({key: other}))
    monkeypatch.setenv(variable, str(value))
    assert read(Plain(config_path=file)) == value


@pytest.mark.parametrize(
    ("argument", "value", "variable"),
    [
        ("name", "given", "AGENT_NAME"),
        ("max_concurrent_tasks", 6, "MAX_CONCURRENT_TASKS"),
        ("max_ollama_connections", 4, "MAX_OLLAMA_CONNECTIONS"),
        ("health_check_interval", 5.0, "HEALTH_CHECK_INTERVAL"),
        ("heartbeat_interval", 6.0, "HEARTBEAT_INTERVAL"),
    ],
)
def test_an_argument_wins_over_the_variable(
    argument: str, value: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "9")
    read = next(row[4] for row in SETTINGS if row[0] == variable)
    assert read(Plain(**{argument: value})) == value


def test_what_nothing_else_says_is_an_attribute_of_its_own() -> None:
    agent = Plain("id-1", "plain", 8080, "Does nothing")
    assert (agent.agent_id, agent.agent_name, agent.port, agent.description) == ("id-1", "plain", 8080, "Does nothing")
    assert agent.logger is not None
    assert agent.config["max_concurrent_tasks"] == agent.max_concurrent_tasks == 3


async def test_a_task_reads_as_a_mapping() -> None:
    async with agent_world(Plain()) as world:
        result = await world.client.ask("plain", "Hi", type="kind", data={"a": 1}, id="t-1", timeout=10)
    assert result.result == {"id": "t-1", "type": "kind", "prompt": "Hi", "data": {"a": 1}}


async def test_the_number_of_connections_is_that_of_slots_at_the_model() -> None:
    async with agent_world(Asker(name="asker"), max_ollama_connections=3) as world:
        assert world.host.pool.max_connections == 3


async def test_health_tells_memory_cpu_and_trips_as_they_are() -> None:
    agent = Plain()
    async with agent_world(agent) as world:
        before = await agent.health_check()
        burn(0.1)
        await next(iter(world.host.pool.servers)).breaker.force_open()
        after = await agent.health_check()
    assert set(HEALTH) <= after.keys()
    assert after["memory_bytes"] > 10_000_000
    assert 0 < after["cpu_percent"] < 400
    assert (before["circuit_breaker_trips"], after["circuit_breaker_trips"]) == (0, 1)
    assert (before["circuit_breaker_status"], after["circuit_breaker_status"]) == ("closed", "open")


async def test_a_back_end_that_is_away_makes_nobody_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_URL", "http://127.0.0.1:9")
    agent = Plain()
    async with agent_world(agent, backend_url="http://127.0.0.1:9") as world:
        assert (await world.client.ask("plain", "Hi", timeout=10)).status == "completed"
        assert (await agent.health_check())["healthy"] is True
