"""What the coordinator is told, and that it may be away, slow or wrong without any harm."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from agents import BaseAgentV2
from agents.core.coordinator import client as client_module
from agents.core.coordinator import coordinator as coordinator_module
from agents.core.coordinator.client import CoordinatorClient
from agents.core.coordinator.coordinator import CALLERS, Coordinator
from agents.core.coordinator.messages import COMPLETE, HEARTBEAT, REGISTER
from agents.core.log import configure_logging
from bus.ending import AGAIN_SECONDS
from schemas import TaskResult, TaskStatus
from tests.support.scripted_coordinator import Call, ScriptedCoordinator, Timeline, settle

INTERVAL = 30.0


def health_of(agent: BaseAgentV2) -> dict[str, Any]:
    return {"agent_name": agent.name, "status": "active", "healthy": True, "tasks_processed": 7}


def agents(count: int) -> list[BaseAgentV2]:
    return [BaseAgentV2(name=f"agent-{number:03}") for number in range(count)]


def result(number: int = 1, text: str = "done") -> TaskResult:
    return TaskResult(task_id=f"task-{number}", status=TaskStatus.COMPLETED, result=text, agent="agent-000")


@dataclass
class Told:
    """A coordinator at work, whom it tells, and the time of both."""

    coordinator: Coordinator
    server: ScriptedCoordinator
    time: Timeline


@asynccontextmanager
async def telling(
    staff: Iterable[BaseAgentV2] | None = None,
    script: Callable[[Call], int | Exception] | None = None,
    *,
    health: Callable[[BaseAgentV2], dict[str, Any]] = health_of,
    url: str = "http://coordinator",
) -> AsyncIterator[Told]:
    """Tell a scripted coordinator of agents; a pause before a further try has its full length."""
    time = Timeline()
    server = ScriptedCoordinator(time)
    server.script = script or server.script
    client = CoordinatorClient(url, transport=server.transport)
    team = agents(1) if staff is None else list(staff)
    coordinator = Coordinator(client, team, health, interval=INTERVAL, clock=time, sleep=time.sleep, draw=lambda: 1.0)
    async with coordinator:
        await settle()
        yield Told(coordinator, server, time)


def events(logs: Iterable[Any], *names: str) -> list[str]:
    return [line["event"] for line in logs if line["event"].startswith("coordinator.") and line["event"] in names]


PRESENCE = ("coordinator.silent", "coordinator.answers")


async def test_an_agent_registers_with_all_that_is_asked_for() -> None:
    class Invoices(BaseAgentV2):
        capabilities = ("invoices", "reminders")

    async with telling([Invoices(name="invoices", max_concurrent_tasks=5)]) as told:
        body = told.server.to(REGISTER)[0].body
    assert datetime.fromisoformat(body.pop("timestamp")).tzinfo is not None
    assert body == {
        "agent_name": "invoices",
        "agent_type": "general",
        "agent_version": Invoices(name="x").agent_version,
        "capabilities": ["invoices", "reminders"],
        "status": "initializing",
        "model": "tinyllama",
        "max_concurrent_tasks": 5,
    }


async def test_all_agents_register_at_once_but_a_few_at_a_time() -> None:
    async with telling(agents(131)) as told:
        names = [call.agent for call in told.server.to(REGISTER)]
        assert set(names) == {f"agent-{number:03}" for number in range(131)}
        assert told.time.now == 1000.0
        assert told.server.most <= CALLERS


async def test_a_slow_coordinator_is_asked_by_a_few_at_a_time() -> None:
    async with telling(agents(131)) as told:
        told.server.gate.clear()
        await told.time.advance(INTERVAL)
        assert told.server.running == CALLERS
        told.server.gate.set()


async def test_each_agent_sends_its_health_once_in_an_interval_and_no_two_at_once() -> None:
    async with telling(agents(10)) as told:
        already = len(told.server.to(HEARTBEAT))
        for _ in range(3):
            await told.time.advance(INTERVAL)
        beats = told.server.to(HEARTBEAT)[already:]
    assert sorted(call.agent for call in beats) == sorted([f"agent-{n:03}" for n in range(10)] * 3)
    assert [call.at - 1000 for call in beats] == pytest.approx([1.5 + 3 * n for n in range(30)])
    assert beats[0].body == health_of(agents(1)[0])


async def test_an_agent_that_the_coordinator_has_forgotten_registers_again() -> None:
    async with telling(agents(2)) as told:
        await told.time.advance(INTERVAL)
        before = len(told.server.to(REGISTER))
        told.server.script = lambda call: 404 if call.path == HEARTBEAT and call.agent == "agent-001" else 200
        await told.time.advance(INTERVAL)
        again = told.server.to(REGISTER)[before:]
    assert [call.agent for call in again] == ["agent-001"]


async def test_a_completion_is_the_result_as_the_bus_has_it() -> None:
    async with telling() as told:
        told.coordinator.completed(result())
        await settle()
        (call,) = told.server.to(COMPLETE)
    assert call.headers["content-type"] == "application/json"
    assert TaskResult.model_validate(call.body).model_dump(exclude={"timestamp"}) == result().model_dump(
        exclude={"timestamp"}
    )


@pytest.mark.parametrize(
    "absence",
    [500, 503, 429, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")],
    ids=str,
)
async def test_an_absent_coordinator_is_asked_ever_more_rarely_and_told_of_in_one_line(
    absence: int | Exception,
) -> None:
    staff = agents(9)
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(staff, lambda _: absence) as told:
            await told.time.advance(300)
            tries = [call.at - 1000 for call in told.server.calls]
            assert tries == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
            told.server.script = lambda _: 200
            await told.time.advance(60)
            assert {call.agent for call in told.server.to(REGISTER)} == {agent.name for agent in staff}
    assert events(logs, *PRESENCE) == ["coordinator.silent", "coordinator.answers"]


async def test_after_an_absence_all_register_anew_and_the_completions_of_it_are_told() -> None:
    staff = agents(20)
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(staff) as told:
            told.server.script = lambda _: 503
            for number in range(3):
                told.coordinator.completed(result(number))
            await told.time.advance(20)
            registered = len(told.server.to(REGISTER))
            assert told.server.to(COMPLETE) == []
            told.server.script = lambda _: 200
            await told.time.advance(60)
            again = {call.agent for call in told.server.to(REGISTER)[registered:]}
            assert again == {agent.name for agent in staff}
            assert [call.body["task_id"] for call in told.server.to(COMPLETE)] == ["task-0", "task-1", "task-2"]
    assert events(logs, *PRESENCE) == ["coordinator.answers", *PRESENCE]


async def test_completions_of_a_long_absence_take_a_bounded_memory_and_the_oldest_are_dropped() -> None:
    async with telling(script=lambda _: 503) as told:
        outbox = told.coordinator.outbox
        for number in range(2000):
            told.coordinator.completed(result(number))
        assert (len(outbox), outbox.dropped) == (500, 1500)
        told.coordinator.completed(result(2000, "x" * 3_000_000))
        told.coordinator.completed(result(2001, "x" * 3_000_000))
        assert outbox.size < 4 * 1024 * 1024
        told.server.script = lambda _: 200
        await told.time.advance(60)
        assert [call.body["task_id"] for call in told.server.to(COMPLETE)] == ["task-2001"]


async def test_one_completion_that_the_coordinator_fails_at_is_given_up_and_holds_up_no_other() -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(script=lambda call: 500 if call.body.get("task_id") == "task-1" else 200) as told:
            told.coordinator.completed(result(1))
            told.coordinator.completed(result(2))
            await told.time.advance(10)
            assert len(told.server.to(COMPLETE, status=500)) == 3
            assert [call.body["task_id"] for call in told.server.to(COMPLETE)] == ["task-2"]
            assert told.coordinator.outbox.dropped == 1
    assert events(logs, *PRESENCE) == ["coordinator.answers"]


async def test_what_the_coordinator_refuses_is_told_once_in_the_log_and_not_tried_again() -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(script=lambda call: 422 if call.path == COMPLETE else 200) as told:
            for number in range(3):
                told.coordinator.completed(result(number))
            await told.time.advance(10)
            assert len(told.server.to(COMPLETE, status=422)) == 3
            assert told.coordinator.outbox.dropped == 3
    (refusal,) = [line for line in logs if line["event"] == "coordinator.refuses"]
    assert (refusal["path"], refusal["reason"]) == (COMPLETE, "HTTP 422")


def refusing(call: Call) -> int:
    return 422 if call.path == COMPLETE else 200


async def test_a_refusal_is_told_again_after_an_absence() -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with telling() as told:
            for script in (refusing, lambda _: 503, refusing):
                told.server.script = script
                told.coordinator.completed(result())
                await told.time.advance(60)
    assert events(logs, "coordinator.refuses") == ["coordinator.refuses"] * 2


@pytest.mark.parametrize(
    ("failing", "presence"),
    [("agent-000", ["coordinator.silent", "coordinator.answers"]), ("agent-001", ["coordinator.answers"])],
    ids=["the first witness", "another"],
)
async def test_an_agent_whose_heartbeat_fails_alone_silences_no_other(failing: str, presence: list[str]) -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(
            agents(3), lambda call: 500 if call.path == HEARTBEAT and call.agent == failing else 200
        ) as told:
            for _ in range(4):
                await told.time.advance(INTERVAL)
            beats = Counter(call.agent for call in told.server.to(HEARTBEAT))
            assert beats.keys() == {"agent-000", "agent-001", "agent-002"} - {failing}
            assert min(beats.values()) >= 3
    assert events(logs, *PRESENCE) == presence


async def test_a_coordinator_that_fails_at_every_heartbeat_is_away_and_not_now_here_now_gone() -> None:
    configure_logging("info")
    with capture_logs() as logs:
        async with telling(agents(3), lambda call: 500 if call.path == HEARTBEAT else 200) as told:
            await told.time.advance(300)
            assert len(told.server.calls) < 30
    assert events(logs, *PRESENCE) == ["coordinator.silent"]


async def test_an_agent_that_is_refused_asks_again_at_its_next_turn() -> None:
    async with telling(agents(3), lambda call: 403 if call.agent == "agent-002" else 200) as told:
        refused = len(told.server.to(REGISTER, status=403))
        assert refused == 1
        told.server.script = lambda _: 200
        await told.time.advance(INTERVAL)
        assert {call.agent for call in told.server.to(REGISTER)} == {agent.name for agent in agents(3)}


class Odd:
    def __str__(self) -> str:
        return "odd"


async def test_an_agent_that_cannot_tell_its_health_sends_its_name_and_silences_no_other() -> None:
    def health(agent: BaseAgentV2) -> dict[str, Any]:
        if agent.name == "agent-000":
            raise KeyError("its own fault")
        return {"agent_name": agent.name, "at": datetime(2026, 1, 1), "odd": Odd(), "load": float("nan")}  # noqa: DTZ001 - as careless as an agent's own

    async with telling(agents(2), health=health) as told:
        await told.time.advance(INTERVAL)
        bodies = {call.agent: call.body for call in told.server.to(HEARTBEAT)}
    assert bodies["agent-000"] == {"agent_name": "agent-000", "status": "initializing"}
    assert (bodies["agent-001"]["load"], bodies["agent-001"]["odd"]) == (None, "odd")


async def test_at_the_end_all_agents_say_that_they_have_stopped_and_the_last_completions_go_out() -> None:
    staff = agents(131)
    async with telling(staff) as told:
        before = len(told.server.calls)
        told.coordinator.completed(result(1))
        told.coordinator.completed(result(2))
    last = told.server.calls[before:]
    goodbyes = [call for call in last if call.path == HEARTBEAT]
    assert {call.agent for call in goodbyes} == {agent.name for agent in staff}
    assert {(call.body["status"], call.body["healthy"]) for call in goodbyes} == {("stopped", False)}
    assert [call.body["task_id"] for call in last if call.path == COMPLETE] == ["task-1", "task-2"]


@pytest.mark.parametrize(
    ("status", "tried", "left", "dropped"), [(422, ["task-1", "task-2"], 0, 1), (503, ["task-1"], 2, 0)]
)
async def test_at_the_end_what_waits_is_told_and_a_refusal_keeps_no_other_from_it(
    status: int, tried: list[str], left: int, dropped: int
) -> None:
    async with telling() as told:
        told.server.gate.clear()
        told.coordinator.completed(result(1))
        told.coordinator.completed(result(2))
        await settle()
        told.server.script = lambda call: status if call.body.get("task_id") == "task-1" else 200
        asyncio.get_running_loop().call_later(0.05, told.server.gate.set)  # by then, the end has begun
    assert [call.body["task_id"] for call in told.server.calls if call.path == COMPLETE] == tried
    assert (len(told.coordinator.outbox), told.coordinator.outbox.dropped) == (left, dropped)


async def test_the_end_does_not_wait_for_a_coordinator_that_has_become_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator_module, "LAST_SECONDS", 0.05)
    async with asyncio.timeout(10):
        async with telling(agents(131)) as told:
            told.coordinator.completed(result())
            told.server.gate.clear()
    assert told.server.running == 0
    assert len(told.coordinator.outbox) == 1


async def test_the_end_asks_nothing_of_one_that_is_away_and_ends_where_it_goes_in_that_moment() -> None:
    async with telling(agents(20), lambda _: 503) as told:
        told.coordinator.completed(result())
        before = len(told.server.calls)
    assert len(told.server.calls) == before
    async with telling(agents(20)) as told:
        told.server.script = lambda _: 503
        told.coordinator.completed(result())
        await told.time.advance(0)
        before = len(told.server.calls)
    assert len(told.server.calls) <= before + CALLERS + 1


def accepting(_: Call) -> int:
    return 200


async def test_a_coordinator_that_was_away_once_does_not_hold_up_the_end() -> None:
    async with telling(script=lambda _: 503) as told:
        for script in (accepting, lambda _: 503, accepting):
            told.server.script = script
            told.coordinator.completed(result())
            await told.time.advance(60)
        began = time.monotonic()
    assert time.monotonic() - began < AGAIN_SECONDS


def test_last_words_take_a_second_at_most() -> None:
    assert coordinator_module.LAST_SECONDS <= 1


async def test_a_coordinator_that_never_answers_counts_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "REQUEST_SECONDS", 0.05)
    server = ScriptedCoordinator()
    server.gate.clear()
    client = CoordinatorClient("http://coordinator", transport=server.transport)
    reply = await client.post(HEARTBEAT, b"{}")
    await client.close()
    assert (reply.answer.value, reply.reason) == ("away", "no answer within 0.05 s")


async def test_the_password_of_its_address_is_sent_and_never_logged() -> None:
    configure_logging("debug")
    with capture_logs() as logs:
        async with telling(script=lambda _: httpx.ConnectError("me:s3cret"), url="http://me:s3cret@host/base/") as told:
            assert told.server.calls[0].headers["authorization"].startswith("Basic ")
            assert told.server.calls[0].path == "/base" + REGISTER
            told.server.script = lambda _: 200
            await told.time.advance(5)
    assert {line["url"] for line in logs if line["event"] in PRESENCE} == {"http://host/base"}
    assert "s3cret" not in repr(logs)


async def test_a_fault_of_our_own_ends_the_telling_alone() -> None:
    class Broken(BaseAgentV2):
        @property
        def model(self) -> str:
            raise RuntimeError("a bug")

    configure_logging("info")
    with capture_logs() as logs:
        async with telling([Broken(name="broken")]) as told:
            told.coordinator.completed(result())
    assert events(logs, "coordinator.crashed", "coordinator.left") == ["coordinator.crashed", "coordinator.left"]
