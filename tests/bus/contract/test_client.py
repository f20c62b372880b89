"""What a program uses: submit, ask, results, events, reports, over both brokers."""

import asyncio

import pytest

from bus.codec import encode_report, encode_result
from bus.errors import DecodeError, InvalidTask, ReplyTimeout, TopologyError, UnknownAgent
from bus.message import Message
from bus.routing_keys import report_key, result_key
from schemas import (
    AgentReport,
    BreakerReport,
    EventKind,
    Report,
    ReportKind,
    TaskMessage,
    TaskResult,
    TaskStatus,
)
from tests.support.bus_world import AGENT, Worker, World, within

BREAKER = BreakerReport(
    host="h.example", name="ollama", state="open", consecutive_failures=3, trip_count=1, time_until_retry=5.0
)
CONSUMING = AgentReport(host="h", agent=AGENT, consumer="consuming", prefetch=1, held=0, health={})


async def announce_result(world: World, task_id: str, agent: str = AGENT, status: str = "completed") -> None:
    result = TaskResult(task_id=task_id, agent=agent, status=TaskStatus(status))
    key = result_key(agent, result.status)
    await world.broker.publish(world.topology.results, key, encode_result(result), mandatory=False)


def announce_report(world: World, report: Report, reporter: str) -> None:
    world.broker.announce(world.topology.metrics, report_key(reporter, report.kind), encode_report(report))


async def test_an_answer_comes_back_to_who_asked(world: World) -> None:
    async with world.consumer(Worker()):
        answers = await within(asyncio.gather(*(world.client.ask(AGENT, f"question {n}") for n in range(5))))
    assert [answer.result for answer in answers] == [f"question {n}" for n in range(5)]


async def test_a_failure_is_an_answer_too(world: World) -> None:
    async with world.consumer(Worker()):
        answer = await within(world.client.ask(AGENT, "late", deadline="2020-01-01T00:00:00Z"))
    assert answer.status is TaskStatus.EXPIRED


async def test_a_task_made_elsewhere_can_be_waited_for(world: World) -> None:
    task = TaskMessage(agent=AGENT, prompt="made")
    async with world.consumer(Worker()):
        assert (await within(world.client.wait_for(task))).task_id == task.id


async def test_a_question_without_an_answer_times_out_and_the_task_goes_on(world: World) -> None:
    with pytest.raises(ReplyTimeout, match=r"no result of task \w+ from agent 'worker' within 0\.1 s"):
        await within(world.client.ask(AGENT, "anybody?", timeout=0.1))
    assert await world.ready(world.queue) == 1


async def test_a_reply_queue_ends_with_its_owner(world: World) -> None:
    async with world.client.replies() as replies:
        assert await world.ready(replies.queue) == 0
    assert await world.ready(replies.queue) is None


async def test_a_task_is_submitted_as_it_is_returned(world: World) -> None:
    task = await world.client.submit(AGENT, "x", priority="critical", data={"k": [1]}, unknown="kept")
    sent = await world.take(world.queue)
    assert TaskMessage.model_validate_json(sent.body) == task
    assert (sent.priority, sent.correlation_id, sent.type) == (9, task.id, "sutazai.task.v1")
    assert sent.content_type == "application/json"
    assert sent.message_id not in (None, task.id)


async def test_an_unknown_agent_is_named_with_a_remedy(world: World) -> None:
    with pytest.raises(UnknownAgent, match=r"'stranger'.*check the name, or start it"):
        await world.client.submit("stranger", "x")
    assert await world.ready(world.topology.unrouted) == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"timeout": -1}, "timeout"),
        ({"priority": 12}, "priority"),
        (
            {"priority": "urgent"},
            r"^priority 'urgent' is not known: use a number 0..9, or one of background \(0\), low",
        ),
        ({"retry": {"bse": 5}}, "retry has no key 'bse': did you mean 'base'"),
        ({"prompt": None}, "prompt"),
        ({"id": "ü"}, "id"),
    ],
)
async def test_an_invalid_field_is_named_and_nothing_is_sent(
    world: World, fields: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidTask, match=named) as caught:
        await world.client.submit(AGENT, **{"prompt": "x", **fields})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="agent = 'Not A Name': use lower-case letters, digits and hyphens"):
        await world.client.submit("Not A Name", "x")
    with pytest.raises(InvalidTask, match="priority 'urgent'"):
        await world.client.ask(AGENT, "x", priority="urgent")
    with pytest.raises(InvalidTask, match="priority 'urgent'"):
        world.client.stream(AGENT, "x", priority="urgent")
    assert await world.ready(world.queue) == 0


async def test_results_are_filtered_and_duplicates_dropped(world: World) -> None:
    client = world.client
    async with (
        client.results() as everything,
        client.results(agent="a") as of_a,
        client.results(status=TaskStatus.FAILED) as failed,
    ):
        for task_id, agent, status in (("1", "a", "completed"), ("1", "a", "completed"), ("2", "b", "failed")):
            await announce_result(world, task_id, agent, status)
        await announce_result(world, "3", "a", "failed")
        assert [(await within(anext(everything))).task_id for _ in range(3)] == ["1", "2", "3"]
        assert [(await within(anext(of_a))).task_id for _ in range(2)] == ["1", "3"]
        assert [(await within(anext(failed))).task_id for _ in range(2)] == ["2", "3"]


async def test_events_are_filtered(world: World) -> None:
    client = world.client
    async with client.events(kind=EventKind.STARTED) as started, world.consumer(Worker()):
        first, second = [await client.submit(AGENT, "x", id=name) for name in ("with.dots", "plain")]
        assert [(await within(anext(started))).task_id for _ in range(2)] == [first.id, second.id]
        async with client.events(task_id="third", agent=AGENT) as of_third:
            for name in ("fourth", "third"):
                await client.submit(AGENT, "x", id=name)
            steps = [await within(anext(of_third)) for _ in range(2)]
            assert [(step.task_id, step.kind) for step in steps] == [
                ("third", EventKind.ACCEPTED),
                ("third", EventKind.STARTED),
            ]


async def test_reports_are_read_by_their_kind(world: World) -> None:
    async with world.client.reports() as everything, world.client.reports(kind=ReportKind.AGENT) as agents:
        announce_report(world, BREAKER, "h.example")
        announce_report(world, CONSUMING, AGENT)
        assert [await within(anext(everything)) for _ in range(2)] == [BREAKER, CONSUMING]
        assert await within(anext(agents)) == CONSUMING


async def test_a_listener_passes_over_what_it_cannot_read(world: World) -> None:
    async with world.client.results() as results:
        for body in (b"not json", b'{"task_id": 1}', b'{"task_id": "1", "status": "completed", "timestamp": 1e300}'):
            await world.broker.publish(world.topology.results, "a.completed", Message(body))
        await announce_result(world, "readable")
        assert (await within(anext(results))).task_id == "readable"


async def test_a_long_life_of_questions_leaves_nothing_behind(world: World) -> None:
    async with world.consumer(Worker()):
        for number in range(3):
            await within(world.client.ask(AGENT, str(number)))
        assert len(asyncio.all_tasks()) < 30
        subscriptions = vars(world.broker)["_subscriptions"]
        assert len(subscriptions) <= 2


async def test_a_decode_error_keeps_the_bytes() -> None:
    assert DecodeError("x", b"raw").raw == b"raw"
    assert issubclass(UnknownAgent, TopologyError)
