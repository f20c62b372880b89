"""Deliver -> decode -> handle -> settle, for one agent's queue, with its life: start, pause, resume, stop."""

import asyncio
import contextlib
import time
from collections import Counter
from contextvars import Context
from typing import Final, Self

import structlog

from bus.admission import Known, before_work
from bus.broker import Broker, ConsumerState, OnState, Subscription
from bus.cancellations import Cancellations
from bus.codec import IncomingTask, receive_task
from bus.ending import end_tasks
from bus.endings import Endings
from bus.errors import ConnectionLost
from bus.inflight import Entry, InFlight
from bus.message import Delivery
from bus.outcome import HandedBack, Outcome, outcome_of_cancel
from bus.patience import Patience
from bus.retry import RetryPolicy
from bus.runner import Handler, Runner
from bus.settlement import Settlement, acknowledge
from bus.slots import Slots
from bus.suspects import SETTLING_SECONDS, Suspects, is_suspect
from bus.task_publisher import TaskPublisher
from bus.topology import Topology
from schemas import EventKind, TaskStatus, now

log = structlog.get_logger(__name__)

COOLING_SECONDS: Final = 0.5
"""A task that is handed back while the consumer goes on consuming is held this long first: without it, a queue with
one task and an outage that nobody has noticed yet would be a hot loop."""

CRASH_SECONDS: Final = 5.0
"""Before a delivery goes back that a fault of ours kept from its settlement."""

HAND_BACK_SECONDS: Final = 5.0
"""What the broker may take to end deliveries, and handing back once the grace period is over; the closing connection
does the rest."""


class Consumer:
    """Consumes the task queue of one agent, with `prefetch` handlers at once. Used inside `async with`.

    Handlers run in tasks of this consumer, not of the connection: a cut connection does not touch them.
    """

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        agent: str,
        handler: Handler,
        *,
        host: str,
        prefetch: int = 1,
        policy: RetryPolicy | None = None,
        patience: Patience | None = None,
        cancellations: Cancellations | None = None,
        suspects: Suspects | None = None,
    ) -> None:
        """`cancellations` and `suspects` are shared by the consumers of a process; each has its own without them."""
        self.agent = agent
        self.prefetch = prefetch
        self.reason: str | None = None
        """Why it is paused, or None."""
        self.on_state: OnState | None = None
        """Called with each new state, if somebody wants to know."""
        self.losses = 0
        """How often the consumer was taken away and came back: a cut, a deleted queue, a node that went."""
        self._broker = broker
        self._topology = topology
        self._tag = f"{agent}@{host}"
        self._publisher = TaskPublisher(broker, topology, agent, host)
        self._inflight = InFlight()
        self._policy = policy or RetryPolicy()
        self._patience = patience or Patience()
        self._cancellations = Cancellations() if cancellations is None else cancellations
        self._suspects = Suspects() if suspects is None else suspects
        self._runner = Runner(handler, self._publisher, self._policy, topology.rungs_ms, self._patience)
        self._settlement = Settlement(agent, self._publisher, self._inflight, self._restore, Endings(broker, topology))
        self._slots = Slots(prefetch)
        self._shut = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    @property
    def state(self) -> ConsumerState:
        """What the consumer does at the moment."""
        return ConsumerState.STOPPED if self._subscription is None else self._subscription.state

    @property
    def held(self) -> int:
        """Tasks in this consumer's hands, unsettled."""
        return self._inflight.held

    @property
    def running(self) -> int:
        """Handlers that run."""
        return self._runner.running

    @property
    def ended(self) -> Counter[TaskStatus]:
        """Terminal results so far, by status."""
        return self._settlement.ended

    async def __aenter__(self) -> Self:
        plan = self._topology.agent(self.agent)
        await self._broker.declare(plan)
        queue = self._topology.task_queue(self.agent)
        self._subscription = self._broker.subscribe(
            queue, self._receive, prefetch=self.prefetch, tag=self._tag, plan=plan, on_state=self._note_state
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End at once. What still runs is cancelled, unsettled: it goes back to the queue with the channel."""
        await end_tasks(self._tasks)
        await self._runner.close()
        if self._subscription is not None:
            await self._subscription.close()
            self._subscription = None
        # What was delivered between the two.
        await end_tasks(self._tasks)

    async def pause(self, reason: str) -> None:
        """Stop taking tasks. What runs goes on; what has not started is handed back."""
        self.reason = reason
        if self._subscription is not None:
            await self._subscription.pause()
        # Only now: handed back earlier, it would come straight back to this consumer.
        if self.reason is not None:
            self._turn_away()

    def resume(self) -> None:
        """Take tasks again."""
        self.reason = None
        self._shut.clear()
        self._slots.open()
        if self._subscription is not None:
            self._subscription.resume()

    def cancel(self, task_id: str, reason: str | None = None) -> None:
        """End a task that nobody wants any more: now if it runs here, else when it is delivered here."""
        self._cancellations.add(task_id, reason)
        if self._runner.cancel(task_id, reason):
            log.info("task.cancelled", agent=self.agent, task=task_id)

    async def stop(self, grace: float) -> None:
        """Stop for good, in stages: take nothing more, let what runs end within `grace` s, hand back the rest."""
        await self.close_intake()
        await self.drain(grace)
        await self.hand_back()

    async def close_intake(self) -> None:
        """First stage of a stop: take nothing more, and hand back what has not started."""
        self._settlement.is_leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self.pause("stopping")
        self._turn_away()

    async def drain(self, grace: float) -> None:
        """Second stage: let what runs end, for `grace` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()

    async def hand_back(self) -> None:
        """Third stage: end what still runs and hand it back."""
        if self._tasks:
            log.warning("consumer.handing_back", agent=self.agent, running=self.running)
            self._runner.hand_back_all("the host stopped before it was done")
            await self.drain(HAND_BACK_SECONDS)

    async def _restore(self) -> None:
        await self._broker.declare(self._topology.shared())
        await self._broker.declare(self._topology.agent(self.agent))

    def _note_state(self, state: ConsumerState) -> None:
        self.losses += state is ConsumerState.LOST
        if self.on_state is not None:
            self.on_state(state)

    def _turn_away(self) -> None:
        self._shut.set()
        self._slots.shut()

    def _receive(self, delivery: Delivery) -> None:
        # A context of its own: what the broker calls this from must not colour the logs or the scope of a task.
        task = asyncio.create_task(self._attend(delivery), name=f"delivery:{self.agent}", context=Context())
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    async def _attend(self, delivery: Delivery) -> None:
        try:
            await self._take_in(delivery)
        except Exception:
            log.exception("delivery.crashed", agent=self.agent)
            await self._give_back_slowly([delivery])

    async def _give_back_slowly(self, deliveries: list[Delivery]) -> None:
        # After a fault of ours, not of the task. Kept, it would cost a slot for good.
        await asyncio.sleep(CRASH_SECONDS)
        for delivery in deliveries:
            with contextlib.suppress(ConnectionLost):
                await delivery.requeue()

    async def _take_in(self, delivery: Delivery) -> None:
        delivered_at = time.monotonic()
        incoming = self._inflight.recognise(receive_task(delivery.message, self.agent, now()), delivery)
        if self._inflight.join(incoming, delivery):
            log.info("delivery.joined", agent=self.agent, task=incoming.task.id)
        elif self._inflight.has_ended(incoming):
            log.info("delivery.duplicate", agent=self.agent, task=incoming.task.id)
            await acknowledge(delivery)
        else:
            returned = self._inflight.was_returned(incoming)
            known = self._known(incoming, came_back=delivery.redelivered and not returned)
            waited = max(0.0, (known.now - incoming.task.created_at).total_seconds())
            entry = self._inflight.begin(incoming, delivery, waited, delivered_at)
            entry.returned = returned
            try:
                await self._attend_to(entry, known)
            except Exception:
                log.exception("delivery.crashed", agent=self.agent, task=entry.task.id)
                await self._give_back_slowly(entry.deliveries)
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

    async def _attend_to(self, entry: Entry, known: Known) -> None:
        with structlog.contextvars.bound_contextvars(agent=self.agent, task=entry.task.id, attempt=entry.attempt):
            early = before_work(entry, known, self._topology.rungs_ms, self._policy.max_redeliveries)
            if early is not None:
                await self._settlement.settle(entry, early)
            elif is_suspect(entry.envelope.redeliveries, self._policy.max_redeliveries):
                with self._suspects.working_on():
                    await self._until_shut(SETTLING_SECONDS)
                    await self._work_on(entry)
            else:
                await self._work_on(entry)

    async def _work_on(self, entry: Entry) -> None:
        self._publisher.event(entry, EventKind.ACCEPTED, queue_wait=entry.queue_wait)
        if not await self._has_slot():
            await self._settlement.settle(entry, HandedBack(self.reason or "no slot was free in time"))
            return
        try:
            if entry.is_orphan:
                log.info("delivery.lost", reason="it was taken away while it waited: it comes again")
                return
            outcome = await self._outcome_of_work(entry)
            await self._cool(outcome)
            await self._settlement.settle(entry, outcome)
        finally:
            self._slots.release()

    async def _has_slot(self) -> bool:
        try:
            async with asyncio.timeout(self._patience.for_slot):
                return await self._slots.acquire()
        except TimeoutError:
            return False

    async def _outcome_of_work(self, entry: Entry) -> Outcome:
        # Cancelled while it waited for a slot.
        if entry.task.id in self._cancellations:
            return outcome_of_cancel(entry, self._cancellations.reason_of(entry.task.id), 0.0)
        return await self._runner.run(entry)

    async def _cool(self, outcome: Outcome) -> None:
        if isinstance(outcome, HandedBack):
            await self._until_shut(COOLING_SECONDS)

    async def _until_shut(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._shut.wait()
