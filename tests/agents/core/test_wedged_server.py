"""A model server that accepts requests and never answers them: found out by timeouts, and waited out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from agents import BaseAgentV2, CircuitState, Host
from agents.core.model.breaker import breaker_of
from agents.core.ollama_pool import OllamaConnectionPool
from schemas import TaskError, TaskMessage, TaskResult, TaskStatus
from tests.support.agent_world import AgentWorld, Asker, connected_client, memory_url, settings_for
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until

PATIENCE_SECONDS = 0.5
"""For one try. A healthy scripted server answers in a few milliseconds."""


@dataclass
class Watched(AgentWorld):
    """A world whose results are listened to from the start."""

    results: AsyncIterator[TaskResult]

    async def submitted(self, count: int, **fields: Any) -> list[str]:
        """Submit so many tasks and return their ids."""
        return [(await self.client.submit("asker", f"question {n}", **fields)).id for n in range(count)]

    async def ended(self, count: int) -> dict[str, TaskResult]:
        """Return the next results, by task."""
        return {result.task_id: result for result in [await anext(self.results) for _ in range(count)]}

    async def paused(self) -> None:
        """Wait until the host has paused its agent and holds nothing."""
        (consumer,) = self.host.consumers
        await wait_until(lambda: (consumer.state, consumer.held) == ("paused", 0), timeout=30, what="the pause")


class AskerInAThread(BaseAgentV2):
    """Asks the model as agents of the first version do."""

    async def process_task(self, task: TaskMessage) -> str:
        """Return the model's answer to the prompt."""
        return str(await asyncio.to_thread(self.query_ollama_sync, task.prompt or ""))


@asynccontextmanager
async def asking(ollama: ScriptedOllama, agent: type[BaseAgentV2] = Asker, **given: Any) -> AsyncIterator[Watched]:
    """Run one agent in front of a server that gets half a second for an answer."""
    settings = settings_for(memory_url(), **{"breaker_recovery": 0.2} | given)
    pool = OllamaConnectionPool(
        "http://scripted",
        request_timeout=PATIENCE_SECONDS,
        max_retries=1,
        breaker=breaker_of(settings, "model"),
        transport=ollama.transport,
    )
    async with (
        connected_client(settings) as client,
        client.results() as results,
        Host([agent(name="asker")], settings, pool=pool) as host,
        asyncio.timeout(30),
    ):
        yield Watched(host, client, ollama, results)


def heal(ollama: ScriptedOllama) -> None:
    for held in (ollama.gate, ollama.silence):
        if held is not None:
            held.set()
    ollama.gate = ollama.silence = None


def wedge(ollama: ScriptedOllama, *, lists_models: bool) -> None:
    if lists_models:
        ollama.gate = asyncio.Event()
    else:
        ollama.silence = asyncio.Event()


@pytest.mark.parametrize("lists_models", [True, False], ids=["it still answers /api/tags", "it answers nothing"])
async def test_timeouts_open_the_breaker_the_tasks_wait_and_all_complete_once_it_heals(*, lists_models: bool) -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=lists_models)
    async with asking(ollama) as world:
        tasks = await world.submitted(8)
        await world.paused()
        breaker = world.host.pool.breaker
        trips = breaker.get_stats()["trip_count"]
        await wait_until(lambda: breaker.get_stats()["trip_count"] > trips, what="a probe that failed")
        assert world.host.consumers[0].state == "paused"
        assert not world.host.consumers[0].ended
        heal(ollama)
        results = await world.ended(8)
    assert results.keys() == set(tasks)
    assert {result.status for result in results.values()} == {TaskStatus.COMPLETED}
    assert breaker.state is CircuitState.CLOSED


async def test_a_wedged_server_costs_no_attempt() -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama) as world:
        await world.submitted(8)
        await world.paused()
        heal(ollama)
        ends = {(result.status, result.attempt) for result in (await world.ended(8)).values()}
        assert ends == {(TaskStatus.COMPLETED, 1)}


async def test_a_task_alone_survives_a_wedged_server() -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama) as world:
        (task,) = await world.submitted(1)
        await world.paused()
        heal(ollama)
        result = (await world.ended(1))[task]
        assert (result.status, result.attempt) == (TaskStatus.COMPLETED, 1)


async def test_one_task_and_one_token_tell_that_a_server_is_wedged() -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama, breaker_failures=5, breaker_recovery=60) as world:
        await world.submitted(1)
        await world.paused()
        assert [body["options"].get("num_predict") == 1 for body in ollama.asked("/api/generate")] == [False, True]


@pytest.mark.parametrize("limit", [0.2, 0.8], ids=["in the try", "while the witness is asked"])
@pytest.mark.parametrize("agent", [Asker, AskerInAThread])
async def test_an_attempt_s_own_limit_that_ends_it_at_a_wedged_server_costs_no_attempt(
    agent: type[BaseAgentV2], limit: float
) -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama, agent, task_timeout=limit, breaker_failures=100) as world:
        await world.submitted(4, max_attempts=1)
        await world.paused()
        heal(ollama)
        results = (await world.ended(4)).values()
        assert {(result.status, result.attempt, result.history) for result in results} == {
            (TaskStatus.COMPLETED, 1, ())
        }


async def test_one_attempt_s_limit_and_one_token_tell_that_a_server_is_wedged() -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama, task_timeout=0.2, breaker_failures=5, breaker_recovery=60) as world:
        await world.submitted(1)
        await world.paused()
        assert [body["options"].get("num_predict") == 1 for body in ollama.asked("/api/generate")] == [False, True]


async def test_a_deadline_that_passes_at_a_wedged_server_is_one_and_has_the_server_found_out() -> None:
    ollama = ScriptedOllama()
    wedge(ollama, lists_models=True)
    async with asking(ollama, breaker_failures=5, breaker_recovery=60) as world:
        (task,) = await world.submitted(1, timeout=0.2)
        assert (await world.ended(1))[task].status is TaskStatus.EXPIRED
        await world.paused()
        assert world.host.pool.breaker.state is CircuitState.OPEN


async def only_the_endless_fails(world: Watched, code: str) -> None:
    """Check that the first of four tasks fails with `code` after its two attempts, and that the others complete."""
    endless, *others = await world.submitted(4, max_attempts=2)
    results = await world.ended(4)
    assert {results[task].status for task in others} == {TaskStatus.COMPLETED}
    assert (results[endless].status, results[endless].attempt) == (TaskStatus.FAILED, 2)
    error = results[endless].error
    assert isinstance(error, TaskError)
    assert error.code == code
    assert world.host.pool.breaker.get_stats()["trip_count"] == 0


async def test_an_attempt_s_own_limit_at_a_server_that_answers_others_uses_an_attempt() -> None:
    async with asking(EndlessFor("question 0"), task_timeout=0.3) as world:
        await only_the_endless_fails(world, "timeout")


async def test_a_task_whose_answer_is_too_long_uses_its_attempts_and_the_others_go_on() -> None:
    async with asking(EndlessFor("question 0")) as world:
        await only_the_endless_fails(world, "model_timeout")


async def test_tasks_that_are_all_too_long_do_not_come_for_ever_though_they_open_the_breaker() -> None:
    async with asking(EndlessFor("question"), breaker_failures=1) as world:
        await world.submitted(3, max_attempts=1)
        results = await world.ended(3)
        assert {result.status for result in results.values()} == {TaskStatus.FAILED}
        assert world.host.pool.breaker.get_stats()["trip_count"] > 0
        await wait_until(lambda: world.host.consumers[0].state == "consuming", what="the resumption")


class EndlessFor(ScriptedOllama):
    """Never ends its answer to one prompt."""

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self._prompt = prompt

    @property
    def transport(self) -> httpx.MockTransport:
        usual = super().transport

        async def handle(request: httpx.Request) -> httpx.Response:
            if self._prompt.encode() in request.content:
                await asyncio.Event().wait()
            return await usual.handle_async_request(request)

        return httpx.MockTransport(handle)
