"""What an operator pauses takes no task until the operator resumes it, whatever the model server does meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.operator_pause import is_by_operator, reason_of
from bus.broker import ConsumerState
from bus.orders import say
from bus.pauses import SEPARATOR, Cause
from schemas import AgentReport, DrainHost, Order, PauseAgents, Report, ReportKind, ResumeAgents, TaskStatus
from tests.support.agent_world import AgentWorld, Asker, Gate, Holder, agent_world
from tests.support.tripping import trip
from tests.support.waiting import wait_until

SELDOM: dict[str, Any] = {"health_check_interval": 60, "breaker_recovery": 60}
OUTAGE = "the model server does not answer"


async def tell(world: AgentWorld, order: Order) -> None:
    await say(world.client.broker, world.client.topology, order)


async def until_reason(world: AgentWorld, reason: str | None, agent: int = 0) -> None:
    consumer = world.host.consumers[agent]
    await wait_until(lambda: consumer.reason == reason, what=f"the reason {reason!r}")


async def until_told(reports: AsyncIterator[Report], is_wanted: Callable[[AgentReport], bool]) -> AgentReport:
    async with asyncio.timeout(10):
        async for report in reports:
            if isinstance(report, AgentReport) and is_wanted(report):
                return report
    raise AssertionError("the reports ended")


async def test_a_paused_agent_takes_no_task_and_uses_no_attempt_until_it_is_resumed() -> None:
    gate = Gate()
    async with (
        agent_world(Holder(gate), Holder(Gate(), "other"), **SELDOM) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
        world.client.results() as results,
        asyncio.timeout(20),
    ):
        running = await world.client.submit("holder", "running")
        await gate.next()
        await tell(world, PauseAgents(agent="holder", reason="new model"))
        told = await until_told(reports, lambda report: report.consumer == "paused")
        assert (told.agent, told.reason) == ("holder", "operator: new model")
        waiting = await world.client.submit("holder", "waiting")
        gate.leave.set()
        first = await anext(results)
        info = await world.client.broker.queue_info(world.client.topology.task_queue("holder"))
        assert info is not None
        assert (first.task_id, info.ready, info.consumers) == (running.id, 1, 0)
        assert world.host.consumers[1].reason is None
        await tell(world, ResumeAgents(agent="holder"))
        second = await anext(results)
    assert (second.task_id, second.status, second.attempt) == (waiting.id, TaskStatus.COMPLETED, 1)


async def test_the_end_of_an_outage_does_not_resume_what_the_operator_has_paused() -> None:
    async with agent_world(Asker(name="asker"), **SELDOM | {"breaker_recovery": 0.05}) as world:
        await tell(world, PauseAgents())
        await until_reason(world, "operator")
        world.ollama.gate = asyncio.Event()  # the probe waits here
        trip(world.host.pool.breaker)
        await until_reason(world, f"operator; {OUTAGE}")
        world.ollama.gate.set()
        await until_reason(world, "operator")
        assert world.host.consumers[0].state == "paused"
        await tell(world, ResumeAgents())
        assert (await world.client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED


async def test_the_operator_does_not_resume_what_an_outage_has_paused() -> None:
    async with (
        agent_world(Asker(name="asker"), **SELDOM) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
    ):
        trip(world.host.pool.breaker)
        await until_reason(world, OUTAGE)
        await tell(world, PauseAgents(reason="x"))
        await until_told(reports, lambda report: report.reason == f"operator: x; {OUTAGE}")
        await tell(world, ResumeAgents())
        told = await until_told(reports, lambda report: not is_by_operator(report.reason))
        assert (told.consumer, told.reason) == ("paused", OUTAGE)
        assert world.host.consumers[0].state == "paused"


async def test_a_resume_of_what_is_not_paused_is_told_and_changes_nothing() -> None:
    async with agent_world(Asker(name="asker"), **SELDOM) as world:
        consumer, told = world.host.consumers[0], list[ConsumerState]()
        consumer.on_state = told.append
        await tell(world, ResumeAgents())
        await wait_until(lambda: told, what="the word of the consumer")
        assert told == [ConsumerState.CONSUMING]
        assert (await world.client.ask("asker", "Hi", timeout=10)).status is TaskStatus.COMPLETED


async def test_an_order_for_another_host_is_not_obeyed() -> None:
    async with agent_world(Asker(name="asker"), Asker(name="other"), **SELDOM) as world:
        await tell(world, PauseAgents(host="host-2", reason="not here"))
        await tell(world, PauseAgents(agent="other", host="host-1", reason="here"))
        await until_reason(world, "operator: here", agent=1)
        assert world.host.consumers[0].reason is None


async def test_agents_that_share_a_bound_are_told_as_paused_and_take_tasks_again_after_it() -> None:
    agents = [Asker(name=name, max_concurrent_tasks=3) for name in ("one", "two")]
    async with (
        agent_world(*agents, max_ollama_connections=1, **SELDOM) as world,
        world.client.reports(kind=ReportKind.AGENT) as reports,
    ):
        await tell(world, PauseAgents())
        told = {(await until_told(reports, lambda report: report.reason == "operator")).agent for _ in range(2)}
        assert told == {"one", "two"}
        task = await world.client.submit("one", "Hi")
        async with world.client.results() as results, asyncio.timeout(10):
            await tell(world, ResumeAgents())
            assert (await world.client.ask("two", "Hi")).status is TaskStatus.COMPLETED
            assert {(await anext(results)).task_id for _ in range(2)} >= {task.id}


@pytest.mark.parametrize("word", [PauseAgents(reason="x"), ResumeAgents()])
async def test_a_stopping_host_takes_no_task_again_for_an_operators_word(word: PauseAgents | ResumeAgents) -> None:
    async with agent_world(Asker(name="asker"), **SELDOM) as world:
        await world.host.stop()
        await tell(world, word)
        await world.client.submit("asker", "Hi")
        await tell(world, DrainHost(host="host-1"))
        await world.host.serve()  # the order to drain has come, and those before it
        assert world.host.consumers[0].reason == "stopping"
        info = await world.client.broker.queue_info(world.client.topology.task_queue("asker"))
        assert info is not None
        assert (info.ready, info.consumers) == (1, 0)


async def test_a_drained_host_stops_in_order_and_only_the_one_that_is_named() -> None:
    gate = Gate()
    async with agent_world(Holder(gate), grace_period=10, **SELDOM) as world, asyncio.timeout(20):
        serving = asyncio.create_task(world.host.serve(), name="test:serve")
        async with world.client.results() as results:
            task = await world.client.submit("holder", "running")
            await gate.next()
            await tell(world, DrainHost(host="host-2"))
            await tell(world, PauseAgents())
            await until_reason(world, "operator")
            assert not serving.done()
            await tell(world, DrainHost(host="host-1", reason="kernel update"))
            await until_reason(world, "stopping; operator")
            gate.leave.set()
            assert (await anext(results)).task_id == task.id
        await serving


@given(st.text(), st.none() | st.just("the model server; does not answer"))
def test_the_reason_of_an_operators_pause_is_known_among_others(reason: str, other: str | None) -> None:
    told = reason_of(PauseAgents(reason=reason or None))
    assert told.startswith(Cause.OPERATOR)
    assert is_by_operator(SEPARATOR.join(filter(None, (told, other))))
    assert not is_by_operator(other)
    assert not is_by_operator("operators of the machine sleep")
