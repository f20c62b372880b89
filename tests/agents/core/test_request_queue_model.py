"""What holds for the queue as a whole, whatever is submitted, fails, is cancelled, shut and opened."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from agents.core.request_queue import RequestQueue, RequestStatus
from agents.core.requests.place import current_server

SERVERS = ("a", "b", "c")
SLOTS = 2
MAX_RETRIES = 1


@dataclass(frozen=True)
class Job:
    """A request that yields to the loop `steps` times in each attempt, and fails in the first `failures` of them."""

    priority: int
    lane: str | None
    steps: int
    failures: int
    cancel_after: int | None
    server: int | None


JOBS = st.lists(
    st.builds(
        Job,
        priority=st.integers(0, 9),
        lane=st.sampled_from(["tiny", "coder", None]),
        steps=st.integers(0, 4),
        failures=st.integers(0, 2),
        cancel_after=st.sampled_from([None, None, None, 0, 2, 6]),
        server=st.sampled_from([None, None, 0, 1, 2]),
    ),
    max_size=25,
)


@dataclass
class World:
    """Runs jobs and watches the servers."""

    queue: RequestQueue
    names: tuple[str, ...]
    running: dict[str, list[Job]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    most_lanes: int = 0

    async def run_job(self, name: str, job: Job) -> str:
        self.attempts[name] += 1
        here = self.running.setdefault(current_server(), [])
        here.append(job)
        self.most_at_once = max(self.most_at_once, len(here))
        self.most_lanes = max(self.most_lanes, len({other.lane for other in here} - {None}))
        try:
            for _ in range(job.steps):
                await asyncio.sleep(0)
            if self.attempts[name] <= job.failures:
                raise ConnectionError(name)
        finally:
            here.remove(job)
        return name

    async def submit(self, name: str, job: Job) -> None:
        server = None if job.server is None else self.names[job.server % len(self.names)]
        await self.queue.submit(
            self.run_job, name, job, request_id=name, priority=job.priority, lane=job.lane, server=server
        )
        if job.cancel_after is not None:
            for _ in range(job.cancel_after):
                await asyncio.sleep(0)
            await self.queue.cancel_request(name)

    async def shut_and_open(self, doors: list[int]) -> None:
        for door in doors:
            name = self.names[door % len(self.names)]
            self.queue.shut_server(name)
            await asyncio.sleep(0)
            self.queue.open_server(name)


def expected(job: Job, attempts: int) -> set[RequestStatus]:
    natural = RequestStatus.FAILED if job.failures > MAX_RETRIES else RequestStatus.COMPLETED
    if attempts < min(job.failures, MAX_RETRIES) + 1:
        return {RequestStatus.CANCELLED}
    return {natural} if job.cancel_after is None else {natural, RequestStatus.CANCELLED}


@given(jobs=JOBS, servers=st.integers(1, 3), doors=st.lists(st.integers(0, 2), max_size=8))
def test_every_request_ends_once_and_no_server_gets_more_than_it_can_take(
    jobs: list[Job], servers: int, doors: list[int]
) -> None:
    asyncio.run(run(jobs, SERVERS[:servers], doors))


async def run(jobs: list[Job], names: tuple[str, ...], doors: list[int]) -> None:
    async with (
        asyncio.timeout(20),
        RequestQueue(max_concurrent=SLOTS, max_retries=MAX_RETRIES, backoff=lambda _: 0.0, servers=names) as queue,
    ):
        world = World(queue, names)
        async with asyncio.TaskGroup() as group:
            group.create_task(world.shut_and_open(doors), name="doors")
            for number, job in enumerate(jobs):
                group.create_task(world.submit(str(number), job), name=f"submit {number}")
        assert await queue.wait_for_completion()
        for number, job in enumerate(jobs):
            attempts = world.attempts[str(number)]
            assert attempts <= min(job.failures, MAX_RETRIES) + 1
            assert queue.get_request_status(str(number)) in expected(job, attempts)
        stats = queue.get_stats()
    assert (world.most_at_once <= SLOTS, world.most_lanes <= 1) == (True, True)
    ended = ("completed_requests", "failed_requests", "timeout_requests", "cancelled_requests")
    assert sum(stats[key] for key in ended) == stats["total_requests"] == len(jobs)
    assert (stats["current_queue_size"], stats["current_active"], stats["waiting_by_lane"]) == (0, 0, {})
