"""What a pause for an outage says of itself, and the same without the server's fault. Pure."""

from typing import Final

from bus.pauses import SEPARATOR

REASON: Final = "the model server does not answer"


def without_fault(reason: str) -> str:
    """Return the reason of a pause without what is wrong with the servers, which their own reports tell.

    The outage is the last of the causes, so all that follows is its fault.
    """
    parts = reason.split(SEPARATOR)
    at = next((number for number, part in enumerate(parts) if part.startswith(f"{REASON}, ")), None)
    return reason if at is None else SEPARATOR.join((*parts[:at], REASON))
