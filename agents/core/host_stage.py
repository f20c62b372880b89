"""The stages of a host's life, as reports and the log tell them."""

from enum import StrEnum
from typing import Final


class HostStage(StrEnum):
    """The life of a host. The last three are the stages of a graceful stop."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    """It takes no more tasks; what runs may end within the grace period."""
    HANDING_BACK = "handing_back"
    """The grace period is over: what still runs goes back to its queue."""
    CLOSING = "closing"
    """Its last reports go out and its connections close."""


LEAVING: Final = frozenset((HostStage.DRAINING, HostStage.HANDING_BACK, HostStage.CLOSING))
"""The stages of a host that ends: it takes no task any more, whatever it is told."""
