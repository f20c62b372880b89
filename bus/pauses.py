"""Why a consumer is paused: causes that come and go without each other. Pure."""

from enum import StrEnum
from typing import Final

SEPARATOR: Final = "; "
"""Between the reasons of several causes."""


class Cause(StrEnum):
    """What pauses a consumer, in the order in which the reasons are told."""

    STOPPING = "stopping"
    OPERATOR = "operator"
    OUTAGE = "outage"


class Pauses:
    """The causes of one consumer's pause, each with its reason in words. It may work once there is none."""

    def __init__(self) -> None:
        self._reasons: dict[Cause, str] = {}

    def begin(self, cause: Cause, reason: str) -> None:
        """Pause for `cause`; one that there is already gets the new reason."""
        self._reasons[cause] = reason

    def end(self, cause: Cause | None = None) -> None:
        """End the pause for `cause`, if there is one; without a cause, for all of them."""
        if cause is None:
            self._reasons.clear()
        else:
            self._reasons.pop(cause, None)

    @property
    def reason(self) -> str | None:
        """The reasons of all causes in one sentence, or None where there is no pause."""
        return SEPARATOR.join(self._reasons[cause] for cause in Cause if cause in self._reasons) or None
