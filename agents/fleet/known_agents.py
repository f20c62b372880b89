"""The agents that the control log names: of those whose hosts are down, no report tells."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from typing import Final

import structlog

from bus.broker import Broker
from bus.control import LOG_DAYS, crews_since
from bus.errors import BusError, TopologyError
from bus.topology import Topology

SILENT_SECONDS: Final = 15.0
"""Without a word from the log, after which it is left: its nodes may be down."""

AGAIN_SECONDS: Final = 60.0
"""Before it is read once more."""

log = structlog.get_logger(__name__)

Expect = Callable[[Collection[str]], None]
"""Called with the agents of each host, as the log is read."""


async def expect_known_agents(broker: Broker, topology: Topology, expect: Expect) -> None:
    """Tell which agents had hosts in the last days. Returns once the log has been read to its end, or is not there."""
    while True:
        try:
            await _read(broker, topology, expect)
        except TopologyError:
            return
        except (BusError, TimeoutError) as error:
            reason = str(error) or f"no word in {SILENT_SECONDS:g} s"
            log.warning("fleet.control_log_silent", reason=reason, again_in=AGAIN_SECONDS)
        else:
            return
        await asyncio.sleep(AGAIN_SECONDS)


async def _read(broker: Broker, topology: Topology, expect: Expect) -> None:
    """Read on as long as it speaks, however long all of it takes."""
    clock = asyncio.get_running_loop().time
    crews = crews_since(broker, topology, LOG_DAYS)
    async with asyncio.timeout(SILENT_SECONDS) as limit, aclosing(crews):
        async for agents in crews:
            limit.reschedule(clock() + SILENT_SECONDS)
            expect(agents)
