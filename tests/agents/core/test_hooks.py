"""on_start and on_stop of a host's agents."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents import AgentStatus, BaseAgentV2, Host
from agents.core import hooks as hooks_module
from agents.core.exit_codes import ExitCode, exit_code_of
from agents.core.hooks import StartFailed
from agents.core.model.errors import ModelError
from bus.errors import BrokerUnreachable, TopologyError
from schemas import TaskMessage
from tests.support.agent_world import agent_world, memory_url, scripted_pool, settings_for
from tests.support.errors import WordlessError
from tests.support.program import ended
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until

LIMIT = 20.0


class Hooked(BaseAgentV2):
    """Notes what happens to it; `acts` are what its hooks do besides."""

    def __init__(self, name: str = "hooked", notes: list[str] | None = None, **acts: Callable[["Hooked"], Any]) -> None:
        super().__init__(name=name)
        self.notes = [] if notes is None else notes
        self.acts = acts

    async def on_start(self) -> None:
        await self._do("on_start")

    async def on_stop(self) -> None:
        await self._do("on_stop")

    async def process_task(self, _task: TaskMessage) -> str:
        self.notes.append(f"{self.name} task")
        return "done"

    async def _do(self, hook: str) -> None:
        self.notes.append(f"{self.name} {hook}")
        if hook in self.acts:
            await self.acts[hook](self)


async def for_ever(_agent: Hooked) -> None:
    await asyncio.Event().wait()


def raising(error: Exception) -> Callable[[Hooked], Any]:
    async def act(_agent: Hooked) -> None:
        raise error

    return act


async def started(*agents: BaseAgentV2, amqp_url: str | None = None, **given: Any) -> None:
    """Start and end a host."""
    async with agent_world(*agents, amqp_url=amqp_url, **given):
        pass


async def test_a_hook_runs_before_the_first_task_and_one_after_the_last() -> None:
    async def until_three_wait(agent: Hooked) -> None:
        assert agent.status is AgentStatus.REGISTERING
        await agent.bus.broker.declare(agent.settings.topology.agent("hooked"))
        for _ in range(3):
            await agent.bus.submit("hooked", "early")

    agent = Hooked(on_start=until_three_wait)
    async with agent_world(agent) as world, asyncio.timeout(LIMIT):
        await world.client.ask("hooked", "Hi", timeout=LIMIT)
        await world.host.stop()
        assert agent.notes == ["hooked on_start", *["hooked task"] * 4]
    assert agent.notes[5:] == ["hooked on_stop"]


async def test_hooks_may_ask_the_model_while_its_pool_is_open() -> None:
    async def ask(agent: Hooked) -> None:
        agent.notes.append(await agent.query_ollama("Hi"))

    agent, ollama = Hooked(on_start=ask, on_stop=ask), ScriptedOllama()
    await started(agent, ollama=ollama)
    assert agent.notes == ["hooked on_start", "ok", "hooked on_stop", "ok"]


async def test_the_hooks_of_131_agents_run_at_the_same_time_and_once_each() -> None:
    notes: list[str] = []
    all_here = asyncio.Barrier(131)

    async def meet(_agent: Hooked) -> None:
        await all_here.wait()

    agents = [Hooked(f"a-{number}", notes, on_start=meet, on_stop=meet) for number in range(131)]
    async with asyncio.timeout(LIMIT):
        await started(*agents)
    assert sorted(notes) == sorted(f"{agent.name} {hook}" for agent in agents for hook in ("on_start", "on_stop"))


async def test_a_start_that_fails_ends_the_host_with_one_sentence_and_every_agent_in_error() -> None:
    broken = Hooked("broken", on_start=raising(FileNotFoundError("no index at /data")))
    other = Hooked("other", on_start=for_ever)
    with pytest.raises(StartFailed) as failed:
        await started(broken, other)
    assert str(failed.value) == (
        "agent 'broken' did not start: its on_start raised FileNotFoundError: no index at /data"
    )
    assert (broken.notes, other.notes) == (["broken on_start", "broken on_stop"], ["other on_start", "other on_stop"])
    assert {broken.status, other.status} == {AgentStatus.ERROR}
    assert exit_code_of(failed.value) is ExitCode.UNEXPECTED


async def test_a_model_that_is_away_at_the_start_ends_the_program_with_one_line() -> None:
    program = """
from agents import BaseAgentV2

class Warm(BaseAgentV2):
    async def on_start(self):
        await self.query_ollama("Hi")

Warm().run()
"""
    env = {"AMQP_URL": "memory://", "OLLAMA_URL": "http://127.0.0.1:9", "SUTAZAI_START_TIMEOUT": "20"}
    code, said = await ended(sys.executable, "-c", program, env=env)
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: agent 'warm' did not start: its on_start raised ")
    assert "http://127.0.0.1:9" in line
    assert (code, "Traceback" in said.err) == (ExitCode.MODEL, False)


@pytest.mark.parametrize(
    ("error", "code"),
    [(ModelError("no model"), ExitCode.MODEL), (BrokerUnreachable("gone"), ExitCode.BROKER_UNREACHABLE)],
)
async def test_a_failed_start_has_the_exit_code_of_its_reason(error: Exception, code: ExitCode) -> None:
    with pytest.raises(StartFailed) as failed:
        await started(Hooked(on_start=raising(error)))
    assert exit_code_of(failed.value) is code


async def test_a_start_that_waits_for_ever_ends_in_time_and_says_what_to_set() -> None:
    agent = Hooked(on_start=for_ever)
    with pytest.raises(
        StartFailed, match=r"its on_start was not done within 0\.1 s; raise SUTAZAI_START_TIMEOUT"
    ) as late:
        await started(agent, start_timeout=0.1)
    assert exit_code_of(late.value) is ExitCode.TIMED_OUT
    assert agent.notes == ["hooked on_start", "hooked on_stop"]


async def test_a_start_that_cancels_itself_is_a_failed_one() -> None:
    async def give_up(_agent: Hooked) -> None:
        raise asyncio.CancelledError

    with pytest.raises(StartFailed, match="its on_start raised RuntimeError: its own cancellation"):
        await started(Hooked(on_start=give_up), start_timeout=LIMIT)


async def test_a_start_that_fails_later_runs_the_last_hook_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_self: object) -> None:
        raise TopologyError("the queue differs")

    monkeypatch.setattr("bus.consumer.Consumer.__aenter__", refuse)
    agent = Hooked()
    with pytest.raises(TopologyError):
        await started(agent)
    assert agent.notes == ["hooked on_start", "hooked on_stop"]


async def test_without_a_broker_no_hook_runs() -> None:
    agent = Hooked()
    with pytest.raises(BrokerUnreachable):
        async with Host([agent], settings_for("amqp://127.0.0.1:9/", connect_timeout=0.2)):
            pytest.fail("nobody listens there")
    assert agent.notes == []


async def test_a_host_cancelled_at_its_start_runs_the_last_hook() -> None:
    agent, waiting = Hooked(on_start=for_ever), settings_for(memory_url())

    async def start() -> None:
        async with Host([agent], waiting, pool=scripted_pool(ScriptedOllama(), waiting)):
            pytest.fail("it never starts")

    starting = asyncio.create_task(start())
    async with asyncio.timeout(LIMIT):
        await wait_until(lambda: agent.notes, what="its on_start")
        starting.cancel()
        await asyncio.wait([starting])
    assert starting.cancelled()
    assert agent.notes == ["hooked on_start", "hooked on_stop"]


async def test_what_goes_wrong_at_the_end_is_logged_and_keeps_nobody_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hooks_module, "LEAST_STOP_SECONDS", 0.2)
    broken = Hooked("broken", on_stop=raising(OSError("disk full")))
    odd = Hooked("odd", on_stop=raising(WordlessError()))
    late, good = Hooked("late", on_stop=for_ever), Hooked("good")
    with capture_logs() as logs:
        await started(broken, odd, late, good, grace_period=0)
    told = {line["agent"]: line["reason"] for line in logs if line["event"] == "agent.stop_failed"}
    assert told == {
        "broken": "OSError: disk full",
        "odd": "WordlessError: str() of this WordlessError failed",
        "late": "on_stop was not done within 0.2 s",
    }
    assert good.notes[-1] == "good on_stop"
    assert good.status is AgentStatus.STOPPED


async def test_the_last_hook_has_what_is_left_of_the_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "LEAST_STOP_SECONDS", 0.0)
    let_go = asyncio.Event()

    async def wait(agent: Hooked) -> None:
        await let_go.wait()
        agent.notes.append("cleaned up")

    agent = Hooked(on_stop=wait)
    async with agent_world(agent, grace_period=LIMIT) as world:
        await world.host.stop()
        asyncio.get_running_loop().call_later(0.1, let_go.set)
    assert agent.notes[-1] == "cleaned up"


async def test_a_hook_that_does_not_want_to_end_does_not_hold_up_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "UNWILLING_SECONDS", 0.05)
    let_go = asyncio.Event()

    async def insist(_agent: Hooked) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(StartFailed, match=r"not done within 0\.05 s"):
        await started(Hooked(on_start=insist), start_timeout=0.05)
    let_go.set()
    await asyncio.sleep(0)


class SyncStart(BaseAgentV2):
    def on_start(self) -> None:  # type: ignore[override] # the mistake itself
        pass


class SyncStop(BaseAgentV2):
    def on_stop(self) -> None:  # type: ignore[override] # the mistake itself
        pass


async def test_a_hook_that_is_not_async_is_told_with_the_remedy() -> None:
    with capture_logs() as logs:
        with pytest.raises(StartFailed, match=r"on_start is not async: write `async def on_start\(self\)`"):
            await started(SyncStart(name="old"))
        await started(SyncStop(name="old"))
    told = [line["reason"] for line in logs if line["event"] == "agent.stop_failed"]
    assert told == ["TypeError: on_stop is not async: write `async def on_stop(self)`"]
