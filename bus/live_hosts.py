"""Which hosts live now, as far as the broker knows: those that still listen where they said that they would."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Final

import structlog

from bus.broker import Broker
from bus.control import HELLO_SECONDS, controls_since
from bus.errors import BusError
from bus.queue_infos import queue_infos
from bus.remembering import remember
from bus.topology import Topology
from schemas import Hello

log = structlog.get_logger(__name__)

LOOK_BACK: Final = timedelta(seconds=HELLO_SECONDS) + timedelta(hours=1)
"""Within it, each host that lives has said hello; an hour for one that could not at once."""

LOOK_SECONDS: Final = 0.7
"""What a look may take: who wants to know has something else to do meanwhile, and can do without."""

NAMESAKES: Final = 3
"""Processes of one name whose queues are looked at, those that came last: more than two are restarts, mostly."""

MOST: Final = 100
"""Processes whose queues are looked at: more that have come and gone within a day take too long."""


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
    hellos = await _hellos(broker, topology)
    if hellos is None or len(hellos) > MOST:
        return None
    crews: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for queue, info in (await queue_infos(broker, list(hellos))).items():
        if info.consumers:
            crews[hellos[queue].host] |= frozenset(hellos[queue].agents)
    return crews


async def _hellos(broker: Broker, topology: Topology) -> dict[str, Hello] | None:
    """Return the last word of each process by the queue that it listens to; None where a host does not say which.

    By the queue, since two processes may share a name: the one that came last may be the first to go.
    """
    by_host: defaultdict[str, OrderedDict[str, Hello]] = defaultdict(OrderedDict)
    silent: set[str] = set()
    async with aclosing(controls_since(broker, topology, LOOK_BACK)) as controls:
        async for control in controls:
            if isinstance(control, Hello) and control.queue is None:
                silent.add(control.host)
            elif isinstance(control, Hello) and control.queue is not None:
                silent.discard(control.host)  # it was updated since
                remember(by_host[control.host], control.queue, control, NAMESAKES)
    return None if silent else {queue: hello for crew in by_host.values() for queue, hello in crew.items()}
