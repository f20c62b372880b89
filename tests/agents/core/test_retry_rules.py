"""How often, how late and after which errors a task is tried again: its own word, its agent's, the settings'."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents import BaseAgentV2, Host, PermanentError
from agents.core.catalog import read_agent_file
from agents.core.markdown_agent import MarkdownAgent
from agents.core.settings import SettingsError, load_settings
from bus.errors import RetryableError
from bus.retry import LONGEST_WAIT_SECONDS, RetryPolicy
from schemas import EventKind, RetryRules, TaskEvent, TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import AgentWorld, Asker, agent_world, memory_url, settings_for
from tests.support.scripted_ollama import ScriptedOllama, busy, refusal

LAST_RUNG_MS = 900_000


class Raiser(BaseAgentV2):
    """Raises what a test puts there."""

    needs_model = False
    error: Exception = RetryableError("busy")

    def __init__(self) -> None:
        super().__init__(name="worker")

    async def process_task(self, _task: TaskMessage) -> object:
        raise self.error


class Odd(PermanentError):
    code = "odd"


class Patient(Raiser):
    """Tries again after `odd` alone, at the earliest after 40 s: on the rung of a minute."""

    max_attempts = 7
    retry = RetryRules(base=40, jitter=0, on=("odd",))
    error: Exception = Odd("very")


class Classy(Raiser):
    """Tries again after a LookupError alone."""

    error: Exception = KeyError("not yet there")

    @property
    def retry_policy(self) -> RetryPolicy:
        return replace(super().retry_policy, transient=(LookupError,), jitter=0)


@asynccontextmanager
async def retries(world: AgentWorld) -> AsyncIterator[AsyncIterator[TaskEvent]]:
    async with world.client.events(agent="worker", kind=EventKind.RETRYING) as events, asyncio.timeout(10):
        yield events


async def first_retry(agent: BaseAgentV2, ollama: ScriptedOllama | None = None, **fields: Any) -> TaskEvent:
    """Return what is told of the first retry of one task."""
    async with agent_world(agent, ollama=ollama) as world, retries(world) as events:
        await world.client.submit("worker", "Do it", **fields)
        return await anext(events)


async def ended(agent: BaseAgentV2, **fields: Any) -> TaskResult:
    async with agent_world(agent) as world:
        return await world.client.ask("worker", "Do it", timeout=10, **fields)


async def test_an_agent_s_class_says_after_which_errors_and_how_late_it_is_tried_again() -> None:
    told = await first_retry(Patient())
    assert (told.data["delay"], told.data["next_attempt"], told.data["error"]["code"]) == (60, 2, "odd")
    agent = Patient()
    agent.error = RetryableError("busy")
    result = await ended(agent)
    assert (result.status, result.attempt) == (TaskStatus.FAILED, 1)


def test_an_agent_s_class_says_how_often_it_is_tried_and_the_settings_say_the_rest() -> None:
    policy = Patient().retry_policy
    assert policy == replace(Raiser().retry_policy, max_attempts=7, base=40.0, jitter=0.0, codes=frozenset({"odd"}))


async def test_an_overridden_policy_chooses_errors_by_their_class() -> None:
    told = await first_retry(Classy())
    assert (told.data["delay"], told.data["error"]["code"]) == (1, "handler_error")
    agent = Classy()
    agent.error = RetryableError("busy")
    assert (await ended(agent)).status is TaskStatus.FAILED


async def test_a_task_s_own_rules_win_over_its_agent_s() -> None:
    told = await first_retry(Patient(), retry={"base": 200})
    assert told.data["delay"] == 300
    result = await ended(Patient(), max_attempts=1)
    assert (result.status, result.attempt) == (TaskStatus.FAILED, 1)
    assert (await ended(Patient(), retry={"on": ["other"]})).status is TaskStatus.FAILED


async def test_the_settings_reach_the_policy_of_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"MAX_ATTEMPTS": 9, "RETRY_BASE": 40, "RETRY_FACTOR": 2, "RETRY_CAP": 50, "RETRY_JITTER": 0}
    for name, value in given.items():
        monkeypatch.setenv(f"SUTAZAI_{name}", str(value))
    monkeypatch.setenv("SUTAZAI_MAX_REDELIVERIES", "2")
    wanted = RetryPolicy(max_attempts=9, base=40, factor=2, cap=50, jitter=0, max_redeliveries=2)
    assert load_settings(None).retry_policy == Raiser().retry_policy == wanted
    assert (await first_retry(Raiser())).data["delay"] == 60


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "worker.md"
    head = "max_attempts: 2\nretry: {base: 40, jitter: 0, on: [bad_model_request]}\ntask_timeout: 90"
    path.write_text(f"---\ndescription: Works\n{head}\n---\nYou work.")
    return path


async def test_a_markdown_file_says_how_its_agent_is_tried_again(file: Path) -> None:
    ollama = ScriptedOllama()
    ollama.script.append(refusal(400, "a bad prompt"))
    told = await first_retry(MarkdownAgent(read_agent_file(file)), ollama)
    assert (told.data["delay"], told.data["error"]["code"]) == (60, "bad_model_request")


def test_a_markdown_file_says_how_often_and_how_long(file: Path) -> None:
    agent = MarkdownAgent(read_agent_file(file))
    assert (agent.retry_policy.max_attempts, agent.task_timeout) == (2, 90)
    with pytest.raises(SettingsError, match=r"agent 'worker' cannot run: a task timeout of 90 s does not fit"):
        Host([agent], settings_for(memory_url(), consumer_timeout=100))


@pytest.mark.parametrize(
    ("status", "wish", "delay"), [(429, "3600", 3_600), (503, "3600", 3_600), (429, "1000000", LONGEST_WAIT_SECONDS)]
)
async def test_a_busy_model_server_s_wish_is_obeyed_up_to_a_day(status: int, wish: str, delay: float) -> None:
    ollama = ScriptedOllama()
    ollama.script.append(busy(status, wish))
    async with agent_world(Asker(name="worker"), ollama=ollama) as world, retries(world) as events:
        await world.client.submit("worker", "Hi")
        told = await anext(events)
        waiting = await world.client.broker.queue_info(world.client.topology.delay_queue(LAST_RUNG_MS))
    assert (told.data["delay"], told.data["error"]["code"]) == (delay, "model_overloaded")
    assert waiting is not None
    assert waiting.ready == 1


def test_a_class_with_an_impossible_policy_is_refused_by_its_agent_s_name() -> None:
    class Never(Raiser):
        max_attempts = 0

    with pytest.raises(SettingsError, match=r"agent 'worker' cannot run: RetryPolicy\.max_attempts is 0: it must be"):
        Host([Never()], settings_for(memory_url()))


@pytest.mark.parametrize(
    ("own", "of_settings", "told"),
    [
        (1_700.0, None, "a task timeout of 1700 s does not fit"),
        (None, 1_700.0, "a task timeout of 1700 s does not fit"),
        (0.0, None, "a task timeout of 0 s does not fit"),
        (-1.0, 60.0, "a task timeout of -1 s does not fit"),
    ],
)
def test_a_task_timeout_that_the_broker_would_not_wait_for_is_refused(
    own: float | None, of_settings: float | None, told: str
) -> None:
    agent = Raiser()
    agent.task_timeout = own
    with pytest.raises(SettingsError, match=rf"agent 'worker' cannot run: {told} .* \(SUTAZAI_CONSUMER_TIMEOUT\)"):
        Host([agent], settings_for(memory_url(), task_timeout=of_settings))


def test_an_agent_s_own_task_timeout_wins_over_the_settings() -> None:
    settings = settings_for(memory_url(), task_timeout=5_000, consumer_timeout=1_800)
    agent = Raiser()
    agent.task_timeout = 60.0
    assert Host([agent], settings).name == "host-1"
    assert settings.patience(60.0, "worker").attempt == 60
