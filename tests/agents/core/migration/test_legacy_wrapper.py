"""An agent of the first generation in the wrapper: results, state, threads, the model. No measured fault is left."""

import asyncio
import threading
from typing import Any

import pytest

from agents.core.base_agent_v2 import AgentStatus
from agents.core.migration.legacy_base import LegacyBaseAgent
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from schemas import TaskResult, TaskStatus, now
from tests.agents.core.migration.old_agents import Blocking, HalfAsync, Thermometer
from tests.support.agent_world import AgentWorld, agent_world, memory_url
from tests.support.scripted_ollama import ScriptedOllama, held
from tests.support.waiting import wait_until

LIMIT = 15.0


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


async def told(world: AgentWorld, kind: str, prompt: str = "x", **task: Any) -> TaskResult:
    (agent,) = world.host.agents
    return await world.client.ask(agent.name, prompt, type=kind, timeout=LIMIT, **task)


async def acquired(semaphore: threading.Semaphore) -> bool:
    return await asyncio.to_thread(semaphore.acquire, timeout=LIMIT)


async def test_init_runs_with_its_arguments_and_state_is_kept_between_tasks(amqp_url: str) -> None:
    wrapper = LegacyAgentWrapper(Thermometer, unit="K")
    async with agent_world(wrapper, amqp_url=amqp_url) as world:
        results = [await told(world, "measure", f"no {n}") for n in (1, 2)]
    assert [result.status for result in results] == [TaskStatus.COMPLETED] * 2
    assert [result.result for result in results] == [
        {"status": "success", "unit": "K", "count": n, "prompt": f"no {n}"} for n in (1, 2)
    ]
    assert (wrapper.name, wrapper.old.tasks_processed) == ("thermometer", 2)
    assert all(result.processing_time > 0 for result in results)


async def test_all_of_the_instance_runs_in_one_thread_that_is_not_the_loops() -> None:
    async with agent_world(LegacyAgentWrapper(Thermometer)) as world:
        results = [(await told(world, "where")).result for _ in range(3)]
    assert [result["own"] for result in results] == [True] * 3
    assert results[0]["thread"] != threading.get_ident()


@pytest.mark.parametrize(
    ("kind", "status", "result", "error"),
    [
        ("error", TaskStatus.FAILED, {"status": "error", "message": "no such sensor", "sensor": 7}, "no such sensor"),
        ("raising", TaskStatus.FAILED, None, "KeyError: 'sensor'"),
        ("leave", TaskStatus.FAILED, None, "SystemExit(3)"),
        ("stop_iteration", TaskStatus.FAILED, None, "StopIteration()"),
        ("nothing", TaskStatus.FAILED, None, "process_task returned None"),
        ("unknown", TaskStatus.FAILED, None, "no attribute 'unknown'"),
        ("text", TaskStatus.COMPLETED, "20 degrees", None),
    ],
)
async def test_what_old_code_returns_or_raises_is_the_result_and_nothing_of_it_is_tried_again(
    kind: str, status: TaskStatus, result: object, error: str | None
) -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    async with agent_world(wrapper) as world:
        ended = await told(world, kind)
    assert (ended.status, ended.result, ended.attempt) == (status, result, 1)
    assert error is None or error in str(ended.error)
    assert wrapper.statistics.failed == (status is TaskStatus.FAILED)


async def test_a_timeout_in_old_code_is_tried_again() -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    wrapper.max_attempts = 1
    async with agent_world(wrapper) as world:
        ended = await told(world, "late")
    assert ended.error is not None
    assert getattr(ended.error, "code", None) == "timeout"
    assert getattr(ended.error, "retryable", None) is True


async def test_a_task_is_a_dict_of_its_own_with_what_stands_in_data_beside_its_fields() -> None:
    async with agent_world(LegacyAgentWrapper(Thermometer)) as world:
        ended = await told(world, "change", data={"sensor": 3, "type": "other"})
    assert ended.result == {"status": "success", "sensor": 3, "missing": "never"}


async def test_sync_code_may_use_the_event_loop_of_its_thread() -> None:
    async with agent_world(LegacyAgentWrapper(Thermometer)) as world:
        assert (await told(world, "loop")).result == {"status": "success", "slept": "well"}


async def test_the_loop_goes_on_while_old_code_blocks_and_one_task_runs_at_a_time(amqp_url: str) -> None:
    wrapper = LegacyAgentWrapper(Blocking)
    async with (
        agent_world(wrapper, amqp_url=amqp_url, max_concurrent_tasks=5) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        tasks = [await world.client.submit("blocking", "x", type="hold") for _ in range(3)]
        assert await acquired(wrapper.old.started)
        wrapper.old.go.set()
        ended = {(await anext(results)).task_id for _ in tasks}
    assert ended == {task.id for task in tasks}
    assert (wrapper.old.most, wrapper.max_concurrent_tasks) == (1, 1)


async def test_more_at_once_only_where_the_wrapper_itself_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CONCURRENT_TASKS", "7")
    assert LegacyAgentWrapper(Blocking).max_concurrent_tasks == 1
    wrapper = LegacyAgentWrapper(Blocking, max_concurrent_tasks=2)
    async with agent_world(wrapper) as world, asyncio.timeout(LIMIT):
        for _ in range(2):
            await world.client.submit("blocking", "x", type="hold")
        assert await acquired(wrapper.old.started)
        assert await acquired(wrapper.old.started)
        wrapper.old.go.set()
    assert wrapper.old.most == 2


async def test_a_cancelled_task_ends_at_once_with_its_request_and_the_next_waits_for_the_thread(amqp_url: str) -> None:
    ollama = ScriptedOllama()
    endless, body = held("Once")
    ollama.script.append(endless)
    wrapper = LegacyAgentWrapper(Thermometer)
    async with (
        agent_world(wrapper, ollama=ollama, amqp_url=amqp_url) as world,
        world.client.results() as results,
        asyncio.timeout(LIMIT),
    ):
        unwanted = await world.client.submit("thermometer", "x", type="ask_and_catch")
        await ollama.arrivals(1)
        await world.client.cancel(unwanted.id)
        await body.closed.wait()
        assert ((await anext(results)).task_id) == unwanted.id
        assert (await told(world, "measure")).status is TaskStatus.COMPLETED


async def test_a_thread_that_runs_on_gets_no_second_task_and_who_waits_for_it_has_used_no_attempt() -> None:
    wrapper = LegacyAgentWrapper(Blocking)
    async with agent_world(wrapper) as world, world.client.results() as results, asyncio.timeout(LIMIT):
        unwanted = await world.client.submit("blocking", "x", type="hold")
        assert await acquired(wrapper.old.started)
        await world.client.cancel(unwanted.id)
        assert (await anext(results)).status is TaskStatus.CANCELLED
        following = await world.client.submit("blocking", "y")
        (consumer,) = world.host.consumers
        await wait_until(lambda: consumer.waiting == 1, what="the next task to wait for the thread")
        wrapper.old.go.set()
        assert (await anext(results)).task_id == following.id
    assert wrapper.old.most == 1


async def test_an_agent_whose_threads_all_hang_is_not_healthy_and_says_how_many_and_since_when() -> None:
    def hanging() -> tuple[bool, int, bool]:
        health = wrapper.health(world.host.pool, ollama_healthy=True)
        since = health["hanging_since"]
        return health["healthy"], health["hanging_threads"], since is not None and before < since < now().isoformat()

    wrapper, before = LegacyAgentWrapper(Blocking, max_concurrent_tasks=2), now().isoformat()
    async with agent_world(wrapper) as world, world.client.results() as results, asyncio.timeout(LIMIT):
        assert hanging() == (True, 0, False)
        for number in (1, 2):
            unwanted = await world.client.submit("blocking", "x", type="hold")
            assert await acquired(wrapper.old.started)
            assert hanging()[1] == number - 1  # being busy is not being ill
            await world.client.cancel(unwanted.id)
            await anext(results)
            assert hanging() == (number < 2, number, True)
        wrapper.old.go.set()
        await wait_until(lambda: hanging() == (True, 0, False), what="the threads to end")


async def test_a_host_stops_though_a_thread_never_ends() -> None:
    wrapper = LegacyAgentWrapper(Blocking)
    async with asyncio.timeout(LIMIT):
        async with agent_world(wrapper, grace_period=0.05) as world:
            await world.client.submit("blocking", "x", type="hold")
            assert await acquired(wrapper.old.started)
            await world.host.stop()
    assert wrapper.status is AgentStatus.STOPPED
    assert wrapper.old.running == 1
    wrapper.old.go.set()
    assert await acquired(wrapper.old.ended)


async def test_an_async_process_task_runs_in_the_threads_own_loop_and_may_query_there() -> None:
    async with agent_world(LegacyAgentWrapper(HalfAsync)) as world:
        results = [(await told(world, "default")).result for _ in range(2)]
    assert results == [{"status": "success", "answers": ["ok", "ok"], "loops": 1}] * 2


async def test_an_async_process_task_is_cancelled_with_its_task() -> None:
    wrapper = LegacyAgentWrapper(HalfAsync)
    async with agent_world(wrapper) as world:
        async with world.client.results() as results, asyncio.timeout(LIMIT):
            unwanted = await world.client.submit("half-async", "x", type="wait")
            await wait_until(lambda: wrapper.old.loops, what="the task to begin")
            await world.client.cancel(unwanted.id)
            assert (await anext(results)).status is TaskStatus.CANCELLED
        assert await asyncio.to_thread(wrapper.old.cancelled.wait, LIMIT)
        assert (await told(world, "default")).status is TaskStatus.COMPLETED


async def test_is_running_is_true_while_the_host_runs_as_in_its_own_loop() -> None:
    wrapper = LegacyAgentWrapper(Thermometer)
    assert wrapper.old.is_running is False
    async with agent_world(wrapper):
        assert wrapper.old.is_running is True
    assert wrapper.old.is_running is False


def test_what_init_raises_reaches_whoever_makes_the_wrapper() -> None:
    class Broken(LegacyBaseAgent):
        def __init__(self) -> None:
            raise LookupError("no disk")

    with pytest.raises(LookupError, match="no disk"):
        LegacyAgentWrapper(Broken)


def test_run_of_an_old_agent_runs_it_wrapped_in_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[LegacyAgentWrapper] = []

    def run(self: LegacyAgentWrapper) -> None:
        ran.append(self)

    monkeypatch.setattr(LegacyAgentWrapper, "run", run)
    agent = Thermometer()
    agent.run()
    assert ran[0].old is agent
