"""A task's answer as it is written: pieces, restarts, gaps and the terminal result, over both brokers."""

import asyncio
from collections.abc import Callable

import pytest

from bus.attempt import Attempt, Handler
from bus.broker import DEFAULT_EXCHANGE
from bus.codec import encode_result
from bus.errors import BusError, PermanentError, ReplyTimeout, RetryableError, UnknownAgent
from bus.pieces import HELD_MOST, Begun, Gap, Piece, Restart, Step
from bus.task_stream import TaskStream
from schemas import EventKind, TaskMessage, TaskResult, TaskStatus
from tests.support.bus_world import AGENT, Worker, World, completed, within
from tests.support.waiting import wait_until

MANY = 300


@pytest.fixture(autouse=True)
async def warm(world: World) -> None:
    """Have an event pass first: opening the channel of events takes longer than the shortest of tasks."""
    async with world.client.events() as events, world.consumer(Worker()):
        await world.client.ask(AGENT, "warm up", timeout=10)
        await within(anext(events))


def write(attempt: Attempt, *sequences: int) -> None:
    for sequence in sequences:
        attempt.emit(EventKind.CHUNK, text=f"{sequence} ", sequence=sequence)


def writer(world: World, *sequences: int, then: Callable[[Attempt], TaskResult] = completed) -> Handler:
    """A handler that writes these pieces and ends as `then` does once they were heard: a result may overtake them."""

    async def handle(attempt: Attempt) -> TaskResult:
        await write_and_hear(world, attempt, *sequences)
        return then(attempt)

    return handle


async def write_and_hear(world: World, attempt: Attempt, *sequences: int) -> None:
    async with world.client.events(task_id=attempt.task.id) as events:
        write(attempt, *sequences)
        async for event in events:
            if event.data.get("sequence") == sequences[-1]:
                return


def whole(count: int) -> str:
    return "".join(f"{number} " for number in range(count))


async def text_of(stream: TaskStream) -> str:
    return "".join([text async for text in stream])


async def steps_of(stream: TaskStream) -> list[Step]:
    return [step async for step in stream.steps()]


async def test_an_answer_is_read_while_it_is_written_and_nothing_is_missed(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker), world.client.stream(AGENT, "x") as stream:
        write(await worker.next(), *range(MANY))
        reading = aiter(stream)
        assert "".join([await within(anext(reading)) for _ in range(MANY)]) == whole(MANY)
        worker.leave.set()
        assert [text async for text in reading] == []
        result = await within(stream.result())
    assert (result.task_id, result.result, stream.missed) == (stream.task.id, "x", 0)
    assert stream.task.stream


async def test_the_end_of_an_answer_is_there_even_if_its_result_overtakes_it(world: World) -> None:
    def act(attempt: Attempt) -> TaskResult:
        write(attempt, *range(MANY))
        return completed(attempt).model_copy(update={"result": {"response": whole(MANY)}})

    async with world.consumer(Worker(act)), world.client.stream(AGENT, "x") as stream:
        assert await within(text_of(stream)) == whole(MANY)


async def test_a_retry_is_told_before_its_text(world: World) -> None:
    def fail_once(attempt: Attempt) -> TaskResult:
        if attempt.number == 1:
            raise RetryableError("again")
        return completed(attempt)

    async with world.consumer(writer(world, 0, 1, then=fail_once)), world.client.stream(AGENT, "x") as stream:
        steps = await within(steps_of(stream))
        result = await stream.result()
    pieces = ["0 ", "1 "]
    assert [step.text for step in steps if isinstance(step, Piece)] == pieces + pieces
    (restart,) = [step for step in steps if isinstance(step, Restart)]
    assert (restart.attempt, restart.error and restart.error.message) == (2, "again")
    assert steps.index(restart) == 3
    assert steps[4] == Begun(2, "host-1")
    assert result.attempt == 2


async def test_a_host_that_is_lost_makes_its_text_void(world: World) -> None:
    lost = Worker(hold=True)
    async with world.client.stream(AGENT, "x") as stream:
        reading = stream.steps()
        async with world.consumer(lost):
            write(await lost.next(), 0, 1)
            assert [await within(anext(reading)) for _ in range(3)] == [
                Begun(1, "host-1"),
                Piece("0 ", 1),
                Piece("1 ", 1),
            ]
        async with world.consumer(writer(world, 0)):
            rest = await within(steps_of(stream))
    assert rest == [Restart(1), Begun(1, "host-1"), Piece("0 ", 1)]


async def test_a_lost_piece_is_noticed_and_the_result_holds_the_whole(world: World) -> None:
    async with world.consumer(writer(world, 0, 2)), world.client.stream(AGENT, "x") as stream:
        steps = await within(steps_of(stream))
        assert steps == [Begun(1, "host-1"), Piece("0 ", 1), Gap(1), Piece("2 ", 1)]
        assert (stream.missed, (await stream.result()).result) == (1, "x")


async def test_a_restart_forgets_what_was_missed_before(world: World) -> None:
    def fail_once(attempt: Attempt) -> TaskResult:
        if attempt.number == 1:
            raise RetryableError("again")
        return completed(attempt)

    worker = Worker(fail_once, hold=True)
    async with world.consumer(worker), world.client.stream(AGENT, "x") as stream:
        write(await worker.next(), *range(1, HELD_MOST + 1))
        reading = stream.steps()
        assert [await within(anext(reading)) for _ in range(2)] == [Begun(1, "host-1"), Gap(1)]
        assert stream.missed == 1
        worker.leave.set()
        assert [step async for step in reading][-1] == Piece("x", 2)
        assert stream.missed == 0


async def test_every_kind_of_end_ends_the_stream(world: World) -> None:
    def fail(attempt: Attempt) -> TaskResult:
        raise PermanentError(f"cannot {attempt.task.prompt}")

    async with world.consumer(writer(world, 0, then=fail)):
        async with world.client.stream(AGENT, "fly") as stream:
            assert await within(text_of(stream)) == "0 "
            assert (await stream.result()).status is TaskStatus.FAILED
        async with world.client.stream(AGENT, "late", deadline="2020-01-01T00:00:00Z") as stream:
            assert await within(text_of(stream)) == ""
            assert (await stream.result()).status is TaskStatus.EXPIRED


async def test_a_task_that_is_cancelled_while_it_writes_ends_as_cancelled(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker) as consumer, world.client.stream(AGENT, "x") as stream:
        write(await worker.next(), 0)
        assert await within(anext(aiter(stream))) == "0 "
        consumer.cancel(stream.task.id)
        assert await within(text_of(stream)) == ""
        assert (await stream.result()).status is TaskStatus.CANCELLED


async def test_without_a_result_in_time_every_wait_ends_and_the_task_goes_on(world: World) -> None:
    told = r"no result of task \w+ from agent 'worker' within 0\.1 s"
    async with world.client.stream(AGENT, "anybody?", timeout=0.1) as stream:
        with pytest.raises(ReplyTimeout, match=told):
            await within(text_of(stream))
        with pytest.raises(ReplyTimeout, match=told):
            await within(stream.result())
    assert await world.ready(world.queue) == 1


async def test_an_impatient_reader_may_wait_again(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker), world.client.stream(AGENT, "x") as stream:
        attempt = await worker.next()
        with pytest.raises(TimeoutError):
            await within(stream.result(), 0.05)
        await within(write_and_hear(world, attempt, 0, 1))
        worker.leave.set()
        assert (await within(stream.result())).result == "x"
        assert await text_of(stream) == "0 1 "


async def test_a_stream_that_was_left_says_so_at_once(world: World) -> None:
    async with world.client.stream(AGENT, "x") as stream:
        pass
    with pytest.raises(BusError, match="was left before its result: read it inside its block"):
        await within(stream.result(), 1)


async def test_an_unknown_agent_is_told_before_anything_is_made(world: World) -> None:
    with pytest.raises(UnknownAgent, match="no agent 'stranger'"):
        async with world.client.stream("stranger", "x"):
            pass
    with pytest.raises(ValueError, match="prompt"):
        world.client.stream(AGENT)


async def test_the_connection_may_be_cut_while_an_answer_is_read(world: World) -> None:
    worker = Worker(hold=True)
    async with world.consumer(worker), world.client.stream(AGENT, "x", timeout=30) as stream:
        attempt = await worker.next()
        write(attempt, *range(50))
        reading = stream.steps()
        assert await within(anext(reading)) == Begun(1, "host-1")
        await world.cut()
        write(attempt, *range(50, 100))
        worker.leave.set()
        rest = [step async for step in reading]
        result = await within(stream.result())
    pieces = [step.text for step in rest if isinstance(step, Piece)]
    assert len(pieces) + stream.missed <= 100
    assert pieces == sorted(set(pieces), key=int)
    assert result.result == "x"


async def test_a_task_made_elsewhere_is_followed_as_it_is(world: World) -> None:
    task = TaskMessage(agent=AGENT, prompt="made")
    worker = Worker(hold=True)
    async with world.consumer(worker), world.client.watch(task) as stream:
        reading = stream.steps()
        assert await within(anext(reading)) == Begun(1, "host-1")
        worker.leave.set()
        assert [step async for step in reading] == [Piece("made", 1)]
        assert (await stream.result()).task_id == task.id


async def test_the_events_of_other_tasks_are_none_of_its_business(world: World) -> None:
    for number in range(3):
        await world.client.submit(AGENT, str(number))
    # As a binding key, this id takes the events of all tasks; the others run first.
    async with world.client.stream(AGENT, "x", id="#") as stream, world.consumer(writer(world, 0)):
        assert await within(steps_of(stream)) == [Begun(1, "host-1"), Piece("0 ", 1)]


async def test_a_result_of_another_task_does_not_end_it(world: World) -> None:
    async with world.client.stream(AGENT, "x") as stream:
        asked = await world.take(world.queue)
        assert asked.reply_to is not None
        for task_id in ("other", stream.task.id):
            result = TaskResult(task_id=task_id, status=TaskStatus.COMPLETED, result=task_id)
            await world.broker.publish(DEFAULT_EXCHANGE, asked.reply_to, encode_result(result))
        assert await within(text_of(stream)) == stream.task.id


async def test_nothing_is_left_behind(world: World) -> None:
    before = len(asyncio.all_tasks())
    async with world.client.stream(AGENT, "x"):
        pass
    await wait_until(lambda: len(asyncio.all_tasks()) <= before, what="the end of its tasks")


@pytest.mark.parametrize(
    ("retry", "told"),
    [
        ({"bse": 1}, "retry has no key 'bse': did you mean 'base'"),
        ({"x": 1}, "retry has no key 'x': it takes base, "),
    ],
)
async def test_a_misspelt_key_of_retry_is_refused_and_nothing_is_sent(
    world: World, retry: dict[str, int], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        await world.client.submit(AGENT, "x", retry=retry)
    with pytest.raises(ValueError, match=told):
        async with world.client.stream(AGENT, "x", retry=retry):
            pass
    assert await world.ready(world.queue) == 0
