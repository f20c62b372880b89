"""DeafBroker: an in-memory broker whose connections are in the state that a test says."""

from bus.broker import LinkState
from bus.memory import MemoryBroker


class DeafBroker(MemoryBroker):
    """Set `link`; what is asked of it is answered all the same."""

    link = LinkState.CONNECTED

    @property
    def links(self) -> dict[str, LinkState]:
        """Both alike."""
        return {"consuming": self.link, "publishing": self.link}
