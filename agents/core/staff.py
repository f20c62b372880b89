"""Staff: the agents of a host with their consumers, and what those share, such as the bound on what they hold."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, Self

import structlog

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.entering import enter_all
from agents.core.model.lane import Lane
from agents.core.model.names import model_key
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.settings import Settings, SettingsError
from bus.arrivals import Arrivals
from bus.broker import Broker
from bus.cancellations import Cancellations
from bus.consumer import Consumer
from bus.intake import Intake
from bus.retry import RetryPolicy
from bus.returns import Returns
from bus.settlement import OnResult
from bus.shelf import Shelf
from bus.suspects import Suspects
from schemas import CancelTask

log = structlog.get_logger(__name__)

HELD_FOR_EACH_SLOT: Final = 4
"""Tasks that a host with many agents holds for each slot at its model servers: enough to group them by model, and to
begin the next while a result is on its way; few enough to leave a second host its share."""


class Staff:
    """Agents at their queues. Inside `async with` they consume."""

    def __init__(
        self, agents: Sequence[BaseAgentV2], settings: Settings, broker: Broker, pool: OllamaConnectionPool
    ) -> None:
        """The broker is open before the staff and after it.

        Raises:
            SettingsError: an agent's task timeout is more than the broker's patience for an acknowledgement, or its
                own retry policy is impossible.
        """
        self._settings = settings
        self._broker = broker
        self._pool = pool
        self._asking = [agent for agent in agents if agent.needs_model]
        self._models = {agent.name: model_key(agent.model) for agent in agents}
        self._cancellations = Cancellations()
        self._suspects = Suspects()
        self._shelf = Shelf()
        self.returns = Returns()
        """What other hosts say that they hand back."""
        self.intake = self._bounded_intake()
        """The bound on what is held, where there is one."""
        self.consumers = [self._consumer_of(agent) for agent in agents]
        self.pairs = list(zip(agents, self.consumers, strict=True))
        """Each agent with its consumer."""
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self.intake is not None:
                await stack.enter_async_context(self.intake)
            await enter_all(stack, self.consumers)
            if self.intake is not None:
                self.intake.all_are_in()
                await self._listen_for(self.intake, stack)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._exit.aclose()

    @property
    def waiting(self) -> int:
        """Of the handlers at work, those that only wait for their turn."""
        return sum(consumer.waiting for consumer in self.consumers)

    @property
    def running(self) -> int:
        """Handlers at work that do not wait."""
        return sum(consumer.running for consumer in self.consumers) - self.waiting

    @property
    def asking_the_model(self) -> list[Consumer]:
        """The consumers whose agents need a model."""
        return [consumer for agent, consumer in self.pairs if agent.needs_model]

    def tell_results_to(self, told: OnResult) -> None:
        """Have `told` called with each terminal result; see `Consumer.tell_results_to`."""
        for consumer in self.consumers:
            consumer.tell_results_to(told)

    def note_arrival(self, agent: str, priority: int) -> None:
        """Note that a task of this priority has come back to an agent's queue."""
        if self.intake is not None:
            self.intake.heard(agent, priority)

    def cancel(self, control: CancelTask) -> None:
        """End a task that nobody wants any more."""
        for consumer in self.consumers:
            if control.agent in (None, consumer.agent):
                consumer.cancel(control.task_id, control.reason)

    async def drain(self, grace: float) -> None:
        """Take no task any more, and let what runs end within `grace` seconds."""
        await asyncio.gather(*(consumer.close_intake() for consumer in self.consumers))
        await asyncio.gather(*(consumer.drain(grace) for consumer in self.consumers))

    async def hand_back(self) -> None:
        """End what still runs, and hand it back."""
        await asyncio.gather(*(consumer.hand_back() for consumer in self.consumers))

    def _consumer_of(self, agent: BaseAgentV2) -> Consumer:
        return Consumer(
            self._broker,
            self._settings.topology,
            agent.name,
            agent.handle,
            host=self._settings.host_name,
            prefetch=agent.max_concurrent_tasks,
            policy=policy_of(agent),
            patience=self._settings.patience(agent.task_timeout, agent.name),
            cancellations=self._cancellations,
            suspects=self._suspects,
            returns=self.returns,
            intake=self.intake if agent.needs_model else None,
            shelf=self._shelf,
        )

    def _bounded_intake(self) -> Intake | None:
        """Return the bound on what is held, where several agents share the model.

        One alone needs none but its prefetch: each slot that is freed lets its own queue deliver. Of several, one may
        hold a full window while the slots that are freed are another's, and what is urgent waits behind it unseen.
        """
        limits = [agent.max_concurrent_tasks for agent in self._asking]
        slots = self._pool.max_connections * len(self._pool.servers)
        least = max(HELD_FOR_EACH_SLOT * slots, *limits, 1)
        bound = least if self._settings.max_held is None else self._settings.max_held
        has_rivals = len(limits) > 1 and sum(limits) > slots
        return Intake(bound, prefers=self._is_loaded) if has_rivals or sum(limits) > bound else None

    async def _listen_for(self, intake: Intake, stack: AsyncExitStack) -> None:
        # Once the agents' queues are there: a task that reached the ear alone would seem to have arrived.
        names, host = [agent.name for agent in self._asking], self._settings.host_name
        arrivals = Arrivals(self._broker, self._settings.topology, host, names, intake.heard, intake.forget)
        await stack.enter_async_context(arrivals)
        intake.is_deaf = arrivals.is_deaf
        log.info("host.bounded", host=host, held=intake.bound, agents=len(names))

    def _is_loaded(self, agent: str) -> bool:
        loaded = self._pool.queue.loaded_lane
        return isinstance(loaded, Lane) and loaded.model == self._models[agent]


def policy_of(agent: BaseAgentV2) -> RetryPolicy:
    """Return the agent's own retry policy.

    Raises:
        SettingsError: its class makes an impossible one.
    """
    try:
        return agent.retry_policy
    except ValueError as error:
        raise SettingsError(f"agent {agent.name!r} cannot run: {error}") from None
