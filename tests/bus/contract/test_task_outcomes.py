"""What happens to a task, from its publish to its one terminal result, over both brokers."""

import asyncio
from datetime import timedelta

import pytest

from bus.attempt import Attempt
from bus.codec import decode_result
from bus.envelope import ATTEMPT_HEADER
from bus.errors import NotNowError, PermanentError, RejectedError, RetryableError
from bus.message import Message
from schemas import EventKind, TaskResult, TaskStatus, now
from tests.support.at_work import at_work, error_of, raising
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.errors import WordlessError


async def test_a_task_is_completed_and_its_result_tells_where_it_came_from(world: World) -> None:
    async with at_work(world, Worker()) as ends:
        task = await world.client.submit(AGENT, "hello", parent_id="p", metadata={"k": 1})
        result = await ends.next()
    assert (result.task_id, result.agent, result.status) == (task.id, AGENT, TaskStatus.COMPLETED)
    assert (result.result, result.attempt, result.parent_id, result.metadata) == ("hello", 1, "p", {"k": 1})
    assert result.usage is not None
    assert result.usage.queue_wait >= 0
    assert not result.redelivered


async def test_a_retried_task_keeps_its_id_priority_and_correlation(world: World) -> None:
    worker = raising(RetryableError("busy"), TimeoutError("slow"))
    async with at_work(world, worker) as ends:
        task = await world.client.submit(AGENT, "again", priority="high")
        result = await ends.next()
    attempts = [await worker.next() for _ in range(3)]
    assert [attempt.number for attempt in attempts] == [1, 2, 3]
    assert {(attempt.task.id, attempt.task.priority) for attempt in attempts} == {(task.id, 7)}
    assert (result.status, result.attempt, result.task_id) == (TaskStatus.COMPLETED, 3, task.id)


async def test_a_foreign_task_without_an_id_gets_one_that_lasts_through_its_retries(world: World) -> None:
    worker = raising(RetryableError("busy"))
    async with at_work(world, worker) as ends:
        await world.publish_plain(AGENT, '{"prompt": "hello"}', {"priority": 5})
        result = await ends.next()
    first, second = await worker.next(), await worker.next()
    assert first.task.id == second.task.id == result.task_id
    assert (second.number, second.task.priority, second.task.created_at) == (2, 5, first.task.created_at)


@pytest.mark.parametrize(
    ("error", "code", "attempts", "reason"),
    [
        (RetryableError("still busy"), "retryable", 3, "exhausted"),
        (ConnectionError("gone"), "connection", 3, "exhausted"),
        (PermanentError("never"), "permanent", 1, "permanent"),
        (KeyError("a bug"), "handler_error", 1, "permanent"),
    ],
)
async def test_what_cannot_be_done_fails_and_its_original_is_kept_with_the_reason(
    world: World, error: Exception, code: str, attempts: int, reason: str
) -> None:
    async with at_work(world, raising(*[error] * 3)) as ends:
        task = await world.client.submit(AGENT, "hopeless", priority=7)
        result = await ends.next()
    assert (result.status, result.attempt) == (TaskStatus.FAILED, attempts)
    assert result["error"].code == code
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert (dead.headers["x-error-code"], dead.headers["x-error-reason"]) == (code, reason)
    assert (dead.headers[ATTEMPT_HEADER], dead.headers["x-failed-on"]) == (attempts, "host-1")
    assert dead.headers["x-error-message"].endswith(str(error))
    assert (dead.priority, dead.correlation_id, dead.type) == (7, task.id, "sutazai.task.v1")
    assert not [header for header in dead.headers if header.startswith("x-death")]


async def test_an_error_that_cannot_tell_its_text_fails_its_task_like_any_other(world: World) -> None:
    worker = raising(WordlessError())
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "hopeless")
        result = await ends.next()
    assert (result.status, result.attempt, worker.runs) == (TaskStatus.FAILED, 1, 1)
    assert (error_of(result).code, error_of(result).message.startswith("WordlessError: ")) == ("handler_error", True)


async def test_a_task_s_own_limit_of_attempts_wins(world: World) -> None:
    worker = raising(*[RetryableError("busy")] * 9)
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "once", max_attempts=1)
        assert (await ends.next()).attempt == 1
    assert worker.runs == 1


async def test_an_unreadable_body_is_rejected_with_its_bytes_and_the_agent_goes_on(world: World) -> None:
    worker = Worker()
    async with at_work(world, worker) as ends:
        sent = Message(b"\xff not json", content_type="text/plain", correlation_id="c-1", headers={"mine": "yes"})
        await world.broker.publish(world.topology.tasks, AGENT, sent)
        refused = await ends.next()
        await world.client.submit(AGENT, "readable")
        assert (await ends.next()).status is TaskStatus.COMPLETED
    assert (refused.status, refused.task_id, refused.agent) == (TaskStatus.REJECTED, "c-1", AGENT)
    assert "the body is not JSON" in refused["error"].message
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert (dead.body, dead.content_type, dead.headers["mine"]) == (b"\xff not json", "text/plain", "yes")
    assert (dead.headers["x-error-reason"], worker.runs) == ("unreadable", 1)


async def test_an_invalid_field_is_named_in_the_rejection(world: World) -> None:
    async with at_work(world, Worker()) as ends:
        await world.publish_plain(AGENT, '{"id": "t-1", "prompt": "x", "priority": "urgent"}', {})
        refused = await ends.next()
    assert (refused.task_id, refused.status) == ("t-1", TaskStatus.REJECTED)
    assert "priority = 'urgent'" in refused["error"].message


async def test_a_handler_may_refuse_a_task_as_invalid(world: World) -> None:
    worker = raising(RejectedError("data.url is missing"))
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "x")
        refused = await ends.next()
    assert (refused.status, refused["error"].code) == (TaskStatus.REJECTED, "invalid_task")
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert (dead.headers["x-error-reason"], worker.runs) == ("rejected", 1)


async def test_a_handler_that_reports_failure_fails(world: World) -> None:
    def fail(attempt: Attempt) -> TaskResult:
        return TaskResult(task_id=attempt.task.id, status=TaskStatus.FAILED, error="no luck")

    async with at_work(world, Worker(fail)) as ends:
        await world.client.submit(AGENT, "x")
        assert (await ends.next()).status is TaskStatus.FAILED
    dead = await world.take(world.topology.dead_queue(AGENT))
    assert dead.headers["x-error-message"] == "no luck"


@pytest.mark.classic_queues("what is handed back is a copy there, at the end of the queue")
async def test_not_now_hands_back_and_uses_no_attempt(world: World) -> None:
    worker = raising(NotNowError("the breaker is open"))
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "x", max_attempts=1)
        result = await ends.next()
    first, second = await worker.next(), await worker.next()
    assert (first.number, second.number, second.redelivered) == (1, 1, True)
    assert len(ends.consumer.durations) == 1
    assert (result.status, result.attempt, result.redelivered) == (TaskStatus.COMPLETED, 1, True)


async def test_a_task_whose_deadline_has_passed_is_not_begun(world: World) -> None:
    worker = Worker()
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "late", deadline=now() - timedelta(seconds=1))
        result = await ends.next()
    assert (result.status, result["error"].code, worker.runs) == (TaskStatus.EXPIRED, "expired", 0)
    assert "passed before the work" in result["error"].message
    assert await world.ready(world.topology.dead_queue(AGENT)) == 0


async def test_a_task_whose_deadline_passes_during_the_work_is_ended(world: World) -> None:
    worker = Worker(hold=True)
    async with at_work(world, worker) as ends:
        await world.client.submit(AGENT, "slow", timeout=0.3)
        result = await ends.next()
    assert (result.status, worker.cancelled) == (TaskStatus.EXPIRED, 1)
    assert "passed during the work" in result["error"].message


async def test_a_result_that_comes_in_spite_of_the_deadline_comes_too_late(world: World) -> None:
    async def stubborn(attempt: Attempt) -> TaskResult:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return completed(attempt)
        raise AssertionError("unreachable")

    async with at_work(world, stubborn) as ends:
        await world.client.submit(AGENT, "x", timeout=0.2)
        assert (await ends.next()).status is TaskStatus.EXPIRED


async def test_a_handler_cancelled_from_inside_is_tried_again(world: World) -> None:
    worker = raising()
    cancellations = [asyncio.CancelledError()]

    async def cancelled_once(attempt: Attempt) -> TaskResult:
        if cancellations:
            raise cancellations.pop()
        return await worker(attempt)

    async with at_work(world, cancelled_once) as ends:
        await world.client.submit(AGENT, "x")
        result = await ends.next()
    assert (result.status, result.attempt) == (TaskStatus.COMPLETED, 2)


async def test_a_reply_goes_to_reply_to_with_the_correlation_id_of_the_task(world: World) -> None:
    async with world.client.replies() as replies, at_work(world, Worker()) as ends:
        asked = Message(b'{"prompt": "x"}', correlation_id="order-7", reply_to=replies.queue)
        await world.broker.publish(world.topology.tasks, AGENT, asked)
        result = await ends.next()
        assert (await within(anext(aiter(replies)))).task_id == result.task_id


@pytest.mark.parametrize(("given", "expected"), [("order-7", "order-7"), (None, "t-1")])
async def test_results_carry_the_correlation_id_of_the_task_or_its_id(
    world: World, given: str | None, expected: str
) -> None:
    mailbox = world.topology.dead_queue("reader")
    await world.broker.declare(world.topology.agent("reader"))
    async with at_work(world, Worker()) as ends:
        asked = Message(b'{"prompt": "x", "id": "t-1"}', correlation_id=given, reply_to=mailbox)
        await world.broker.publish(world.topology.tasks, AGENT, asked)
        await ends.next()
        reply = await world.take(mailbox)
    assert (reply.correlation_id, decode_result(reply).task_id) == (expected, "t-1")
    assert reply.message_id not in (None, "t-1")  # unique for each publish: aio-pika matches confirms by it


async def test_a_reply_that_nobody_waits_for_any_more_does_not_hold_up_the_task(world: World) -> None:
    async with at_work(world, Worker()) as ends:
        asked = Message(b'{"prompt": "x"}', reply_to="gone-with-its-owner")
        await world.broker.publish(world.topology.tasks, AGENT, asked)
        assert (await ends.next()).status is TaskStatus.COMPLETED


async def test_each_step_is_told_as_an_event(world: World) -> None:
    def act(attempt: Attempt) -> TaskResult:
        attempt.emit(EventKind.CHUNK, text="hel", sequence=0)
        if attempt.number == 1:
            raise RetryableError("busy")
        return completed(attempt)

    async with world.client.events(agent=AGENT) as events, at_work(world, Worker(act)) as ends:
        task = await world.client.submit(AGENT, "hello")
        await ends.next()
        steps = [await within(anext(events)) for _ in range(7)]
    assert {(step.task_id, step.agent, step.host) for step in steps} == {(task.id, AGENT, "host-1")}
    kinds = [EventKind.ACCEPTED, EventKind.STARTED, EventKind.CHUNK]
    assert [step.kind for step in steps] == [*kinds, EventKind.RETRYING, *kinds]
    assert [step.attempt for step in steps] == [1, 1, 1, 1, 2, 2, 2]
    assert steps[0].data["queue_wait"] >= 0
    assert steps[2].data == {"text": "hel", "sequence": 0}
    assert steps[3].data == {"delay": 0.05, "next_attempt": 2, "error": {"code": "retryable", "message": "busy"}}
