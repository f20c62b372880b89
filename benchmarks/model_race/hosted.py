"""The whole way: tasks through RabbitMQ to a host with two agents, and their results back."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.host import Host
from agents.core.model.choice import ModelChoice
from agents.core.model.pool import make_pool
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestQueue
from agents.core.settings import load_settings
from benchmarks.model_race.figures import Passage, Run
from benchmarks.model_race.model_server import Server
from benchmarks.model_race.workload import MODELS, Order, system_prompt
from bus.broker import Broker, ConsumerState
from bus.client import Client
from bus.connect import broker_at
from bus.topology import Topology
from schemas import Priority, TaskMessage, TaskResult, TaskStatus, Usage
from tests.support.waiting import wait_until

PREFIX: Final = "model-race"
"""Names of its own, so that a race on a broker in use touches nobody's tasks."""

MAX_WAITING: Final = 1000


class Teller(BaseAgentV2):
    """Asks its model, and tells when it asked and when it had the answer, in monotonic seconds."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, config_path=None)
        self.models.choice = ModelChoice(MODELS[name])

    async def process_task(self, task: TaskMessage) -> dict[str, float]:
        """Return the two moments."""
        asked = time.monotonic()
        await self.query_ollama(task.prompt or "", system=system_prompt(self.name))
        return {"asked": asked, "answered": time.monotonic()}


class ArrivalQueue(RequestQueue):
    """First come, first served: what a pool does that knows neither models nor priorities."""

    async def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> str:
        """Take in a request at the end of the line."""
        return await super().submit(func, *args, **{**options, "lane": None, "priority": Priority.NORMAL})


@dataclass(frozen=True, slots=True)
class Way:
    """How a host treats the tasks.

    `make_queue` makes the queue before its slots, given their number; None takes the product's own. Without
    `has_priorities` all tasks are published with the same one.
    """

    make_queue: Callable[[int], RequestQueue] | None = None
    has_priorities: bool = False


GROUPED: Final = Way()
BY_PRIORITY: Final = Way(has_priorities=True)
AS_THEY_CAME: Final = Way(lambda slots: ArrivalQueue(MAX_WAITING, slots, max_retries=0))


def bounded(seconds: float) -> Way:
    """Return grouping under a bound of so many seconds for the model that waits."""
    return Way(lambda slots: RequestQueue(MAX_WAITING, slots, max_retries=0, lane_bound=seconds))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the race is run."""

    amqp_url: str
    server: Server
    slots: int


async def hosted(place: Place, orders: Sequence[Order], way: Way, note: Callable[[], None]) -> Run:
    """Publish all tasks at once to a host that waits for them; `note` is called with each result.

    Raises:
        RuntimeError: a task did not complete.
    """
    async with _client_beside_a_host(place, way) as client, client.results() as results:
        loads = place.server.loads
        zero = time.monotonic()
        ended: dict[str, TaskResult] = {}
        for order in orders:
            await client.send(task_of(order, way))
        async for result in results:
            ended[result.task_id] = _completed(result)
            note()
            if len(ended) == len(orders):
                break
        seconds = time.monotonic() - zero
    tokens = sum(_usage(result).tokens_out for result in ended.values())
    passages = [_passage(order, ended[order.id], zero) for order in orders]
    return Run(seconds, place.server.loads - loads, tokens, passages)


@asynccontextmanager
async def _client_beside_a_host(place: Place, way: Way) -> AsyncIterator[Client]:
    settings = load_settings(
        amqp_url=place.amqp_url,
        ollama_url=place.server.url,
        max_ollama_connections=place.slots,
        prefix=PREFIX,
        grace_period=1.0,
    )
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(broker_at(place.amqp_url, "model race"))
        await _clear(broker, settings.topology)
        stack.push_async_callback(_clear, broker, settings.topology)
        pool = make_pool(settings)
        if way.make_queue is not None:
            queue = await stack.enter_async_context(way.make_queue(place.slots))
            pool = OllamaConnectionPool(place.server.url, max_connections=place.slots, queue=queue)
        host = await stack.enter_async_context(Host([Teller(name) for name in MODELS], settings, pool=pool))
        await wait_until(lambda: all(consumer.state is ConsumerState.CONSUMING for consumer in host.consumers))
        yield Client(broker, settings.topology)


async def _clear(broker: Broker, topology: Topology) -> None:
    """Delete the race's queues: before, those of a race that was cut short; after, its own."""
    plans = [topology.shared(), *topology.logs(), *map(topology.agent, MODELS)]
    for queue in [queue for plan in plans for queue in plan.queues]:
        await broker.delete_queue(queue.name)


def task_of(order: Order, way: Way) -> TaskMessage:
    """Return the task as it is published."""
    priority = order.priority if way.has_priorities else Priority.NORMAL
    return TaskMessage(id=order.id, agent=order.agent, prompt=order.prompt, priority=priority, options=order.options)


def _completed(result: TaskResult) -> TaskResult:
    if result.status is not TaskStatus.COMPLETED:
        raise RuntimeError(f"task {result.task_id} ended as {result.status}: {result.error}")
    return result


def _usage(result: TaskResult) -> Usage:
    return result.usage or Usage()


def _passage(order: Order, result: TaskResult, zero: float) -> Passage:
    asked, answered = result.result["asked"] - zero, result.result["answered"] - zero
    usage = _usage(result)
    began = asked + usage.slot_wait
    return Passage(order.model, order.priority, asked, began, answered, usage.prompt_time, usage.generation_time)
