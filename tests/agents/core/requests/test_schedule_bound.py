"""How long a lane waits at most, measured on whole runs of made-up work."""

from dataclasses import dataclass, field
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from agents.core.requests.entry import Entry, Start
from agents.core.requests.schedule import Schedule

LONGEST_RUN = 7
NAMES = ("a", "b", "c")

Kind = tuple[object, str | None]


@dataclass(frozen=True)
class Job:
    arrives: int
    lane: str | None
    server: str | None
    runs: int
    priority: int


def crowd_of(size: int, runs: list[int], lanes: list[str]) -> list[Job]:
    """A backlog that keeps a lane or two running, so that others depend on the bound."""
    return [Job(0, lane, None, run, 4) for lane, run, _ in zip(cycle(lanes), cycle(runs), range(size), strict=False)]


CROWDS = st.builds(
    crowd_of,
    size=st.integers(0, 60),
    runs=st.lists(st.integers(1, LONGEST_RUN), min_size=1, max_size=5),
    lanes=st.sampled_from([["tiny"], ["tiny"], ["tiny", "tiny", "coder"]]),
)

OTHERS = st.lists(
    st.builds(
        Job,
        arrives=st.integers(0, 40),
        lane=st.sampled_from(["coder", "vision", "guard", None]),
        server=st.sampled_from([None, None, None, "a"]),
        runs=st.integers(1, LONGEST_RUN),
        priority=st.sampled_from([4, 4, 4, 0]),
    ),
    max_size=15,
)


@dataclass
class World:
    """Runs jobs to their end and measures each wait of a lane at the highest priority."""

    schedule: Schedule
    jobs: list[Job]
    now: int = 0
    waiting: list[Entry] = field(default_factory=list)
    running: dict[str, tuple[Start, int]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    last_ran: dict[Kind, int] = field(default_factory=dict)
    ahead: dict[tuple[Kind, float], int] = field(default_factory=dict)

    def run(self) -> None:
        for now in range(60 + LONGEST_RUN * (len(self.jobs) + 1)):
            self.now = now
            self.end_what_is_over()
            self.let_arrive()
            self.note_who_is_ahead()
            while (start := self.schedule.start(self.now)) is not None:
                self.begin(start)

    def let_arrive(self) -> None:
        for order, job in enumerate(self.jobs):
            if job.arrives == self.now:
                entry = Entry(str(order), job.priority, job.lane, self.now, order, job.server)
                self.schedule.add(entry)
                self.waiting.append(entry)

    def end_what_is_over(self) -> None:
        for start, _ in [item for item in self.running.values() if item[1] == self.now]:
            del self.running[start.entry.id]
            self.schedule.finish(start.entry.id, self.now)
            for kind in ((start.entry.lane, None), (start.entry.lane, start.server)):
                if not self.runs(kind):
                    self.last_ran[kind] = self.now

    def runs(self, kind: Kind) -> bool:
        lane, server = kind
        return any(
            start.entry.lane == lane and (server is None or server == start.server)
            for start, _ in self.running.values()
        )

    def waits(self) -> list[tuple[Kind, float]]:
        """Since when each lane of the highest priority waits, and each entry of no lane."""
        urgent = [entry for entry in self.waiting if entry.priority == 4]
        unbound = [((None, entry.server), entry.arrived) for entry in urgent if entry.lane is None]
        heads: dict[Kind, Entry] = {}
        for entry in sorted(urgent, key=lambda entry: entry.order):
            if entry.lane is not None:
                heads.setdefault((entry.lane, entry.server), entry)
        return unbound + [
            (kind, max(head.arrived, self.last_ran.get(kind, 0))) for kind, head in heads.items() if not self.runs(kind)
        ]

    def note_who_is_ahead(self) -> None:
        waits = self.waits()
        for kind, since in waits:
            if self.now - since > self.schedule.lane_bound:
                others = sum(other <= since for _, other in waits) - 1
                self.ahead.setdefault((kind, since), others)

    def begin(self, start: Start) -> None:
        entry = start.entry
        if entry.priority == 4 and entry.lane is not None:
            self.judge((entry.lane, entry.server))
        self.waiting.remove(entry)
        self.started.append(entry.id)
        self.running[entry.id] = start, self.now + self.jobs[int(entry.id)].runs

    def judge(self, kind: Kind) -> None:
        for since in (since for waiting, since in self.waits() if waiting == kind):
            ahead = self.ahead.get((kind, since), 0)
            assert self.now - since <= self.schedule.lane_bound + (ahead + 1) * LONGEST_RUN


@given(
    crowd=CROWDS,
    others=OTHERS,
    slots=st.integers(1, 3),
    servers=st.integers(1, 3),
    lanes_in_flight=st.integers(1, 2),
    bound=st.sampled_from([0, 3, 12]),
)
def test_no_lane_waits_beyond_its_bound_and_what_waited_longer(
    crowd: list[Job], others: list[Job], slots: int, servers: int, lanes_in_flight: int, bound: int
) -> None:
    jobs = crowd + others
    world = World(Schedule(slots, bound, lanes_in_flight, NAMES[:servers]), jobs)
    world.run()
    assert sorted(world.started, key=int) == [str(order) for order in range(len(jobs))], "one never ran, or ran twice"
