"""What becomes of each delivery of one agent: decode, decide, wait for a slot, work, settle."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from bus.admission import Known, before_work
from bus.cancellations import Cancellations
from bus.codec import IncomingTask, receive_task
from bus.ending import end_tasks
from bus.errors import ConnectionLost
from bus.fingerprint import fingerprint
from bus.held import held_tasks
from bus.hold import Hold
from bus.inflight import Entry, InFlight
from bus.message import Delivery
from bus.outcome import HandedBack, Outcome, outcome_of_cancel
from bus.patience import Patience
from bus.retry import RetryPolicy
from bus.returns import Returns
from bus.runner import Runner
from bus.settlement import Settlement
from bus.slots import Slots, Turn
from bus.suspects import SETTLING_SECONDS, Suspects, is_suspect
from bus.task_publisher import TaskPublisher
from bus.topology import MAX_PRIORITY
from schemas import EventKind, HeldTask, TaskStatus, Timestamp, now

log = structlog.get_logger(__name__)

COOLING_SECONDS: Final = 0.5
"""A task that is handed back while the consumer goes on consuming is held this long first: without it, a queue with
one task and an outage that nobody has noticed yet would be a hot loop."""

CRASH_SECONDS: Final = 5.0
"""Before a delivery goes back that a fault of ours kept from its settlement."""


OnLeave = Callable[[Hold], None]


class Reception:
    """Attends to the deliveries of one agent, each in a task of its own, `slots` handlers at once."""

    def __init__(
        self,
        publisher: TaskPublisher,
        inflight: InFlight,
        runner: Runner,
        settlement: Settlement,
        *,
        agent: str,
        slots: int,
        policy: RetryPolicy,
        patience: Patience,
        rungs_ms: tuple[int, ...],
        cancellations: Cancellations,
        suspects: Suspects,
        returns: Returns | None,
    ) -> None:
        self._publisher = publisher
        self._inflight = inflight
        self._runner = runner
        self._settlement = settlement
        self._agent = agent
        self._policy = policy
        self._patience = patience
        self._rungs_ms = rungs_ms
        self._cancellations = cancellations
        self._suspects = suspects
        self._returns = returns
        self._slots = Slots(slots)
        self._reason: str | None = None
        self._shut = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: dict[asyncio.Task[None], Hold] = {}
        self.last_delivery: Timestamp | None = None
        """When the latest one came."""
        self.on_leave: OnLeave | None = None
        """Called with what is not held any more."""

    @property
    def is_idle(self) -> bool:
        """Whether it attends to nothing."""
        return not self._tasks

    @property
    def held(self) -> int:
        """Tasks in hand, unsettled."""
        return self._inflight.held

    @property
    def in_hand(self) -> list[HeldTask]:
        """Those tasks; see `bus.held`."""
        return held_tasks(self._inflight.entries, self._runner.runs, time.monotonic(), now())

    @property
    def running(self) -> int:
        """Handlers that run."""
        return self._runner.running

    @property
    def waiting(self) -> int:
        """Of the handlers that run, those that only wait for their turn."""
        return self._runner.waiting

    @property
    def ended(self) -> Counter[TaskStatus]:
        """Terminal results so far, by status."""
        return self._settlement.ended

    def receive(self, delivery: Delivery) -> Hold:
        """Attend to a delivery, from now to its settlement."""
        self.last_delivery = now()
        hold = Hold(self._agent, min(delivery.message.priority or 0, MAX_PRIORITY))
        # A context of its own: what the broker calls this from must not colour the logs or the scope of a task.
        attending = self._attend(delivery, hold)
        task = asyncio.create_task(attending, name=f"delivery:{self._agent}", context=Context())
        self._tasks[task] = hold
        self._idle.clear()
        task.add_done_callback(self._leave)
        return hold

    def turn_away(self, reason: str | None) -> None:
        """Hand back what waits for a slot, and what comes, until `admit`."""
        self._reason = reason
        self._shut.set()
        self._slots.shut()

    def admit(self) -> None:
        """Let deliveries work again."""
        self._reason = None
        self._shut.clear()
        self._slots.open()

    def add_slot(self) -> None:
        """Have one handler more at once."""
        self._slots.release()

    async def until_idle(self) -> None:
        """Wait until nothing is left in hand."""
        await self._idle.wait()

    async def end(self) -> None:
        """Cancel what is in hand, unsettled."""
        await end_tasks(self._tasks)

    def _leave(self, task: asyncio.Task[None]) -> None:
        hold = self._tasks.pop(task)
        if not self._tasks:
            self._idle.set()
        if self.on_leave is not None:
            self.on_leave(hold)

    async def _attend(self, delivery: Delivery, hold: Hold) -> None:
        # For all lines of its context, which is this delivery's alone.
        bind_contextvars(host=self._publisher.host, agent=self._agent)
        try:
            await self._take_in(delivery, hold)
        except Exception:
            log.exception("delivery.crashed")
            await self._give_back_slowly([delivery], hold)

    async def _give_back_slowly(self, deliveries: list[Delivery], hold: Hold) -> None:
        # After a fault of ours, not of the task. Kept, it would cost a slot for good.
        await asyncio.sleep(CRASH_SECONDS)
        hold.went_back = True
        for delivery in deliveries:
            with contextlib.suppress(ConnectionLost):
                await delivery.requeue()

    async def _take_in(self, delivery: Delivery, hold: Hold) -> None:
        delivered_at = time.monotonic()
        received = receive_task(delivery.message, self._agent, now())
        told = await self._was_told(received, delivery)
        incoming = self._inflight.recognise(received, delivery)
        bind_contextvars(task=incoming.task.id)
        if self._inflight.join(incoming, delivery):
            log.info("delivery.joined")
        elif self._inflight.has_ended(incoming):
            await self._settlement.settle_duplicate(incoming, delivery)
        else:
            returned = self._inflight.was_returned(incoming) or told
            known = self._known(incoming, came_back=delivery.redelivered and not returned)
            waited = max(0.0, (known.now - incoming.task.created_at).total_seconds())
            entry = self._inflight.begin(incoming, delivery, waited, delivered_at)
            entry.returned = returned
            await self._attend_to_new(entry, known, hold)

    async def _was_told(self, received: IncomingTask, delivery: Delivery) -> bool:
        """Whether another host has said that it handed this delivery back."""
        if self._returns is None or not delivery.redelivered or self._publisher.broker_counts:
            return False
        digest = fingerprint(delivery.message)
        if self._inflight.explains(received):
            return self._returns.take(digest)
        return await self._returns.take_soon(digest)

    async def _attend_to_new(self, entry: Entry, known: Known, hold: Hold) -> None:
        try:
            with self._publisher.processing(entry):
                await self._attend_to(entry, known, hold)
        except Exception:
            log.exception("delivery.crashed")
            await self._give_back_slowly(entry.deliveries, hold)
        finally:
            # Settled or not: what is delivered again after a fault of ours must not join a task that is over.
            self._inflight.forget(entry)

    def _known(self, incoming: IncomingTask, *, came_back: bool) -> Known:
        return Known(
            now=now(),
            host=self._publisher.host,
            cancelled=incoming.task.id in self._cancellations,
            cancel_reason=self._cancellations.reason_of(incoming.task.id),
            came_back=came_back and not self._publisher.broker_counts,
            suspect_at_work=self._suspects.at_work,
            still_running=self._runner.works_on(incoming.key),
        )

    async def _attend_to(self, entry: Entry, known: Known, hold: Hold) -> None:
        bind_contextvars(attempt=entry.attempt)
        log.debug("delivery.accepted", priority=hold.priority, seconds=round(entry.queue_wait, 3))
        early = before_work(entry, known, self._rungs_ms, self._policy.max_redeliveries)
        if early is not None:
            await self._settlement.settle(entry, early)
        elif is_suspect(entry.envelope.redeliveries, self._policy.max_redeliveries):
            with self._suspects.working_on():
                await self._until_shut(SETTLING_SECONDS)
                await self._work_on(entry, hold)
        else:
            await self._work_on(entry, hold)

    async def _work_on(self, entry: Entry, hold: Hold) -> None:
        self._publisher.event(entry, EventKind.ACCEPTED, queue_wait=entry.queue_wait)
        if not await self._has_slot(hold):
            hold.went_back = True
            await self._settlement.settle(entry, HandedBack(hold.reason or self._reason or "no slot was free in time"))
            return
        try:
            if entry.is_orphan:
                log.info("delivery.lost", reason="it was taken away while it waited: it comes again")
                return
            outcome = await self._outcome_of_work(entry, hold)
            await self._cool(outcome, hold)
            await self._settlement.settle(entry, outcome)
        finally:
            self._slots.release()

    async def _has_slot(self, hold: Hold) -> bool:
        turn = Turn(hold.priority)
        hold.waiting = turn
        try:
            async with asyncio.timeout(self._patience.for_slot):
                return await self._slots.acquire(turn)
        except TimeoutError:
            return False

    async def _outcome_of_work(self, entry: Entry, hold: Hold) -> Outcome:
        # Cancelled while it waited for a slot.
        if entry.task.id in self._cancellations:
            return outcome_of_cancel(entry, self._cancellations.reason_of(entry.task.id), 0.0)
        return await self._runner.run(entry, hold)

    async def _cool(self, outcome: Outcome, hold: Hold) -> None:
        if isinstance(outcome, HandedBack):
            hold.went_back = True
            if not hold.is_leaving:
                await self._until_shut(COOLING_SECONDS)

    async def _until_shut(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._shut.wait()
