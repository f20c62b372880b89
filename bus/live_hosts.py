"""Which hosts live now, as far as the broker knows: those that still listen where they said that they would."""

import asyncio
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
    """Return the names of the hosts that are connected; None where that cannot be known.

    So it is without a control log, beside hosts of a version that does not say where it listens, and where the look
    takes more than `LOOK_SECONDS`.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await _live_hosts(broker, topology)
    except (BusError, TimeoutError) as error:
        log.debug("live_hosts.unknown", reason=str(error) or "timed out")
        return None


async def _live_hosts(broker: Broker, topology: Topology) -> frozenset[str] | None:
    queues: dict[str, str | None] = {}
    async with aclosing(controls_since(broker, topology, LOOK_BACK)) as controls:
        async for control in controls:
            if isinstance(control, Hello):
                queues[control.host] = control.queue  # the newest one counts, of hosts that share a name too
    named = [queue for queue in queues.values() if queue is not None]
    if len(named) < len(queues) or len(queues) > MOST:
        return None
    found = await asyncio.gather(*(broker.queue_info(queue) for queue in named))
    return frozenset(host for host, info in zip(queues, found, strict=True) if info is not None and info.consumers)
