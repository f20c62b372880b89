"""A schedule over several servers with short names, for tests of its order."""

from itertools import count

from agents.core.requests.entry import Entry
from agents.core.requests.schedule import Schedule


class ServerLine:
    """A schedule over the servers "1", "2", ...; names of entries are letters, time is set by hand."""

    def __init__(self, slots: int = 1, servers: str = "12", lanes_in_flight: int = 1) -> None:
        self.schedule = Schedule(slots, 30.0, lanes_in_flight, tuple(servers))
        self.now = 0.0
        self._orders = count()

    def add(self, names: str, lane: str | None = None, priority: int = 4, server: str | None = None) -> None:
        """Let an entry wait for each letter."""
        for name in names:
            self.schedule.add(Entry(name, priority, lane, self.now, next(self._orders), server))

    def start(self) -> str:
        """Start all that may start: "a1 b2" is a on server 1, then b on server 2."""
        started = []
        while (start := self.schedule.start(self.now)) is not None:
            started.append(start.entry.id + start.server)
        return " ".join(started)

    def finish(self, names: str) -> None:
        """End an entry for each letter."""
        for name in names:
            self.schedule.finish(name, self.now)
