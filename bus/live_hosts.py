"""Which hosts live now, as far as the broker knows: those that still listen where they said that they would."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Final

import structlog

from bus.broker import Broker
from bus.control import HELLO_SECONDS, controls_since
from bus.errors import BusError
from bus.topology import Topology
from schemas import Hello

log = structlog.get_logger(__name__)

LOOK_BACK: Final = timedelta(seconds=HELLO_SECONDS) + timedelta(hours=1)
"""Within it, each host that lives has said hello; an hour for one that could not at once."""

LOOK_SECONDS: Final = 0.7
"""What a look may take: who wants to know has something else to do meanwhile, and can do without."""

MOST: Final = 100
"""Hosts whose queues are looked at: more that have come and gone within a day take too long."""


async def live_hosts(broker: Broker, topology: Topology) -> frozenset[str] | None:
    """Return the names of the hosts that are connected; None where `live_crews` does not know."""
    crews = await live_crews(broker, topology)
    return None if crews is None else frozenset(crews)


async def live_crews(broker: Broker, topology: Topology) -> Mapping[str, frozenset[str]] | None:
    """Return the agents of each host that is connected, by its name; None where that cannot be known.

    So it is without a control log, beside hosts of a version that does not say where it listens, and where the look
    takes more than `LOOK_SECONDS`.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await _live_crews(broker, topology)
    except (BusError, TimeoutError) as error:
        log.debug("live_hosts.unknown", reason=str(error) or "timed out")
        return None


async def _live_crews(broker: Broker, topology: Topology) -> Mapping[str, frozenset[str]] | None:
    hellos: dict[str, Hello] = {}
    async with aclosing(controls_since(broker, topology, LOOK_BACK)) as controls:
        async for control in controls:
            if isinstance(control, Hello):
                hellos[control.host] = control  # the newest one counts, of hosts that share a name too
    named = [hello.queue for hello in hellos.values() if hello.queue is not None]
    if len(named) < len(hellos) or len(hellos) > MOST:
        return None
    found = await asyncio.gather(*(broker.queue_info(queue) for queue in named))
    return {
        hello.host: frozenset(hello.agents)
        for hello, info in zip(hellos.values(), found, strict=True)
        if info is not None and info.consumers
    }
