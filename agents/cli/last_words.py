"""What was said on the control exchange in the last days, as its log keeps it: who has greeted, and what was paused."""

import asyncio
import contextlib
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from bus.broker import Broker
from bus.control import LOG_DAYS, controls_since
from bus.errors import BusError
from bus.topology import Topology
from schemas import Control, Hello, PauseAgents

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.5
"""As long as hosts have to answer, during which the log is read."""


@dataclass(slots=True)
class LastWords:
    """The last host of each agent by the agent's name, and the orders to pause, oldest first."""

    homes: dict[str, str] = field(default_factory=dict)
    pauses: list[PauseAgents] = field(default_factory=list)

    def note(self, control: Control) -> None:
        """Take in what was said after all the rest."""
        if isinstance(control, Hello):
            self.homes.update(dict.fromkeys(control.agents, control.host))
        elif isinstance(control, PauseAgents):
            self.pauses.append(control)

    def paused_at(self, agent: str, host: str) -> datetime | None:
        """Return when an operator last said that this agent be paused on that host; None where nothing tells."""
        meant = (each for each in self.pauses if each.agent in (None, agent) and each.host in (None, host))
        return max((each.timestamp for each in meant), default=None)


async def last_words(broker: Broker, topology: Topology) -> LastWords:
    """Return what can be read within `LOOK_SECONDS`, the oldest words first; nothing without a control log."""
    words = LastWords()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS), aclosing(controls_since(broker, topology, LOG_DAYS)) as controls:
                async for control in controls:
                    words.note(control)
    except BusError as error:
        log.debug("control.log_missing", reason=str(error))
    return words
