"""Dead letters: read back with their reasons, done again, thrown away; nothing lost on the way, over both brokers."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from bus.attempt import Attempt
from bus.broker import Broker
from bus.codec import decode_result
from bus.dead_letters import DeadLetters, Kept, Replayed, Spared
from bus.envelope import REDELIVERIES_HEADER
from bus.errors import ConnectionLost, HandlerError, PermanentError, QueueFull, RejectedError, RetryableError
from bus.letter import Choice, DeadLetter
from bus.message import Message
from schemas import Priority, TaskError, TaskResult, TaskStatus, now
from tests.support.bus_world import AGENT, Worker, World, within
from tests.support.faulty_brokers import LateConfirms, Refusing
from tests.support.waiting import wait_until

ERRORS: dict[str, Callable[[], HandlerError]] = {
    "rejected": lambda: RejectedError("data.url is missing"),
    "permanent": lambda: PermanentError("never"),
    "exhausted": lambda: RetryableError("busy"),
}


def fail(attempt: Attempt) -> TaskResult:
    """Fail with the error that the prompt names."""
    make = ERRORS[attempt.task.prompt or ""]
    raise make()


def dead_letters(world: World, broker: Broker | None = None, *agents: str) -> DeadLetters:
    return DeadLetters(broker or world.broker, world.topology, agents or (AGENT, "never-started"))


async def found(world: World, choice: Choice | None = None) -> list[DeadLetter]:
    async with aclosing(dead_letters(world).letters(choice or Choice())) as letters:
        return [letter async for letter in letters]


async def replayed(letters: DeadLetters, choice: Choice | None = None) -> list[Replayed | Kept | Spared]:
    async with aclosing(letters.replay(choice or Choice())) as steps:
        return [step async for step in steps]


async def purged(letters: DeadLetters, choice: Choice | None = None) -> list[DeadLetter]:
    async with aclosing(letters.purge(choice or Choice())) as steps:
        return [step async for step in steps]


async def bury(world: World, *prompts: str) -> None:
    """Have tasks fail, named for their prompts' places; return once all are dead letters and nothing runs."""
    async with world.client.results() as results, world.consumer(Worker(fail)) as consumer:
        for place, prompt in enumerate(prompts):
            await world.client.submit(AGENT, prompt, id=f"t-{place}")
            await within(anext(results))
        await within(consumer.stop(grace=2))


async def done_again(world: World, worker: Worker, count: int) -> list[TaskResult]:
    """Run a worker until it has ended `count` tasks and its queue is empty."""
    async with world.client.results() as results, world.consumer(worker) as consumer:
        ended = [await within(anext(results)) for _ in range(count)]
        await world.until_ready(world.queue, 0)
        await within(consumer.stop(grace=2))
    return ended


async def bury_by_hand(world: World, *bodies: bytes, priority: int | None = None) -> None:
    """Have bodies that nobody can read refused."""
    async with world.client.results() as results, world.consumer(Worker()) as consumer:
        for place, body in enumerate(bodies):
            sent = Message(body, correlation_id=f"c-{place}", priority=priority, headers={"mine": "yes"})
            await world.broker.publish(world.topology.tasks, AGENT, sent)
            await within(anext(results))
        await within(consumer.stop(grace=2))


async def send_unrouted(world: World, agent: str, *messages: Message) -> None:
    for message in messages:
        await world.broker.publish(world.topology.tasks, agent, message)


async def test_each_reason_is_read_back(world: World) -> None:
    began = now()
    await bury(world, *ERRORS)
    await bury_by_hand(world, b"no task")
    async with world.client.results() as results, world.consumer(Worker()):
        lost = Message(b'{"prompt": "x", "id": "t-4"}', headers={REDELIVERIES_HEADER: 99})
        await world.broker.publish(world.topology.tasks, AGENT, lost)
        await within(anext(results))
    await send_unrouted(world, "nobody", Message(b'{"prompt": "x"}', correlation_id="t-5", timestamp=began))
    letters = await found(world)
    assert [(letter.task_id, letter.reason, letter.code) for letter in letters] == [
        ("t-0", "rejected", "invalid_task"),
        ("t-1", "permanent", "permanent"),
        ("t-2", "exhausted", "retryable"),
        ("c-0", "unreadable", "unreadable"),
        ("t-4", "poison", "poison"),
        ("t-5", "unrouted", "unknown_agent"),
    ]
    assert [letter.attempt for letter in letters] == [1, 1, 3, 1, 1, 1]
    assert [letter.agent for letter in letters] == [AGENT] * 5 + ["nobody"]
    assert [letter.has_result for letter in letters] == [True] * 5 + [False]
    assert [letter.host for letter in letters] == ["host-1"] * 5 + [None]
    assert len(letters[2].history) == 2
    assert letters[3].message.body == b"no task"
    second = timedelta(seconds=1)  # AMQP keeps times in whole seconds
    assert all(letter.failed_at and began - second <= letter.failed_at <= now() for letter in letters)
    await world.until_ready(world.topology.dead_queue(AGENT), 5)


async def test_letters_are_chosen_by_what_they_are(world: World) -> None:
    await bury(world, "rejected", "permanent", "permanent")
    await send_unrouted(world, "nobody", Message(b"{}", correlation_id="u-1"))

    async def finds(choice: Choice, *expected: str) -> None:
        async def does() -> bool:
            return sorted(letter.task_id for letter in await found(world, choice)) == [*expected]

        await wait_until(does, what=f"{expected}")  # a quorum queue has back what was looked at a moment later

    await finds(Choice(ids=frozenset({"t-1"})), "t-1")
    await finds(Choice(reason="permanent"), "t-1", "t-2")
    await finds(Choice(code="invalid_task"), "t-0")
    await finds(Choice(reason="unrouted"), "u-1")
    await finds(Choice(agents=frozenset({"nobody"})), "u-1")
    await finds(Choice(agents=frozenset({AGENT})), "t-0", "t-1", "t-2")
    await finds(Choice(before=now() - timedelta(days=1)))
    await finds(Choice(before=now()), "t-0", "t-1", "t-2")


async def test_a_replayed_task_runs_as_a_new_one_with_what_its_publisher_gave(world: World) -> None:
    await bury(world, "permanent")
    async with world.client.replies() as replies:
        async with world.client.results() as results, world.consumer(Worker(fail)) as consumer:
            task = b'{"prompt": "permanent", "id": "t-9", "metadata": {"k": 1}, "timeout": 60}'
            asked = Message(task, correlation_id="order-7", reply_to=replies.queue, priority=7, headers={"mine": "yes"})
            await world.broker.publish(world.topology.tasks, AGENT, asked)
            assert (await within(anext(results))).status is TaskStatus.FAILED
            assert (await within(anext(aiter(replies)))).task_id == "t-9"
            await wait_until(lambda: consumer.held == 0, what="the acknowledgement")
        steps = await replayed(dead_letters(world), Choice(ids=frozenset({"t-9"})))
        assert [(step.letter.task_id, step.task_id) for step in steps if isinstance(step, Replayed)] == [
            ("t-9", "t-9~1")
        ]
        async with world.broker.browse(world.queue) as waiting:
            sent = (await anext(waiting)).message
        assert (sent.priority, sent.correlation_id, sent.reply_to) == (7, "order-7", replies.queue)
        assert sent.headers.keys() - {"x-delivery-count"} == {"mine"}  # the count is a quorum queue's own
        assert sent.headers["mine"] == "yes"
        worker = Worker()
        (result,) = await done_again(world, worker, 1)
        assert (await within(anext(aiter(replies)))).task_id == "t-9~1"
    attempt = await worker.next()
    assert (attempt.number, attempt.task.priority, attempt.task.timeout) == (1, 7, 60)
    assert (result.task_id, result.status) == ("t-9~1", TaskStatus.COMPLETED)
    assert result.metadata == {"k": 1, "replay_of": "t-9"}
    assert [letter.task_id for letter in await found(world)] == ["t-0"]


async def test_a_replay_that_fails_at_once_is_a_new_letter_and_not_replayed_in_the_same_run(world: World) -> None:
    await bury(world, *["permanent"] * 3)
    async with world.consumer(Worker(fail), prefetch=3):
        steps = await within(replayed(dead_letters(world)))
        await world.until_ready(world.topology.dead_queue(AGENT), 3)
    assert len(steps) == 3
    assert {letter.task_id for letter in await found(world)} == {"t-0~1", "t-1~1", "t-2~1"}
    assert len(await replayed(dead_letters(world))) == 3
    await done_again(world, Worker(fail), 3)
    assert {letter.task_id for letter in await found(world)} == {"t-0~2", "t-1~2", "t-2~2"}


async def test_an_unreadable_body_is_replayed_byte_for_byte_under_its_new_id(world: World) -> None:
    await bury_by_hand(world, b"\xff no task", priority=3)
    assert len(await replayed(dead_letters(world))) == 1
    (refused,) = await done_again(world, Worker(), 1)
    assert (refused.task_id, refused.status) == ("c-0~1", TaskStatus.REJECTED)
    (letter,) = await found(world)
    assert (letter.task_id, letter.message.body, letter.priority) == ("c-0~1", b"\xff no task", 3)
    assert {name: letter.message.headers[name] for name in ("mine", "x-replay-of")} == {
        "mine": "yes",
        "x-replay-of": "c-0",
    }


async def test_a_letter_whose_replay_is_refused_stays_with_all_behind_it(world: World) -> None:
    await bury(world, *["permanent"] * 3)
    broker = Refusing(world.broker, world.topology.tasks)
    broker.refuses = False
    async with aclosing(dead_letters(world, broker).replay()) as steps:
        assert (await anext(steps)).letter.task_id == "t-0"
        broker.refuses = True
        with pytest.raises(QueueFull, match=r"agent 'worker' is full: 1 replayed, 't-1' and all behind it stay"):
            await anext(steps)
    await world.until_ready(world.topology.dead_queue(AGENT), 2)
    assert [letter.task_id for letter in await found(world)] == ["t-1", "t-2"]
    assert await world.ready(world.queue) == 1


async def test_a_letter_is_removed_only_after_its_replay_is_confirmed(world: World) -> None:
    await bury(world, "permanent")
    broker = LateConfirms(world.broker, world.topology.tasks)
    replaying = asyncio.create_task(replayed(dead_letters(world, broker)), name="replaying")
    await world.until_ready(world.queue, 1)
    replaying.cancel()  # a crash between publish and ack
    with pytest.raises(asyncio.CancelledError):
        await replaying
    await world.until_ready(world.topology.dead_queue(AGENT), 1)
    assert len(await replayed(dead_letters(world))) == 1
    assert await world.ready(world.queue) == 2
    worker = Worker()
    (result,) = await done_again(world, worker, 1)
    assert (worker.runs, result.task_id) == (1, "t-0~1")
    assert await found(world) == []


async def test_a_replay_that_may_be_a_second_one_says_so_in_its_result(world: World) -> None:
    await bury(world, "permanent")
    await found(world)
    await replayed(dead_letters(world))
    (result,) = await done_again(world, Worker(), 1)
    assert result.redelivered


async def test_leaving_a_replay_early_leaves_the_rest(world: World) -> None:
    await bury(world, *["permanent"] * 3)
    async with aclosing(dead_letters(world).replay()) as steps:
        await anext(steps)
    await world.until_ready(world.topology.dead_queue(AGENT), 2)
    assert await world.ready(world.queue) == 1


async def test_a_cut_in_mid_replay_loses_nothing_and_begins_again(world: World) -> None:
    await bury(world, *["permanent"] * 3)
    async with aclosing(dead_letters(world).replay()) as steps:
        await anext(steps)
        await world.cut()
        with pytest.raises(ConnectionLost):
            await within(anext(steps))

    async def returned() -> bool:
        return (await world.ready(world.topology.dead_queue(AGENT)) or 0) >= 2

    await wait_until(returned, what="the letters to be back")  # the first too, if its ack was lost with the connection
    await replayed(dead_letters(world))
    worker = Worker()
    ended = await done_again(world, worker, 3)
    assert ({result.task_id for result in ended}, worker.runs) == ({"t-0~1", "t-1~1", "t-2~1"}, 3)


async def test_an_unrouted_task_stays_until_its_agent_is_there_and_is_then_the_same_task(world: World) -> None:
    asked = Message(b'{"prompt": "x", "id": "u-1"}', priority=7, correlation_id="order-7", headers={"mine": "yes"})
    await send_unrouted(world, "late", asked)
    await send_unrouted(world, "No.Name", Message(b"{}", correlation_id="u-2"))
    steps = await replayed(dead_letters(world))
    assert [(type(step), step.letter.task_id) for step in steps] == [(Kept, "u-1"), (Kept, "u-2")]
    await world.until_ready(world.topology.unrouted, 2)
    await world.broker.declare(world.topology.agent("late"))
    steps = await replayed(dead_letters(world), Choice(agents=frozenset({"late"})))
    assert [(step.letter.task_id, step.task_id) for step in steps if isinstance(step, Replayed)] == [("u-1", "u-1")]
    sent = await world.take(world.topology.task_queue("late"))
    assert (sent.body, sent.priority, sent.correlation_id) == (asked.body, 7, "order-7")
    assert sent.headers["mine"] == "yes"
    await world.until_ready(world.topology.unrouted, 1)


async def test_a_letter_whose_agent_has_gone_stays(world: World) -> None:
    await bury(world, "permanent")
    await world.broker.delete_queue(world.queue)
    (step,) = await replayed(dead_letters(world))
    assert isinstance(step, Kept)
    await world.until_ready(world.topology.dead_queue(AGENT), 1)
    assert await world.ready(world.topology.unrouted) == 0


async def test_two_equal_unrouted_messages_without_an_id_are_two_tasks(world: World) -> None:
    await world.publish_plain("late", '{"prompt": "x"}', {})
    await world.publish_plain("late", '{"prompt": "x"}', {})
    await world.broker.declare(world.topology.agent("late"))
    assert len(await replayed(dead_letters(world))) == 2
    assert await world.ready(world.topology.task_queue("late")) == 2


async def test_a_purge_removes_what_is_chosen_and_tells_nobody_again(world: World) -> None:
    await bury(world, "permanent", "rejected")
    async with world.client.results() as results:
        gone = await purged(dead_letters(world), Choice(reason="permanent"))
        await send_unrouted(world, "nobody", Message(b"{}", correlation_id="u-1"))
        await purged(dead_letters(world), Choice(reason="unrouted"))
        assert (await within(anext(results))).task_id == "u-1"  # the first one since
    assert [letter.task_id for letter in gone] == ["t-0"]
    assert [letter.task_id for letter in await found(world)] == ["t-1"]


async def test_a_purged_unrouted_task_is_answered_before_it_is_removed(world: World) -> None:
    asked = b'{"prompt": "x", "id": "u-1", "parent_id": "p", "metadata": {"k": 1}}'
    async with world.client.results(agent="nobody") as results, world.client.replies() as replies:
        message = Message(asked, correlation_id="order-7", reply_to=replies.queue)
        await send_unrouted(world, "nobody", message)
        (letter,) = await purged(dead_letters(world))
        result = await within(anext(results))
        assert (await within(anext(aiter(replies)))).task_id == letter.task_id == "u-1"
    assert (result.status, result.agent, result.parent_id, result.metadata) == (
        TaskStatus.REJECTED,
        "nobody",
        "p",
        {"k": 1},
    )
    assert isinstance(result.error, TaskError)
    assert result.error.code == "unknown_agent"
    assert await world.ready(world.topology.unrouted) == 0


async def test_an_unrouted_task_stays_where_its_answer_cannot_be_published(world: World) -> None:
    await send_unrouted(world, "nobody", Message(b"{}"))
    with pytest.raises(QueueFull):
        await purged(dead_letters(world, Refusing(world.broker, world.topology.results)))
    await world.until_ready(world.topology.unrouted, 1)


@pytest.mark.parametrize("key", ["No.Such.Name", "x" * 240])
async def test_whatever_stands_in_its_routing_key_an_unrouted_message_is_answered(world: World, key: str) -> None:
    mailbox = world.topology.dead_queue("reader")
    await world.broker.declare(world.topology.agent("reader"))
    await send_unrouted(world, key, Message(b"\xff", reply_to=mailbox, correlation_id="c"))
    assert isinstance((await replayed(dead_letters(world)))[0], Kept)
    assert len(await purged(dead_letters(world))) == 1
    answer = decode_result(await world.take(mailbox))
    assert (answer.task_id, answer.agent, answer.status) == ("c", None, TaskStatus.REJECTED)


async def test_what_the_broker_itself_has_dead_lettered_has_no_result_yet_and_is_replayed_as_itself(
    world: World,
) -> None:
    deaths = [{"reason": "delivery_limit", "count": 1, "time": datetime(2026, 11, 22, 12, tzinfo=UTC)}]
    for place in range(2):
        body = f'{{"prompt": "x", "id": "t-{place}"}}'.encode()
        lost = Message(body, priority=Priority.HIGH, headers={"x-death": deaths, "mine": "yes"})
        await world.broker.publish(world.topology.dead, AGENT, lost)
    assert [(letter.reason, letter.code) for letter in await found(world)] == [("delivery_limit",) * 2] * 2
    async with world.client.results() as results:
        await purged(dead_letters(world), Choice(ids=frozenset({"t-1"})))
        answer = await within(anext(results))
    assert (answer.task_id, answer.status) == ("t-1", TaskStatus.FAILED)
    assert isinstance(answer.error, TaskError)
    assert answer.error.code == "delivery_limit"
    await replayed(dead_letters(world))
    (result,) = await done_again(world, Worker(), 1)
    assert (result.task_id, result.status) == ("t-0", TaskStatus.COMPLETED)


async def test_missing_queues_are_passed_over(world: World) -> None:
    await world.broker.delete_queue(world.topology.unrouted)
    assert await found(world) == []
