"""One agent's queue with its life: start, pause, resume, stop. What becomes of a delivery is in `bus.reception`."""

import asyncio
import contextlib
from collections import Counter
from datetime import datetime
from typing import Final, Self

import structlog

from bus.attempt import Handler
from bus.broker import Broker, ConsumerState, OnState, Subscription
from bus.cancellations import Cancellations
from bus.durations import Durations
from bus.endings import Endings
from bus.inflight import InFlight
from bus.intake import Intake, Share
from bus.message import Delivery
from bus.patience import Patience
from bus.pauses import Cause, Pauses
from bus.reception import Reception
from bus.retry import RetryPolicy
from bus.returns import Returns
from bus.runner import Runner
from bus.settlement import OnResult, Settlement
from bus.shelf import Shelf
from bus.suspects import Suspects
from bus.task_publisher import TaskPublisher
from bus.topology import Topology
from schemas import HeldTask, TaskStatus

log = structlog.get_logger(__name__)

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
        returns: Returns | None = None,
        intake: Intake | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        """All that is shared by the consumers of a process comes last.

        `cancellations`, `suspects`, `shelf`: each has its own without them. `returns`: what other hosts say that they
        hand back; without it, that counts as lost. `intake`: the bound on all that the process holds, where it has one.
        """
        self.agent = agent
        self.prefetch = prefetch
        self.on_state: OnState | None = None
        """Called with each new state and with each new reason of a pause, if somebody wants to know."""
        self.losses = 0
        """How often the consumer was taken away and came back: a cut, a deleted queue, a node that went."""
        self._broker = broker
        self._topology = topology
        self._tag = f"{agent}@{host}"
        self._intake = intake
        self._share: Share | None = None
        self._pauses = Pauses()
        policy, patience = policy or RetryPolicy(), patience or Patience()
        publisher, inflight = TaskPublisher(broker, topology, agent, host), InFlight()
        self._runner = Runner(handler, publisher, policy, topology.rungs_ms, patience)
        self._settlement = Settlement(
            agent,
            publisher,
            inflight,
            self._restore,
            Endings(broker, topology),
            Shelf() if shelf is None else shelf,
        )
        self._cancellations = Cancellations() if cancellations is None else cancellations
        self._reception = Reception(
            publisher,
            inflight,
            self._runner,
            self._settlement,
            agent=agent,
            slots=prefetch if intake is None else 0,
            policy=policy,
            patience=patience,
            rungs_ms=topology.rungs_ms,
            cancellations=self._cancellations,
            suspects=Suspects() if suspects is None else suspects,
            returns=returns,
        )
        self._subscription: Subscription | None = None

    def tell_results_to(self, told: OnResult) -> None:
        """Have `told` called, too, with each terminal result once it is confirmed; it must not raise.

        One that another host has given in the meantime is told as well, marked as `redelivered`.
        """
        self._settlement.on_result.append(told)

    @property
    def state(self) -> ConsumerState:
        """What the consumer does at the moment."""
        return ConsumerState.STOPPED if self._subscription is None else self._seen(self._subscription.state)

    @property
    def reason(self) -> str | None:
        """Why it is paused, or None."""
        return self._pauses.reason

    @property
    def held(self) -> int:
        """Tasks in this consumer's hands, unsettled."""
        return self._reception.held

    @property
    def in_hand(self) -> list[HeldTask]:
        """Those tasks, the first twenty."""
        return self._reception.in_hand

    @property
    def running(self) -> int:
        """Handlers that run."""
        return self._reception.running

    @property
    def waiting(self) -> int:
        """Of the handlers that run, those that only wait for their turn."""
        return self._reception.waiting

    @property
    def ended(self) -> Counter[TaskStatus]:
        """Terminal results so far, by status."""
        return self._reception.ended

    @property
    def attempts(self) -> int:
        """Handlers run so far."""
        return self._runner.started

    @property
    def durations(self) -> Durations:
        """How long the last handlers took that were not handed back."""
        return self._runner.durations

    @property
    def retries(self) -> int:
        """Attempts that failed in passing and went to the delay ladder so far."""
        return self._settlement.retries

    @property
    def last_delivery(self) -> datetime | None:
        """When a task came last."""
        return self._reception.last_delivery

    async def __aenter__(self) -> Self:
        plan = self._topology.agent(self.agent)
        await self._broker.declare(plan)
        self._subscription = self._broker.subscribe(
            self._topology.task_queue(self.agent),
            self._receive,
            # Where the host has a bound, more than one is fetched, in the order of priorities of all its queues.
            prefetch=self.prefetch if self._intake is None else 1,
            tag=self._tag,
            plan=plan,
            on_state=self._note_state,
            paused=self._intake is not None,
        )
        if self._intake is not None:
            self._share = self._intake.admit(self.agent, self.prefetch, self._subscription, self._reception.add_slot)
            self._reception.on_leave = self._share.left
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End at once. What still runs is cancelled, unsettled: it goes back to the queue with the channel."""
        if self._share is not None:
            self._share.step_aside()
        await self._reception.end()
        await self._runner.close()
        if self._subscription is not None:
            await self._subscription.close()
            self._subscription = None
        # What was delivered between the two.
        await self._reception.end()

    async def pause(self, reason: str, cause: Cause = Cause.OUTAGE) -> None:
        """Stop taking tasks. What runs goes on; what has not started is handed back.

        Pauses for different causes hold without each other: it takes tasks again once each of them is resumed.
        """
        self._pauses.begin(cause, reason)
        if self._share is not None:
            self._share.step_aside()
        if self._subscription is not None:
            before = self._subscription.state
            await self._subscription.pause()
            if self._subscription.state is before:
                self._tell()
        # Only now: handed back earlier, it would come straight back to this consumer.
        if self.reason is not None:
            self._reception.turn_away(self.reason)

    def resume(self, cause: Cause | None = None) -> None:
        """Take tasks again, unless another cause than this one pauses it; without a cause, in any case."""
        was_paused = self.reason is not None
        self._pauses.end(cause)
        if not was_paused or self.reason is not None:
            self._tell()
            return
        self._reception.admit()
        if self._share is not None:
            self._share.step_in()
            self._tell()
        elif self._subscription is not None:
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
                await self.pause("stopping", Cause.STOPPING)
        self._reception.turn_away(self.reason)

    async def drain(self, grace: float) -> None:
        """Second stage: let what runs end, for `grace` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._reception.until_idle()

    async def hand_back(self) -> None:
        """Third stage: end what still runs and hand it back."""
        if not self._reception.is_idle:
            log.warning("consumer.handing_back", agent=self.agent, running=self.running)
            self._runner.hand_back_all("the host stopped before it was done")
            await self.drain(HAND_BACK_SECONDS)

    async def _restore(self) -> None:
        await self._broker.declare(self._topology.shared())
        await self._broker.declare(self._topology.agent(self.agent))

    def _receive(self, delivery: Delivery) -> None:
        hold = self._reception.receive(delivery)
        if self._share is not None:
            self._share.took(hold)

    def _note_state(self, state: ConsumerState) -> None:
        if state is ConsumerState.LOST:
            self.losses += 1
            if self._share is not None:
                self._share.forget()
        if self.on_state is not None:
            self.on_state(self._seen(state))

    def _tell(self) -> None:
        """Tell what no change of the subscription tells: another reason, or a pause of what was shut already."""
        if self.on_state is not None:
            self.on_state(self.state)

    def _seen(self, state: ConsumerState) -> ConsumerState:
        is_full = state is ConsumerState.PAUSED and self.reason is None and self._share is not None
        return ConsumerState.FULL if is_full else state
