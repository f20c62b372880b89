"""Carries out a schedule of faults, and heals each when its time is over."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from benchmarks.chaos_storm.hosts import HostProcess
from benchmarks.chaos_storm.model_server import Mood, MoodyModel
from benchmarks.chaos_storm.schedule import Done, Fault, FaultKind
from bus.broker import Broker
from bus.errors import ConnectionLost
from bus.private_node import PrivateNode
from tests.support.ollama_port import OllamaPort
from tests.support.proxy import TcpProxy

log = structlog.get_logger(__name__)

TOOL_SECONDS: Final = 90.0
"""What `rabbitmqctl` may take; two seconds, where the machine has nothing else to do."""

_MOODS: Final = {
    FaultKind.MODEL_ERRORS: Mood.ERRORS,
    FaultKind.MODEL_BROKEN_STREAMS: Mood.BROKEN_STREAMS,
    FaultKind.MODEL_HANG: Mood.HANG,
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the storm can hit. `links` are the proxies to the broker, by the name of who uses them."""

    node: PrivateNode
    hosts: Mapping[str, HostProcess]
    links: Mapping[str, TcpProxy]
    model: MoodyModel
    model_port: OllamaPort
    broker: Broker
    reply_queue: str


class Storm:
    """Hits a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.done: list[Done] = []
        self.active: list[Fault] = []
        self._fleet = fleet
        self._node = asyncio.Lock()
        self._holds: Counter[tuple[FaultKind, str]] = Counter()
        self._ways: Mapping[FaultKind, Callable[[Fault], Awaitable[float]]] = {
            FaultKind.HOST_KILL: self._kill_host,
            FaultKind.HOST_TERM: self._terminate_host,
            FaultKind.TCP_DROP: self._drop_links,
            FaultKind.TCP_BLACKHOLE: self._swallow_bytes,
            FaultKind.BROKER_RESTART: self._restart_broker,
            FaultKind.MODEL_DOWN: self._take_model_down,
            FaultKind.REPLY_QUEUE_DELETED: self._delete_reply_queue,
            FaultKind.MEMORY_ALARM: self._raise_alarm,
            **dict.fromkeys(_MOODS, self._change_mood),
        }

    async def run(self, schedule: Sequence[Fault], began: float) -> None:
        """Carry out all faults, some of them at the same time; return when all are healed."""
        async with asyncio.TaskGroup() as group:
            for fault in schedule:
                group.create_task(self._carry_out(fault, began), name=f"fault:{fault.kind}")

    async def _carry_out(self, fault: Fault, began: float) -> None:
        await asyncio.sleep(max(0.0, began + fault.at - time.time()))
        self.active.append(fault)
        started = time.time()
        log.info("fault.begins", kind=fault.kind.value, target=fault.target, seconds=round(fault.seconds, 1))
        try:
            since = await self._ways[fault.kind](fault)
        finally:
            self.active.remove(fault)
        self.done.append(Done(fault, started, since))
        log.info("fault.over", kind=fault.kind.value, target=fault.target)

    async def _kill_host(self, fault: Fault) -> float:
        await self._fleet.hosts[fault.target].kill()
        return time.time()

    async def _terminate_host(self, fault: Fault) -> float:
        asked = time.time()
        await self._fleet.hosts[fault.target].terminate()
        return asked

    async def _drop_links(self, fault: Fault) -> float:
        await self._fleet.links[fault.target].drop()
        return time.time()

    async def _swallow_bytes(self, fault: Fault) -> float:
        link = self._fleet.links[fault.target]
        link.blackhole()
        if await self._is_last_after(fault):
            await link.heal()
        return time.time()

    async def _restart_broker(self, _fault: Fault) -> float:
        async with self._node:
            await in_thread(self._fleet.node.restart)
        return time.time()

    async def _raise_alarm(self, fault: Fault) -> float:
        await self._set_watermark("0")
        await asyncio.sleep(fault.seconds)
        await self._set_watermark("0.4")
        return time.time()

    async def _take_model_down(self, fault: Fault) -> float:
        await self._fleet.model_port.die()
        if await self._is_last_after(fault):
            await self._fleet.model_port.come_back()
        return time.time()

    async def _change_mood(self, fault: Fault) -> float:
        mood = _MOODS[fault.kind]
        await self._fleet.model.enter(mood)
        await asyncio.sleep(fault.seconds)
        await self._fleet.model.leave(mood)
        return time.time()

    async def _delete_reply_queue(self, _fault: Fault) -> float:
        while True:
            try:
                await self._fleet.broker.delete_queue(self._fleet.reply_queue)
                return time.time()
            except ConnectionLost as error:  # the broker is away for longer than one call waits
                log.info("fault.tried_again", kind="reply_queue_deleted", reason=str(error))

    async def _set_watermark(self, value: str) -> None:
        node = self._fleet.node
        async with self._node:
            await in_thread(lambda: node.rabbitmqctl("set_vm_memory_high_watermark", value, timeout=TOOL_SECONDS))

    async def _is_last_after(self, fault: Fault) -> bool:
        """Wait for the end of a fault; tell whether none of the same kind still hits the same target."""
        self._holds[fault.kind, fault.target] += 1
        await asyncio.sleep(fault.seconds)
        self._holds[fault.kind, fault.target] -= 1
        return self._holds[fault.kind, fault.target] == 0


async def in_thread(act: Callable[[], object]) -> None:
    """Do what blocks in a thread, to its end even where this is cancelled: half a restart would leave a node behind."""
    work = asyncio.create_task(asyncio.to_thread(act), name="storm.in_thread")
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.gather(work, return_exceptions=True)
        raise
