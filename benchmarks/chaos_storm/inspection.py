"""Whether the fleet is well once a storm is over: hosts answer, queues are empty, consumers are there."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import httpx

from benchmarks.chaos_storm.agents import probe_of
from benchmarks.chaos_storm.workload import SHARED_AGENTS, Course
from bus.broker import DEFAULT_EXCHANGE, Broker
from bus.codec import encode_task
from bus.errors import BusError
from bus.topology import Topology
from schemas import TaskMessage

PROBE_SECONDS: Final = 60.0
"""Within which a host has to do a task of its own: it may have been killed a moment ago."""

SETTLE_SECONDS: Final = 45.0
"""Within which the queues have to be empty: a second copy of a task may still be on the ladder."""

_POLL_SECONDS: Final = 0.5
_GUEST: Final = ("guest", "guest")


class Inspection:
    """Looks at a fleet through the broker and its management API. Each method returns what is wrong, in sentences."""

    def __init__(self, broker: Broker, topology: Topology, management_url: str, hosts: Sequence[str]) -> None:
        self._broker = broker
        self._topology = topology
        self._url = management_url
        self._hosts = hosts

    async def probe(self, ended: Callable[[], Iterable[str]], round_: str) -> list[str]:
        """Give each host a task of its own. `ended` are the ids of all tasks with a result; `round_` names this one."""
        ids = {host: f"probe-{round_}-{host}" for host in self._hosts}
        deadline = time.monotonic() + PROBE_SECONDS
        for host, task_id in ids.items():
            with contextlib.suppress(BusError):  # that no result comes tells enough
                await self._send(probe_of(host), task_id)
        while silent := [host for host, task_id in ids.items() if task_id not in ended()]:
            if time.monotonic() > deadline:
                return [f"{host} did not do its own task within {PROBE_SECONDS:g} s" for host in silent]
            await asyncio.sleep(_POLL_SECONDS)
        return []

    async def queues(self, *, consumed: bool) -> list[str]:
        """Wait until all work is done and, if `consumed`, each queue has its consumers."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while faults := await self._faults(consumed=consumed):
            if time.monotonic() > deadline:
                return faults
            await asyncio.sleep(_POLL_SECONDS)
        return []

    async def dead_letters(self) -> Counter[str]:
        """Return the ids of the tasks in the dead-letter queues, each as often as it lies there."""
        found = Counter[str]()
        for agent in SHARED_AGENTS:
            async with self._broker.browse(self._topology.dead_queue(agent)) as letters:
                found.update([letter.message.correlation_id or "" async for letter in letters])
        return found

    async def _send(self, agent: str, task_id: str) -> None:
        task = TaskMessage(
            id=task_id, agent=agent, prompt="Are you there?", data={"course": Course.FINE.value, "seconds": 0}
        )
        queue = self._topology.task_queue(agent)
        while await self._broker.queue_info(queue) is None:  # noqa: ASYNC110 - a queue tells nobody that it is there
            await asyncio.sleep(_POLL_SECONDS)
        # Straight to the queue: it may not be bound yet, and the witness of the exchange takes what has no other way.
        await self._broker.publish(DEFAULT_EXCHANGE, queue, encode_task(task))

    async def _faults(self, *, consumed: bool) -> list[str]:
        try:
            return self._faults_of(await self._rows(), consumed=consumed)
        except httpx.HTTPError as error:
            return [f"the management API does not answer: {error!r}"]

    async def _rows(self) -> Mapping[str, Mapping[str, Any]]:
        async with httpx.AsyncClient(base_url=self._url, auth=_GUEST, timeout=10) as api:
            rows = (await api.get("/api/queues/%2F")).raise_for_status().json()
        return {row["name"]: row for row in rows}

    def _faults_of(self, rows: Mapping[str, Mapping[str, Any]], *, consumed: bool) -> list[str]:
        told = []
        working = (f"{self._topology.tasks}.", f"{self._topology.delay}.", self._topology.unrouted)
        for name, row in rows.items():
            ready, unacked = _count(row, "messages_ready"), _count(row, "messages_unacknowledged")
            if name.startswith(working) and ready + unacked > 0:
                told.append(f"{name} still holds {ready} ready and {unacked} unacknowledged messages")
        for name, wanted in self._consumers().items() if consumed else ():
            if (found := _count(rows.get(name, {}), "consumers")) != wanted:
                told.append(f"{name} has {found} consumers instead of {wanted}")
        return told

    def _consumers(self) -> Mapping[str, int]:
        shared = {self._topology.task_queue(agent): len(self._hosts) for agent in SHARED_AGENTS}
        return shared | {self._topology.task_queue(probe_of(host)): 1 for host in self._hosts}


def _count(row: Mapping[str, Any], field: str) -> int:
    return int(row.get(field) or 0)
