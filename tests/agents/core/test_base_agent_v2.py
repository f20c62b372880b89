import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agents import AgentStatus, BaseAgent, BaseAgentV2, PermanentError
from agents.core.log import configure_logging
from agents.core.settings import SettingsError
from bus.errors import NotNowError
from bus.retry import RetryPolicy
from schemas import EventKind, Priority, TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import AgentWorld, Gate, agent_world, attempt_at
from tests.support.scripted_ollama import ScriptedOllama, answer, refusal
from tests.support.waiting import wait_until

SEED_KEYS = {
    *("agent_name", "agent_version", "status", "healthy", "uptime_seconds", "tasks_processed", "tasks_failed"),
    *("active_tasks", "avg_processing_time", "ollama_healthy", "circuit_breaker_status", "model", "timestamp"),
}
NOBODY = "http://127.0.0.1:9"
MORE_KEYS = {"agent_id", "agent_type", "circuit_breaker_trips", "memory_bytes", "cpu_percent"}


class Answer(BaseModel):
    text: str


class Worker(BaseAgentV2):
    """Returns, or raises, what a test puts there.

    More of this is for nobody.
    """

    returned: object = "done"

    async def process_task(self, _task: TaskMessage) -> object:
        if isinstance(self.returned, Exception):
            raise self.returned
        return self.returned


class Asker(BaseAgentV2):
    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        return {"response": await self.query_ollama(task["prompt"], **(task.get("data") or {}))}


class PlainHTTPProxy2(Worker):
    pass


def a_task(**fields: Any) -> TaskMessage:
    return TaskMessage(**{"agent": "worker", "prompt": "Do it"} | fields)


async def ended(world: AgentWorld, **fields: Any) -> TaskResult:
    return await world.client.ask("worker", "Do it", timeout=10, **fields)


def test_a_name_comes_from_the_argument_the_environment_or_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PlainHTTPProxy2().name == "plain-http-proxy2"
    monkeypatch.setenv("AGENT_NAME", "from-environment")
    assert PlainHTTPProxy2().name == "from-environment"
    agent = PlainHTTPProxy2(name="from-argument", agent_id="id-1", port=8080)
    assert (agent.name, agent.agent_name, agent.agent_id, agent.port) == (
        "from-argument",
        *["from-argument", "id-1"],
        8080,
    )
    assert PlainHTTPProxy2().agent_id.startswith("from-environment-")


def test_a_description_is_the_first_line_of_the_class_s_own_docstring() -> None:
    assert Worker().description == "Returns, or raises, what a test puts there."
    assert PlainHTTPProxy2().description == ""
    assert Worker(description="Works").description == "Works"


def test_tuning_arguments_reach_the_settings(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"agent_type": "special", "max_concurrent_tasks": 9}')
    agent = Worker(
        config_path=tmp_path / "c.json",
        max_concurrent_tasks=1,
        max_ollama_connections=4,
        health_check_interval=60,
        heartbeat_interval=5,
    )
    settings = agent.settings
    assert (agent.max_concurrent_tasks, agent.agent_type, agent.config["agent_type"]) == (1, "special", "special")
    assert (settings.max_ollama_connections, settings.health_check_interval, settings.heartbeat_interval) == (4, 60, 5)
    assert (Worker().max_concurrent_tasks, Worker().settings.max_ollama_connections) == (3, 2)


def test_the_config_that_an_agent_may_print_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMQP_URL", "amqp://me:hunter2@broker/")
    agent = Worker()
    assert (agent.config["amqp_url"], agent.settings.amqp_url) == ("amqp://broker/", "amqp://me:hunter2@broker/")


def test_a_bad_argument_is_refused_with_a_sentence() -> None:
    with pytest.raises(SettingsError, match="setting max_concurrent_tasks = 0"):
        Worker(max_concurrent_tasks=0)


def test_the_old_name_of_the_class_is_the_same_class() -> None:
    assert BaseAgent is BaseAgentV2


@pytest.mark.parametrize(
    ("returned", "result"),
    [
        ({"response": "x"}, {"response": "x"}),
        (Answer(text="x"), {"text": "x"}),
        ("text", "text"),
        (TaskResult(task_id="t", status=TaskStatus.COMPLETED, result=[1], processing_time=0.5), [1]),
    ],
    ids=["dict", "model", "text", "TaskResult"],
)
async def test_what_a_handler_returns_is_the_result_of_a_completed_task(returned: object, result: object) -> None:
    agent = Worker()
    agent.returned = returned
    async with agent_world(agent) as world:
        ended_as = await ended(world)
    assert (ended_as.status, ended_as.result, ended_as.agent, ended_as.attempt) == ("completed", result, "worker", 1)
    assert (agent.statistics.processed, agent.statistics.failed) == (1, 0)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "process_task returned None: return a TaskResult"),
        (PermanentError("the file is gone"), "the file is gone"),
        (KeyError("bug"), "'bug'"),
        (TaskResult(task_id="t", status=TaskStatus.FAILED, error="no luck"), "no luck"),
    ],
    ids=["None", "PermanentError", "bug", "failed TaskResult"],
)
async def test_a_failed_task_is_told_counted_and_dead_lettered(returned: object, told: str) -> None:
    agent = Worker()
    agent.returned = returned
    async with agent_world(agent) as world:
        result = await ended(world)
        dead = await world.client.broker.queue_info(world.client.topology.dead_queue("worker"))
        assert result.status is TaskStatus.FAILED
        assert told in str(result.error)
        assert dead is not None
        assert dead.ready == 1
        health = await agent.health_check()
    assert (health["tasks_processed"], health["tasks_failed"]) == (1, 1)


async def test_a_handler_that_is_not_async_is_told_with_the_remedy() -> None:
    class Old(BaseAgentV2):
        def process_task(self, _task: TaskMessage) -> dict[str, str]:  # type: ignore[override]
            return {}

    async with agent_world(Old(name="worker")) as world:
        result = await ended(world)
    assert "Old.process_task is not async: write `async def process_task(self, task)`" in str(result.error)


async def test_an_agent_without_a_handler_says_so() -> None:
    with pytest.raises(NotImplementedError, match="BaseAgentV2 does not define process_task"):
        await BaseAgentV2().handle(attempt_at(a_task()))


async def test_not_now_is_not_counted_as_processed() -> None:
    agent = Worker()
    agent.returned = NotNowError("later")
    with pytest.raises(NotNowError):
        await agent.handle(attempt_at(a_task()))
    assert (agent.statistics.processed, agent.statistics.failed, agent.statistics.active) == (0, 0, 0)


async def test_the_result_tells_the_model_and_what_it_cost() -> None:
    async with agent_world(Asker(name="worker")) as world:
        result = await ended(world)
    assert result.model == "tinyllama:latest"
    usage = result.usage
    assert usage is not None
    assert (usage.model_calls, usage.tokens_in, usage.tokens_out, usage.load_time) == (1, 10, 4, 2.0)
    assert usage.queue_wait > 0


async def test_a_tasks_model_and_options_reach_the_model_and_the_calls_own_win() -> None:
    ollama = ScriptedOllama()
    ollama.installed += ["big:70b", "call:latest"]
    async with agent_world(Asker(name="worker"), ollama=ollama) as world:
        options = {"max_tokens": 5, "seed": 1, "top_k": 2}
        by_task = await ended(world, model="big:70b", options=options)
        by_call = await ended(world, model="big:70b", options=options, data={"model": "call", "max_tokens": 6})
    first, second = ollama.asked("/api/generate")
    assert (first["model"], by_task.model) == ("big:70b", "big:70b")
    assert first["options"] == {"temperature": 0.5, "top_p": 0.8, "num_predict": 5, "seed": 1, "top_k": 2}
    assert (second["model"], second["options"]["num_predict"], by_call.model) == ("call:latest", 6, "call:latest")


async def test_a_model_named_by_the_handler_itself_stays_in_the_result() -> None:
    agent = Worker()
    agent.returned = TaskResult(task_id="t", status=TaskStatus.COMPLETED, result=1, model="elsewhere")
    async with agent_world(agent) as world:
        assert (await ended(world)).model == "elsewhere"


async def test_system_prompt_format_and_chat_reach_the_model() -> None:
    class Chatter(BaseAgentV2):
        async def process_task(self, _task: TaskMessage) -> dict[str, str]:
            first = await self.query_ollama("Hi", system="Be short", format="json", num_ctx=512)
            return {
                "first": first,
                "second": await self.query_ollama_chat([{"role": "user", "content": "Hi"}], top_k=2),
            }

    async with agent_world(Chatter(name="worker")) as world:
        result = await ended(world)
    assert result.result == {"first": "ok", "second": "ok"}
    assert result.usage is not None
    assert result.usage.model_calls == 2
    (generate,), (chat,) = world.ollama.asked("/api/generate"), world.ollama.asked("/api/chat")
    assert (generate["system"], generate["format"], generate["options"]["num_ctx"]) == ("Be short", "json", 512)
    assert (chat["messages"], chat["options"]["top_k"]) == ([{"role": "user", "content": "Hi"}], 2)


async def test_an_error_of_the_model_is_raised_and_never_swallowed() -> None:
    ollama = ScriptedOllama()
    ollama.script.append(refusal(400, "invalid options"))
    async with agent_world(Asker(name="worker"), ollama=ollama) as world:
        result = await ended(world)
    assert result.status is TaskStatus.FAILED
    assert "invalid options" in str(result.error)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_streamed_task_is_told_in_chunks_that_join_to_the_response(*, stream: bool) -> None:
    ollama = ScriptedOllama()
    ollama.script.append(answer("Hel", "lo ", "there"))
    async with (
        agent_world(Asker(name="worker"), ollama=ollama) as world,
        world.client.events(agent="worker", kind=EventKind.CHUNK) as events,
    ):
        result = await ended(world, stream=stream)
        chunks = [await anext(events) for _ in range(3)] if stream else []
    assert result.result == {"response": "Hello there"}
    assert [chunk.data["sequence"] for chunk in chunks] == ([0, 1, 2] if stream else [])
    assert "".join(chunk.data["text"] for chunk in chunks) == ("Hello there" if stream else "")


async def test_health_has_the_keys_of_the_seed_and_is_good_while_busy() -> None:
    gate = Gate()

    class Busy(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> dict[str, str]:
            return await gate.hold(task)

    agent = Busy(name="worker", max_concurrent_tasks=1)
    assert agent.status.value == "initializing"
    async with agent_world(agent, ollama=ScriptedOllama()) as world:
        assert agent.status is AgentStatus.ACTIVE
        asking = asyncio.create_task(ended(world))
        await gate.next()
        health = await agent.health_check()
        assert health.keys() == SEED_KEYS | MORE_KEYS
        assert (health["status"], health["healthy"], health["active_tasks"]) == ("busy", True, 1)
        assert (health["ollama_healthy"], health["circuit_breaker_status"], health["model"]) == (
            True,
            "closed",
            "tinyllama",
        )
        gate.leave.set()
        await asking
        after = await agent.health_check()
    assert (after["status"], after["tasks_processed"], after["active_tasks"]) == ("active", 1, 0)
    assert after["avg_processing_time"] > 0
    assert after["memory_bytes"] > 0
    assert agent.status.value == "stopped"


async def test_an_agent_without_a_host_tells_its_health_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_URL", NOBODY)
    health = await Worker().health_check()
    assert (health["ollama_healthy"], health["healthy"], health["status"]) == (False, False, "initializing")


async def test_an_agent_that_asks_no_model_is_healthy_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_URL", NOBODY)

    class Calculator(Worker):
        needs_model = False

    assert (await Calculator().health_check())["healthy"] is True


async def test_a_tasks_priority_reaches_the_queue_in_front_of_the_model() -> None:
    ollama = ScriptedOllama()
    ollama.gate = asyncio.Event()
    async with agent_world(Asker(name="worker"), ollama=ollama, max_ollama_connections=1) as world:
        first = asyncio.create_task(ended(world))
        await ollama.arrivals(1)
        second = asyncio.create_task(ended(world, priority=Priority.HIGH))
        queue = world.host.pool.queue
        await wait_until(lambda: queue.waiting, what="the second task at the slot")
        assert queue.waiting_by_priority() == {"high": 1}
        ollama.gate.set()
        await asyncio.gather(first, second)


def test_the_retry_policy_of_the_settings_holds() -> None:
    assert Worker().settings.retry_policy == RetryPolicy(max_attempts=3)


def test_what_an_agent_logs_obeys_the_level_that_is_set_after_it_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("error")
    agent = BaseAgentV2(name="early")
    configure_logging("info")
    agent.logger.info("agent.heard", page=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert '"agent": "early"' in line
