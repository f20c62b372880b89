"""Schedule: which of the waiting requests goes next, and to which model server. Pure: no asyncio, time is passed in.

All servers share one line; each has its own slots, lanes in flight and lanes in memory. An entry may start on a server
that is open (or that it is pinned to), has a free slot, and admits its lane. At most `lanes_in_flight` lanes run on a
server at once, unless more are known to be in its memory together: asking Ollama for a second model while the first is
busy can deadlock it. The order:

1. Priority, always, over all servers: while an entry of the highest waiting priority may start anywhere, it does. While
   its lane waits for a running one to drain, servers are set aside for it: as many as its waiting entries fill, first
   those that run it already, then those that started a lane the longest ago. Nothing of a lower priority starts there.
   So a lower priority gets only slots for which no higher entry waits; with one server, none.
2. Within a priority, a lane that has waited longer than its bound; of several, the one that has waited longest. While
   it cannot start, one server is set aside for it, chosen as above: the lanes that run there do not go on. Entries of
   no lane do, since they hinder no lane.
3. Then what costs no swap, in arrival order: entries of no lane, and lanes in the memory of a server that can take
   them. So a lane goes where it is loaded, and is loaded a second time only if that server is full.
4. Then the lane whose first entry arrived first. Within a lane, arrival order.

Of several servers for one entry: one that holds its lane, then one whose lanes nobody waits for, then the one that runs
least, then the one that started a lane the longest ago. No slot stays free that an entry may use by these rules.

A lane waits while it has entries and none of it runs on an open server, since its first entry arrived or it last ran
there, whichever is later. Counting from the entries' own arrival would make every lane overdue under a backlog, and
swap at each request. Entries pinned to a server count as a lane of their own, for that server alone.

The bound: let no slot be held longer than D. From when a lane of the highest waiting priority is overdue, it waits at
most (k + 1) * D, where k lanes and entries of no lane at its priority have waited as long or longer; so its whole wait
is at most `lane_bound` + (k + 1) * D. That needs that no server is shut, and that nothing of a higher priority comes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from agents.core.arguments import at_least, whole_at_least
from agents.core.requests.entry import Entry, Lane, Start
from agents.core.requests.last_runs import LastRuns
from agents.core.requests.line import Line, Waiters
from agents.core.requests.server import Server


class Schedule:
    """The waiting and the running entries of one or several model servers.

    Args:
        slots: entries that run at once on each server.
        lane_bound: seconds a lane may wait within its priority before it goes next, whatever is loaded. After that it
            waits only until what runs has drained, and for lanes that have waited longer.
        lanes_in_flight: lanes that run at once on each server.
        servers: their names; all are open at first.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self, slots: int, lane_bound: float = 30.0, lanes_in_flight: int = 1, servers: Sequence[str] = ("",)
    ) -> None:
        whole_at_least("slots", slots, 1)
        at_least("lane_bound", lane_bound, 0)
        whole_at_least("lanes_in_flight", lanes_in_flight, 1)
        if not servers or len(set(servers)) < len(servers):
            raise ValueError(f"servers is {tuple(servers)!r}: name at least one, and each only once")
        self.slots = slots
        self.lane_bound = lane_bound
        self.servers = {name: Server(name, slots, lanes_in_flight) for name in servers}
        self.loaded_lane: Lane | None = None
        """The lane started last."""
        self._line = Line()
        self._last_runs = LastRuns()
        self._runs_on: dict[str, Server] = {}
        self._starts = count()

    @property
    def waiting(self) -> int:
        """How many entries wait."""
        return self._line.length

    @property
    def running(self) -> int:
        """How many entries run, on all servers."""
        return len(self._runs_on)

    def server(self, name: str) -> Server:
        """Return a server. Raises ValueError if there is none of that name."""
        if name not in self.servers:
            raise ValueError(f"server {name!r} is not known: use one of {', '.join(map(repr, self.servers))}")
        return self.servers[name]

    def add(self, entry: Entry) -> None:
        """Let an entry wait. Raises ValueError if its id waits or runs already, or its server is not known."""
        if entry.id in self._line or entry.id in self._runs_on:
            raise ValueError(f"entry id {entry.id!r} is already waiting or running: use a new one")
        if entry.server is not None:
            self.server(entry.server)
        self._line.add(entry)

    def remove(self, entry_id: str) -> bool:
        """Take out a waiting entry. False if none of that id waits."""
        if entry_id not in self._line:
            return False
        self._line.take(entry_id)
        return True

    def start(self, now: float) -> Start | None:
        """Choose the entry that goes next and mark it running. None if nothing may start now."""
        free = [server for server in self.servers.values() if server.has_room]
        aside: set[str] = set()
        for level in self._line.levels():
            free = [server for server in free if server.name not in aside]
            if not free:
                return None
            chosen = self._choose(level, free, now)
            if chosen is not None:
                return self._run(*chosen)
            for waiters in level:
                fill = -(-len(waiters.entries) // self.slots)
                aside.update(self._servers_to_wait_for(waiters, aside)[:fill])
        return None

    def finish(self, entry_id: str, now: float) -> None:
        """Free the slot of a running entry. Raises KeyError if none of that id runs."""
        server = self._runs_on.pop(entry_id)
        left = server.end(entry_id)
        if left is None:
            return
        self._last_runs.note(left, server.name, now)
        if server.is_open:
            self._last_runs.note(left, None, now)

    def shut(self, server: str, now: float) -> None:
        """Start nothing more on a server but what is pinned to it. What runs there goes on."""
        shut = self.server(server)
        if shut.is_open:
            shut.is_open = False
            for lane in shut.running_lanes:
                self._last_runs.note(lane, None, now)

    def open(self, server: str) -> None:
        """Use a server again."""
        self.server(server).is_open = True

    def loaded(self, server: str, lanes: Iterable[Lane]) -> None:
        """Say which lanes a server holds in memory, where they are not those that ran last."""
        self.server(server).hold(lanes)

    def fits(self, server: str, lanes: Iterable[Lane]) -> None:
        """Say that a server holds these lanes in memory together: they may run side by side until one is driven out."""
        self.server(server).fit(lanes)

    def _choose(self, level: list[Waiters], free: list[Server], now: float) -> tuple[Waiters, Server] | None:
        """Return what goes next of one priority, and where; None if nothing of it may start on the free servers."""
        overdue = self._overdue(level, now)
        aside: set[str] = set()
        for waiters in overdue:
            server = self._best(waiters, free, aside)
            if server is not None:
                return waiters, server
            aside.update(self._servers_to_wait_for(waiters, aside)[:1])
        starts = self._starts_of([waiters for waiters in level if waiters not in overdue], free, aside)
        return min(starts, key=_swap_then_order, default=None)

    def _overdue(self, level: list[Waiters], now: float) -> list[Waiters]:
        """Return what has waited longer than the bound, the longest first."""
        late = []
        for waiters in level:
            since = self._waits_since(waiters, now)
            if now - since > self.lane_bound:
                late.append((since, waiters.head.order, waiters))
        return [waiters for *_, waiters in sorted(late, key=lambda item: item[:2])]

    def _waits_since(self, waiters: Waiters, now: float) -> float:
        if waiters.lane is None:
            return waiters.head.arrived
        if any(waiters.lane in server.running_lanes for server in self._serving(waiters)):
            return now
        return self._last_runs.since(waiters.lane, waiters.server, waiters.head.arrived)

    def _starts_of(self, level: list[Waiters], free: list[Server], aside: set[str]) -> Iterator[tuple[Waiters, Server]]:
        for waiters in level:
            server = self._best(waiters, free, aside)
            if server is not None:
                yield waiters, server

    def _best(self, waiters: Waiters, free: list[Server], aside: set[str]) -> Server | None:
        """Return the best server on which an entry may start now."""
        return min(
            (
                server
                for server in free
                if server.serves(waiters.server)
                and server.admits(waiters.lane)
                and (waiters.lane is None or server.name not in aside)
            ),
            key=lambda server: self._preference(server, waiters.lane),
            default=None,
        )

    def _preference(self, server: Server, lane: Lane | None) -> tuple[bool, bool, int, int]:
        swaps = not server.has(lane)
        is_loss = swaps and any(self._line.wants(other) for other in server.in_memory)
        return swaps, is_loss, server.running, server.last_start

    def _servers_to_wait_for(self, waiters: Waiters, taken: set[str]) -> list[str]:
        """Return the servers whose slots a lane that cannot start may wait for, the best first; no lane needs none."""
        if waiters.lane is None:
            return []
        serving = [server for server in self._serving(waiters) if server.name not in taken]
        # The last start holds still while a server is set aside: the choice stays until that server has drained.
        serving.sort(key=lambda server: (waiters.lane not in server.running_lanes, server.last_start))
        return [server.name for server in serving]

    def _serving(self, waiters: Waiters) -> Iterator[Server]:
        return (server for server in self.servers.values() if server.serves(waiters.server))

    def _run(self, waiters: Waiters, server: Server) -> Start:
        entry = self._line.take(waiters.head.id)
        self._runs_on[entry.id] = server
        server.begin(entry, next(self._starts))
        if entry.lane is not None:
            self.loaded_lane = entry.lane
        return Start(entry, server.name)


def _swap_then_order(start: tuple[Waiters, Server]) -> tuple[bool, int]:
    waiters, server = start
    return not server.has(waiters.lane), waiters.head.order
