"""One outage from its first host to its figures."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.model_outage.figures import Figures, HostFigures, first_after, since
from benchmarks.model_outage.hosts import AGENT, SLOTS, HostOptions, RunningHost, running_host
from bus.broker import Broker
from bus.client import Client
from bus.connect import broker_at
from bus.ending import end_tasks
from bus.topology import Topology
from schemas import TaskResult

TOPOLOGY: Final = Topology()
QUEUE: Final = TOPOLOGY.task_queue(AGENT)

BEFORE_SECONDS: Final = 5.0
AFTER_SECONDS: Final = 5.0
"""The stream of tasks goes on so long beyond the outage."""

READY_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 300.0
SETTLE_SECONDS: Final = 1.0
"""From the last consumer's leave until the CPU of paused hosts is measured."""

LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """What an outage is made of. `seconds`: how long the server is away; `rate`: tasks a second."""

    hosts: int
    seconds: float
    rate: float
    is_wedged: bool
    """Whether the server goes on accepting requests, and even lists its models, but no model answers."""
    of_hosts: HostOptions


@dataclass(slots=True)
class Seen:
    """What was seen so far. Moments are monotonic seconds."""

    published: int = 0
    results: list[tuple[float, TaskResult]] = field(default_factory=list)
    looks: list[tuple[float, int, int]] = field(default_factory=list)
    """When, tasks ready in the queue, and its consumers."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The time in which all hosts were paused, from `began` to `ended`, when the server came back."""

    began: float
    ended: float
    cpu_percent: Sequence[float]
    """Of one core, by host."""

    def holds(self, moment: float) -> bool:
        """Say whether a moment lies in it."""
        return self.began <= moment < self.ended


Show = Callable[[str, Seen], None]


async def play(options: Options, show: Show) -> Figures:
    """Play one outage. What it starts ends with it, also where it fails or is cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(broker_at(options.of_hosts.amqp_url, "outage"))
        await broker.declare(TOPOLOGY.shared())
        client, seen = Client(broker, TOPOLOGY), Seen()
        results = await stack.enter_async_context(client.results())
        names = [f"host-{number}" for number in range(1, options.hosts + 1)]
        hosts = [await stack.enter_async_context(running_host(name, options.of_hosts)) for name in names]
        show("starting the hosts", seen)
        await _until_consumers(broker, options.hosts)
        await stack.enter_async_context(_watching(broker, results, seen))
        return await Outage(options, hosts, broker, client, seen, show).run()


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage under a steady stream of tasks."""

    options: Options
    hosts: Sequence[RunningHost]
    broker: Broker
    client: Client
    seen: Seen
    show: Show

    async def run(self) -> Figures:
        """Return the figures once each task has its result, or none came for too long."""
        async with _publishing(self.client, self.options.rate, self.seen):
            await self._pass("before the outage", BEFORE_SECONDS)
            pause = await self._pause()
            await asyncio.gather(*(_bring_back(host) for host in self.hosts))
            await self._pass("after the outage", AFTER_SECONDS)
        await self._drain()
        return self._figures(pause)

    async def _pause(self) -> Pause:
        came = time.monotonic()
        await asyncio.gather(*(_take_away(host, is_wedged=self.options.is_wedged) for host in self.hosts))
        self.show("the model server has gone", self.seen)
        await _until_consumers(self.broker, 0)
        await asyncio.sleep(SETTLE_SECONDS)
        began, used = time.monotonic(), [host.cpu_seconds() for host in self.hosts]
        await self._pass("all hosts are paused", max(LOOK_SECONDS, came + self.options.seconds - began))
        ended = time.monotonic()
        pairs = zip(self.hosts, used, strict=True)
        return Pause(began, ended, [(host.cpu_seconds() - before) / (ended - began) * 100 for host, before in pairs])

    async def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while len(self.seen.results) < self.seen.published and time.monotonic() < deadline:
            await self._pass("the last tasks", LOOK_SECONDS)

    async def _pass(self, step: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.show(step, self.seen)
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def _figures(self, pause: Pause) -> Figures:
        hosts = [_of_host(*row, pause.ended) for row in zip(self.hosts, pause.cpu_percent, strict=True)]
        ends = [at for at, _ in self.seen.results]
        probe = min((at for host in self.hosts if (at := _good_probe(host, pause.ended)) is not None), default=None)
        looks = [(ready, consumers) for at, ready, consumers in self.seen.looks if pause.holds(at)]
        return Figures(
            seconds=self.options.seconds,
            published=self.seen.published,
            statuses=dict(Counter(result.status.value for _, result in self.seen.results)),
            attempts=dict(Counter(result.attempt for _, result in self.seen.results)),
            ended_meanwhile=sum(pause.holds(at) for at in ends),
            depth=[ready for ready, _ in looks],
            consumers=[consumers for _, consumers in looks],
            back_to_probe=since(pause.ended, probe),
            probe_to_result=since(probe, first_after(probe, ends)),
            slots=SLOTS,
            hosts=hosts,
        )


def _of_host(host: RunningHost, cpu_percent: float, back: float) -> HostFigures:
    probe = _good_probe(host, back)
    first = first_after(probe, [one.at for one in host.model.answered if not one.is_probe])
    return HostFigures(host.name, cpu_percent, since(probe, first), host.model.most_requests, host.model.most_probes)


def _good_probe(host: RunningHost, back: float) -> float | None:
    return first_after(back, [one.at for one in host.model.answered if one.is_probe])


async def _take_away(host: RunningHost, *, is_wedged: bool) -> None:
    if is_wedged:
        host.model.gate = asyncio.Event()
    else:
        await host.port.die()


async def _bring_back(host: RunningHost) -> None:
    if host.model.gate is not None:
        host.model.gate.set()
        host.model.gate = None
    else:
        await host.port.come_back()


@contextlib.asynccontextmanager
async def _watching(broker: Broker, results: AsyncIterator[TaskResult], seen: Seen) -> AsyncIterator[None]:
    async def collect() -> None:
        async for result in results:
            seen.results.append((time.monotonic(), result))

    async def look() -> None:
        while True:
            info = await broker.queue_info(QUEUE)
            if info is not None:
                seen.looks.append((time.monotonic(), info.ready, info.consumers))
            await asyncio.sleep(LOOK_SECONDS)

    tasks = [asyncio.create_task(collect(), name="outage.results"), asyncio.create_task(look(), name="outage.looks")]
    try:
        yield
    finally:
        await end_tasks(tasks)


@contextlib.asynccontextmanager
async def _publishing(client: Client, rate: float, seen: Seen) -> AsyncIterator[None]:
    """Publish for the block."""

    async def publish() -> None:
        while True:
            # Every other one is streamed: the text that was handed on before the outage must cost no attempt either.
            await client.submit(AGENT, f"question {seen.published}", stream=seen.published % 2 == 1)
            seen.published += 1
            await asyncio.sleep(1 / rate)

    task = asyncio.create_task(publish(), name="outage.publish")
    try:
        yield
    finally:
        await end_tasks([task])


async def _until_consumers(broker: Broker, wanted: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while (found := await _consumers(broker)) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{QUEUE} has {found} consumers instead of {wanted} after {READY_SECONDS:g} s")
        await asyncio.sleep(LOOK_SECONDS)


async def _consumers(broker: Broker) -> int:
    info = await broker.queue_info(QUEUE)
    return 0 if info is None else info.consumers
