"""What a task may say of its own retries, and what is kept through the ladder, over both brokers."""

import pytest

from bus.codec import decode_result
from bus.envelope import ATTEMPT_HEADER, read_envelope
from bus.errors import PermanentError, RetryableError
from bus.message import Message
from schemas import EventKind, RetryRules, TaskStatus
from tests.support.at_work import at_work, error_of, raising
from tests.support.bus_world import AGENT, World, within

BUSY = RetryableError("busy")


@pytest.mark.parametrize(
    ("rules", "delays"),
    [
        (RetryRules(), [0.05, 0.05]),
        (RetryRules(base=0.1), [0.2, 0.2]),
        (RetryRules(base=0.04, factor=3), [0.05, 0.2]),
        (RetryRules(base=0.04, factor=3, cap=0.05), [0.05, 0.05]),
        (RetryRules(jitter=1), [0.2, 0.2]),
    ],
    ids=["the agent's own", "base", "factor", "cap", "jitter"],
)
async def test_a_task_s_own_rules_decide_how_long_it_waits(
    world: World, rules: RetryRules, delays: list[float]
) -> None:
    async with world.client.events(kind=EventKind.RETRYING) as events, at_work(world, raising(BUSY, BUSY)) as ends:
        await world.client.submit(AGENT, "x", retry=rules)
        assert [(await within(anext(events))).data["delay"] for _ in delays] == delays
        result = await ends.next()
    assert (result.status, result.attempt) == (TaskStatus.COMPLETED, 3)


@pytest.mark.parametrize(
    ("error", "on", "status", "attempts"),
    [
        (BUSY, ("timeout",), TaskStatus.FAILED, 1),
        (BUSY, ("retryable",), TaskStatus.COMPLETED, 2),
        (PermanentError("never"), ("permanent", "timeout"), TaskStatus.COMPLETED, 2),
        (TimeoutError("slow"), (), TaskStatus.FAILED, 1),
    ],
)
async def test_a_task_names_the_errors_after_which_it_is_tried_again(
    world: World, error: Exception, on: tuple[str, ...], status: TaskStatus, attempts: int
) -> None:
    async with at_work(world, raising(error)) as ends:
        await world.client.submit(AGENT, "x", retry={"on": on})
        result = await ends.next()
    assert (result.status, result.attempt) == (status, attempts)


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_a_task_s_own_limit_of_attempts_may_be_less_or_more_than_its_agent_s(world: World, attempts: int) -> None:
    worker = raising(*[BUSY] * 9)
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "x", max_attempts=attempts)
        result = await ends.next()
    assert (result.status, result.attempt, worker.runs) == (TaskStatus.FAILED, attempts, attempts)
    assert [past.number for past in result.history] == list(range(1, attempts))


async def test_a_result_tells_what_happened_before_it(world: World) -> None:
    async with at_work(world, raising(BUSY, ConnectionError("gone"))) as ends:
        task = await world.client.submit(AGENT, "x")
        result = await ends.next()
    assert (result.status, result.attempt, result.error) == (TaskStatus.COMPLETED, 3, None)
    assert [(past.number, past.host, past.error.code, past.error.message) for past in result.history] == [
        (1, "host-1", "retryable", "busy"),
        (2, "host-1", "connection", "gone"),
    ]
    assert all(past.error.retryable and past.seconds > 0 for past in result.history)
    first, second = (past.ended_at for past in result.history)
    assert task.created_at <= first < second <= result.timestamp


async def test_a_failure_tells_it_too_and_so_does_its_dead_letter(world: World) -> None:
    async with at_work(world, raising(BUSY, TimeoutError("slow"), PermanentError("never"))) as ends:
        await world.client.submit(AGENT, "x")
        result = await ends.next()
    assert (result.status, result.attempt, error_of(result).code) == (TaskStatus.FAILED, 3, "permanent")
    assert [past.error.code for past in result.history] == ["retryable", "timeout"]
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert (dead.headers[ATTEMPT_HEADER], read_envelope(dead.headers).history) == (3, result.history)


async def test_the_ladder_keeps_all_that_the_publisher_gave(world: World) -> None:
    mailbox = world.topology.dead_queue("reader")
    await world.broker.declare(world.topology.agent("reader"))
    sent = Message(
        b'{"id": "t-1", "prompt": "x", "from_the_future": [1]}',
        type="order",
        priority=7,
        correlation_id="order-7",
        reply_to=mailbox,
        app_id="shop",
        headers={"mine": "yes", "traceparent": "00-ab", "table": {"list": [1, None, True]}},
    )
    worker = raising(BUSY, BUSY, PermanentError("never"))
    async with at_work(world, worker) as ends:
        await world.broker.publish(world.topology.tasks, AGENT, sent)
        result = await ends.next()
        reply = await world.take(mailbox)
    assert (reply.correlation_id, decode_result(reply)) == ("order-7", result)
    attempts = [await worker.next() for _ in range(3)]
    assert {(attempt.task.priority, attempt.task["from_the_future"][0]) for attempt in attempts} == {(7, 1)}
    assert result.metadata == {"traceparent": "00-ab"}
    dead = await world.take(world.topology.dead_queue(AGENT))
    kept = (dead.type, dead.priority, dead.correlation_id, dead.reply_to, dead.app_id)
    assert kept == ("order", 7, "order-7", mailbox, "shop")
    assert {name: dead.headers[name] for name in sent.headers} == sent.headers
