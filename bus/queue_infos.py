"""Many queues asked for at once, though not all: each question takes a channel of its own at the broker."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bus.broker import Broker, QueueInfo

AT_ONCE: Final = 16
"""Queues that are asked for at a time: one after the other, a broker 20 ms away would take 8 s for 131."""


async def queue_infos(broker: Broker, names: Sequence[str]) -> dict[str, QueueInfo]:
    """Return the state of each queue by its name; one that is not there is left out.

    Raises:
        BusError: as `Broker.queue_info` does, for any of them.
    """
    found: dict[str, QueueInfo] = {}
    for some in (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE)):
        infos = await asyncio.gather(*map(broker.queue_info, some))
        found.update({info.name: info for info in infos if info is not None})
    return found
