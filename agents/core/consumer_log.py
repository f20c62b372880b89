"""What a host's log says of its consumers: a cut that takes a hundred of them is one line, and so is their return."""

import asyncio

import structlog

from bus.broker import ConsumerState

log = structlog.get_logger(__name__)


class ConsumerLog:
    """Gathers what changes with the consumers of one host until somebody has it told."""

    def __init__(self, host: str) -> None:
        self.has_news = asyncio.Event()
        """Set by a loss or a return that is still to be told."""
        self._host = host
        self._away: set[str] = set()
        self._lost: set[str] = set()
        self._back: set[str] = set()

    def note(self, agent: str, state: ConsumerState, losses: int) -> None:
        """Note an agent's new state. Starts, pauses and stops are told by the host, once for all its agents."""
        log.debug("agent.consumer", agent=agent, state=state.value, losses=losses)
        if state is ConsumerState.LOST:
            self._away.add(agent)
            self._lost.add(agent)
            self.has_news.set()
        elif agent in self._away:
            self._away.discard(agent)
            if state is not ConsumerState.STOPPED:
                self._back.add(agent)
                self.has_news.set()

    def tell(self) -> None:
        """Write a line on all that were lost since the last call, and one on all that came back."""
        if self._lost:
            log.warning("host.consumers_lost", host=self._host, agents=len(self._lost), first=min(self._lost))
        if self._back:
            log.info("host.consumers_back", host=self._host, agents=len(self._back), away=len(self._away))
        self._lost.clear()
        self._back.clear()
