"""A task's spans and the trace context of its messages, over both brokers."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from bus.attempt import Attempt
from bus.dead_letters import DeadLetters
from bus.errors import RetryableError
from bus.listener import Listener
from bus.message import Message
from bus.tracing import Untraced, origin_of, using
from schemas import TaskMessage, TaskResult, TaskStatus, now
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.spans import Spans, spans_seen

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FOREIGN = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}


@pytest.fixture
def spans() -> Iterator[Spans]:
    """All spans that the test makes."""
    with spans_seen() as seen:
        yield seen


@asynccontextmanager
async def heard(world: World, exchange: str) -> AsyncIterator[Listener[Message]]:
    """The messages of an exchange as they are."""
    async with Listener(world.broker, world.topology, "results", lambda m: m, exchange=exchange, keys=("#",)) as all_:
        yield all_


async def send_plainly(
    world: World, headers: Mapping[str, object], body: bytes = b'{"prompt": "p", "id": "t"}'
) -> None:
    """Publish a task as a program does that knows nothing of us."""
    await world.broker.publish(world.topology.tasks, AGENT, Message(body, headers=headers))


async def done(world: World, worker: Worker, count: int = 1) -> list[Message]:
    """Run a worker until it has ended so many tasks; return their results' messages."""
    async with heard(world, world.topology.results) as results, world.consumer(worker) as consumer:
        messages = [await within(results.next()) for _ in range(count)]
        await within(consumer.stop(grace=2))
    return messages


def span_of(message: Message) -> str:
    """Return the span that a message comes from."""
    origin = origin_of(message.headers)
    assert origin is not None
    return origin["traceparent"].split("-")[2]


def failing_at_first(attempt: Attempt) -> TaskResult:
    if attempt.number == 1:
        raise RetryableError("busy")
    return completed(attempt)


def refusing(_: Attempt) -> TaskResult:
    raise ValueError


async def test_a_tasks_spans_are_one_tree_from_its_publisher_to_its_result(world: World, spans: Spans) -> None:
    task = await world.client.submit(AGENT, "p", priority=7)
    (result,) = await done(world, Worker())
    publish = spans.one(f"publish {world.topology.tasks}:{AGENT}")
    answer = spans.one(f"publish {world.topology.results}:{AGENT}.completed")
    wait, process = spans.one("queue wait"), spans.one(f"process {world.queue}")
    handle, settle = spans.one(f"invoke_agent {AGENT}"), spans.one(f"settle {AGENT}")
    kinds = [span.kind for span in (publish, wait, process, handle, settle, answer)]
    assert kinds == ["PRODUCER", "INTERNAL", "CONSUMER", "INTERNAL", "CLIENT", "PRODUCER"]
    parents = [span.parent for span in (publish, wait, process, handle, settle, answer)]
    assert parents == [None, publish.id, publish.id, process.id, process.id, settle.id]
    assert len({span.trace for span in spans.all}) == 1
    assert span_of(result) == answer.id
    assert wait.start == pytest.approx(task.created_at.timestamp())
    assert not [span for span in spans.all if span.is_error]
    told = process.attributes
    assert (told["sutazai.task.id"], told["sutazai.task.priority"], told["sutazai.attempt"]) == (task.id, 7, 1)
    assert told["messaging.destination.name"] == f"{world.topology.tasks}:{AGENT}:{world.queue}"
    assert told["sutazai.outcome"] == "completed"


async def test_a_foreign_publishers_span_is_the_parent_and_its_headers_are_kept(world: World, spans: Spans) -> None:
    await send_plainly(world, FOREIGN)
    (result,) = await done(world, Worker())
    assert {spans.one("process").parent, spans.one("queue wait").parent} == {SPAN}
    assert {span.trace for span in spans.all} == {TRACE}
    assert (origin_of(result.headers) or {})["tracestate"] == "vendor=1"
    assert TaskResult.model_validate_json(result.body).metadata == {"traceparent": FOREIGN["traceparent"]}


async def test_events_and_replies_tell_the_trace(world: World, spans: Spans) -> None:
    async with heard(world, world.topology.events) as events:
        async with Listener(world.broker, world.topology, "replies", lambda m: m) as replies, world.consumer(Worker()):
            task = await world.client.submit(AGENT, "p", id="one")
            await world.client.send(task.model_copy(update={"id": "two"}), reply_to=replies.queue)
            reply = await within(replies.next())
        accepted, started = await within(events.next()), await within(events.next())
    first = spans.named("process")[0]
    handle = next(span for span in spans.named("invoke_agent") if span.parent == first.id)
    assert (span_of(accepted), span_of(started)) == (first.id, handle.id)
    assert span_of(reply) in {span.id for span in spans.named("settle")}


async def test_both_attempts_at_a_task_are_in_its_trace(world: World, spans: Spans) -> None:
    await world.client.submit(AGENT, "p")
    await done(world, Worker(failing_at_first))
    publish, (first, second) = spans.one(f"publish {world.topology.tasks}"), spans.named("process")
    assert (first.parent, second.parent) == (publish.id, publish.id)
    assert [span.attributes["sutazai.outcome"] for span in (first, second)] == ["retried", "completed"]
    assert [span.attributes["sutazai.attempt"] for span in (first, second)] == [1, 2]
    assert (first.is_error, first.attributes["error.type"], second.is_error) == (True, "retryable", False)
    assert spans.named("queue wait")[1].start >= spans.named("invoke_agent")[0].end - 1e-3
    assert second.attributes["messaging.destination.name"].startswith(f"{world.topology.retry}:")


async def test_a_wait_that_began_in_the_future_by_the_publishers_clock_is_not_negative(
    world: World, spans: Spans
) -> None:
    await world.client.send(TaskMessage(agent=AGENT, prompt="p", created_at=now() + timedelta(hours=1)))
    await done(world, Worker())
    wait = spans.one("queue wait")
    assert wait.start <= wait.end


async def test_a_replay_goes_on_in_the_trace_of_its_dead_letter(world: World, spans: Spans) -> None:
    await send_plainly(world, FOREIGN)
    await done(world, Worker(refusing))
    buried, handle = spans.one("process"), spans.one("invoke_agent")
    assert (buried.is_error, buried.attributes["error.type"]) == (True, "handler_error")
    assert (handle.is_error, handle.attributes["error.type"]) == (True, "ValueError")
    async with aclosing(DeadLetters(world.broker, world.topology, [AGENT]).replay()) as steps:
        assert len([step async for step in steps]) == 1
    await done(world, Worker())
    assert {span.trace for span in spans.all} == {TRACE}
    assert [span.parent for span in spans.named("process")] == [SPAN, SPAN]


async def test_a_task_that_is_handed_back_goes_on_in_its_trace(world: World, spans: Spans) -> None:
    task = await world.client.submit(AGENT, "p")
    worker = Worker(hold=True)
    async with world.consumer(worker) as consumer:
        await worker.next()
        await within(consumer.stop(grace=0))
    await done(world, Worker())
    first, second = spans.named("process")
    assert [span.attributes["sutazai.outcome"] for span in (first, second)] == ["handed_back", "completed"]
    assert (first.is_error, {span.trace for span in spans.all}) == (False, {first.trace})
    assert second.attributes["sutazai.task.id"] == task.id


@pytest.mark.parametrize(
    "parent", ["00-ab", "x" * 10_000, 7, bytearray(b"\xff"), {"a": [1]}, f"00-{'0' * 32}-{SPAN}-01"]
)
async def test_a_traceparent_that_is_none_costs_the_task_nothing(world: World, spans: Spans, parent: object) -> None:
    await send_plainly(world, {"traceparent": parent, "tracestate": "\x00"})
    (result,) = await done(world, Worker())
    assert TaskResult.model_validate_json(result.body).status is TaskStatus.COMPLETED
    process = spans.one("process")
    assert (process.parent, spans.one("queue wait").parent) == (None, process.id)
    assert {span.trace for span in spans.all} == {process.trace}


async def test_a_traceparent_in_the_body_is_the_parent_where_no_header_tells_one(world: World, spans: Spans) -> None:
    own = {"traceparent": FOREIGN["traceparent"]}
    await world.client.submit(AGENT, "p", metadata=own)
    await send_plainly(
        world,
        {"traceparent": "bad"},
        b'{"prompt": "p", "metadata": {"traceparent": "%s"}}' % own["traceparent"].encode(),
    )
    await done(world, Worker(), 2)
    assert {span.trace for span in spans.all} == {TRACE}
    assert spans.one(f"publish {world.topology.tasks}").parent == SPAN


async def test_without_opentelemetry_results_and_events_hand_the_publishers_context_on(world: World) -> None:
    with using(Untraced()):
        await send_plainly(world, FOREIGN)
        async with heard(world, world.topology.events) as events:
            (result,) = await done(world, Worker())
            event = await within(events.next())
    assert (origin_of(result.headers), origin_of(event.headers)) == (FOREIGN, FOREIGN)
    assert event.headers.keys() == FOREIGN.keys()


@pytest.mark.parametrize(("status", "is_error"), [(TaskStatus.EXPIRED, True), (TaskStatus.CANCELLED, False)])
async def test_a_task_that_ends_without_work_tells_why(
    world: World, spans: Spans, status: TaskStatus, *, is_error: bool
) -> None:
    def ended(attempt: Attempt) -> TaskResult:
        return TaskResult(task_id=attempt.task.id, status=status)

    await world.client.submit(AGENT, "p")
    await done(world, Worker(ended))
    process = spans.one("process")
    assert (process.attributes["sutazai.outcome"], process.is_error) == (status.value, is_error)
