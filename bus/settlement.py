"""Carries out an outcome: publish, have it confirmed, and only then settle. Nothing else settles a delivery."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from bus.answers import Answers
from bus.asker import Asker, asker_of, fitting
from bus.codec import IncomingTask
from bus.connection import back_off
from bus.endings import Endings
from bus.errors import BusError, ConnectionLost, MessageTooLarge, TopologyError, Unroutable
from bus.inflight import Entry, InFlight
from bus.message import Delivery
from bus.outcome import Buried, Finished, HandedBack, Outcome, Postponed, TriedAgain, buried, without_result
from bus.retry import Failure
from bus.shelf import Shelf
from bus.spans import settling
from bus.task_publisher import TaskPublisher, marked
from schemas import EventKind, TaskResult, TaskStatus

log = structlog.get_logger(__name__)

LINK_PAUSE_SECONDS: Final = 0.2
"""Between two looks whether a lost connection is back."""

_WITHOUT_WORK: Final = frozenset((TaskStatus.CANCELLED, TaskStatus.EXPIRED))

T = TypeVar("T")


Publish = Callable[[bool], Awaitable[T]]
"""Publishes and has it confirmed. Told True from the second try on: the first one may have arrived."""


OnResult = Callable[[TaskResult], None]


class Settlement:
    """Settles the deliveries of one consumer, with one branch for each outcome."""

    def __init__(
        self,
        agent: str,
        publisher: TaskPublisher,
        inflight: InFlight,
        restore: Callable[[], Awaitable[None]],
        endings: Endings,
        shelf: Shelf,
    ) -> None:
        """`restore` declares the agent's topology again, for a broker that has lost it. `shelf` keeps results."""
        self._agent = agent
        self._restore = restore
        self._publisher = publisher
        self._inflight = inflight
        self._endings = endings
        self._answers = Answers(agent, shelf)
        self.is_leaving = False
        """Whether the host stops. What is then handed back goes as a copy: the next host would take it for a crash."""
        self.ended: Counter[TaskStatus] = Counter()
        """Terminal results so far, by status."""
        self.retries = 0
        """Attempts that went to the ladder so far."""
        self.on_result: list[OnResult] = []
        """Called with each terminal result that the bus has confirmed. They must not raise."""

    async def settle(self, entry: Entry, outcome: Outcome) -> None:
        """Carry out the outcome of one attempt."""
        entry.is_settling = True
        with settling(self._agent, outcome):
            try:
                await self._carry_out(entry, outcome)
            except MessageTooLarge as error:
                # A copy is a little larger than what was published. Who came in under the limit by less ends here.
                failure = Failure("task_too_large", str(error), retryable=False)
                await self._carry_out(entry, buried(entry, TaskStatus.FAILED, failure, 0.0, "permanent"))

    async def settle_duplicate(self, incoming: IncomingTask, delivery: Delivery) -> None:
        """Settle a delivery of a task that has ended here, or goes on as a copy. It is not done again.

        Whoever asks with it gets the one terminal result: now, or once there is one.
        """
        log.info("delivery.duplicate")
        asker = asker_of(delivery.message, incoming.task.id)
        if asker is not None:
            repeats = delivery.redelivered or incoming.envelope.was_lost
            await self._hear(incoming, asker, repeats=repeats)
        for other in incoming.envelope.askers:
            await self._hear(incoming, other, repeats=True)
        await _tried(delivery.ack())

    async def _hear(self, incoming: IncomingTask, asker: Asker, *, repeats: bool) -> None:
        """Answer who asks for a task that is not held here; `repeats`: this may be the same asking as before."""
        if not self._inflight.is_over(incoming):
            self._answers.expect(incoming.key, asker)
        elif not (repeats and self._answers.has_told(incoming.key, asker)):
            await self._answer_again(incoming, asker)

    async def _answer_again(self, incoming: IncomingTask, asker: Asker) -> None:
        result = self._answers.result(incoming.key)
        if result is None:
            result = await self._endings.find(incoming.task, self._answers.ended_at(incoming.key))
        if result is None:
            log.warning("duplicate.unanswered", queue=asker.reply_to)
            return
        await self._publisher.reply(marked(result), asker)

    async def _carry_out(self, entry: Entry, outcome: Outcome) -> None:
        match outcome:
            case Finished(result):
                await self._finish(entry, result)
            case Buried(result, failure, reason):
                log.warning("task.buried", reason=reason, code=failure.code, error=failure.logged)
                await self._insist(lambda _: self._publisher.dead_letter(entry, reason, failure))
                await self._finish(entry, result)
            case TriedAgain():
                await self._try_again(entry, outcome)
            case Postponed(rung_ms, envelope, reason):
                log.info("task.postponed", reason=reason, seconds=rung_ms / 1000, redeliveries=envelope.redeliveries)
                await self._replace(entry, lambda again: self._publisher.later(entry, envelope, rung_ms, again=again))
            case HandedBack(reason):
                log.info("task.handed_back", reason=reason)
                await self._hand_back(entry)

    async def _ended_before(self, entry: Entry, status: TaskStatus, *, again: bool) -> TaskResult | None:
        """Return the terminal result that the task has: from somebody else, or from here if this is not the first try.

        It is looked for where a second one could contradict it. Work that is done twice mostly ends alike, and a look
        for each of them would hold up a whole fleet after a restart. Two unreadable bodies are never one task.
        """
        in_doubt = again or (entry.is_doubtful and status in _WITHOUT_WORK)
        return await self._endings.find(entry.task) if in_doubt and entry.incoming.fault is None else None

    async def _end_as_before(self, entry: Entry, before: TaskResult, dropped: TaskStatus) -> None:
        log.info("task.ended_before", status=before.status.value, dropped=dropped.value)
        # Who gave that result may have ended before the reply was sent.
        await self._conclude(entry, marked(before))

    async def _hand_back(self, entry: Entry) -> None:
        if self.is_leaving or self._publisher.must_copy_back(entry):
            await self._replace(entry, lambda again: self._publisher.hand_back(entry, again=again))
            return
        await self._publisher.returning(entry)
        self._inflight.give_back(entry)
        await _settle_all(entry, lambda delivery: delivery.requeue())

    async def _finish(self, entry: Entry, result: TaskResult) -> None:
        result = result.model_copy(update={"host": self._publisher.host})
        try:
            before = await self._publish(entry, result)
        except MessageTooLarge as error:
            result = without_result(result, "result_too_large", str(error))
            before = await self._publish(entry, result)
        if before is not None:
            await self._end_as_before(entry, before, result.status)
            return
        self.ended[result.status] += 1
        log.info("task.ended", status=result.status.value, seconds=round(result.processing_time, 3))
        await self._conclude(entry, result)

    async def _publish(self, entry: Entry, result: TaskResult) -> TaskResult | None:
        """Publish a terminal result, or return the one that the task has got meanwhile.

        A connection that is lost in between leaves both open: whether it has arrived, and whether another host has
        been given the task. So it is looked for before it is sent again.
        """

        async def publish(again: bool) -> TaskResult | None:
            before = await self._ended_before(entry, result.status, again=again)
            if before is None:
                await self._publisher.result(marked(result) if again else result, entry.message)
            return before

        with self._publisher.answering(result):
            return await self._insist(publish)

    async def _try_again(self, entry: Entry, outcome: TriedAgain) -> None:
        failure, rung_ms = outcome.failure, outcome.rung_ms
        log.info("task.retrying", seconds=outcome.seconds, code=failure.code, error=failure.logged)
        await self._replace(entry, lambda again: self._publisher.later(entry, outcome.envelope, rung_ms, again=again))
        self.retries += 1
        self._publisher.event(
            entry,
            EventKind.RETRYING,
            delay=outcome.seconds,
            next_attempt=entry.attempt + 1,
            error={"code": failure.code, "message": failure.message},
        )

    async def _replace(self, entry: Entry, publish: Publish[None]) -> None:
        """Publish a copy in the place of what was delivered. It bears who waits beside its own message."""
        entry.is_copied = True
        key, own = entry.incoming.key, asker_of(entry.message, entry.task.id)
        waiting = (*entry.asking, *self._answers.expected(key))
        entry.askers = fitting(asker for asker in waiting if asker != own)
        await self._insist(publish)
        self._answers.hand_over(key, entry.askers)
        acknowledged = await _settle_all(entry, lambda delivery: self._leave_to_copy(entry, delivery))
        self._inflight.replaced(entry, acknowledged=acknowledged)

    async def _leave_to_copy(self, entry: Entry, delivery: Delivery) -> None:
        asker, own = (asker_of(message, entry.task.id) for message in (delivery.message, entry.message))
        if asker is not None and asker not in (own, *entry.askers):
            await self._hear(entry.incoming, asker, repeats=True)
        await delivery.ack()

    async def _conclude(self, entry: Entry, result: TaskResult) -> None:
        """Tell the result to this process, answer all who asked, then acknowledge; also who asks meanwhile."""
        for tell in self.on_result:
            tell(result)
        told: set[Asker] = set()
        acknowledged = False
        while True:
            while (asker := self._untold(entry, told)) is not None:
                told.add(asker)
                await self._publisher.reply(result, asker)
            if not entry.deliveries:
                break
            acknowledged = await _tried(entry.deliveries.pop(0).ack())
        self._inflight.end(entry, acknowledged=acknowledged)
        self._answers.keep(entry.incoming.key, result, frozenset(told))

    def _untold(self, entry: Entry, told: set[Asker]) -> Asker | None:
        askers = (*entry.asking, *self._answers.expected(entry.incoming.key))
        return next((asker for asker in askers if asker not in told), None)

    async def _insist(self, publish: Publish[T]) -> T:
        """Publish until it succeeds. Meanwhile the task is unsettled, so nothing is lost whatever happens here."""
        attempt = 0
        while True:
            try:
                return await publish(attempt > 0)
            except MessageTooLarge:
                raise
            except BusError as error:
                attempt += 1
                tell = log.warning if attempt == 1 else log.debug
                tell("settlement.waiting", tries=attempt, reason=str(error))
                # A lost connection has its own back-off.
                await asyncio.sleep(LINK_PAUSE_SECONDS if isinstance(error, ConnectionLost) else back_off(attempt))
                await self._restore_after(error)

    async def _restore_after(self, error: BusError) -> None:
        if isinstance(error, Unroutable | TopologyError):
            with contextlib.suppress(BusError):
                await self._restore()


async def _settle_all(entry: Entry, settle: Callable[[Delivery], Awaitable[None]]) -> bool:
    """Settle all deliveries of a task, also those that join meanwhile; False if the last one was lost."""
    settled = False
    while entry.deliveries:
        settled = await _tried(settle(entry.deliveries.pop(0)))
    return settled


async def _tried(settling: Awaitable[None]) -> bool:
    try:
        await settling
    except ConnectionLost as error:
        log.info("delivery.lost", reason=str(error))
        return False
    log.debug("delivery.settled")
    return True
