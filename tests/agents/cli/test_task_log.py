"""The log of results, read no further back than is needed."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import pytest

from agents.cli.task_log import TOLD_EACH, Logged, logged
from bus.client import Client
from bus.codec import encode_result
from bus.memory import MemoryBroker
from bus.message import Message
from bus.topology import Topology
from schemas import TaskResult, TaskStatus, now
from tests.support.faulty_brokers import Through

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FAILED = TaskStatus.FAILED


def result(task_id: str, ago: timedelta, status: TaskStatus = TaskStatus.COMPLETED, agent: str = "a") -> TaskResult:
    error = "no luck" if status is FAILED else None
    return TaskResult(task_id=task_id, status=status, agent=agent, timestamp=now() - ago, error=error)


class Log(Through):
    """A broker with a log, which counts what is read of it."""

    def __init__(self, *results: TaskResult) -> None:
        super().__init__(MemoryBroker("nobody"))
        self.messages = [(each.timestamp, encode_result(each)) for each in results]
        self.read = 0

    async def read_log(self, _name: str, since: datetime) -> AsyncGenerator[Message, None]:
        for at, message in self.messages:
            if at >= since:
                self.read += 1
                yield message


async def look(log: Log, task_id: str, agent: str | None = None) -> tuple[Logged, list[str]]:
    told: list[str] = []
    return await logged(Client(log, Topology()), task_id, agent, told.append), told


OLD = [result(f"week-{n}", 5 * DAY) for n in range(50)]
DAILY = [result(f"day-{n}", 10 * HOUR) for n in range(20)]
NEW = [result(f"new-{n}", HOUR / 2) for n in range(5)]


@pytest.mark.parametrize(
    ("task_id", "read"),
    [("new-4", 5), ("day-19", 5 + 21), ("week-0", 5 + 21 + 51), ("unknown", 5 + 21 + 51)],
)
async def test_what_is_new_is_found_without_the_rest_and_nothing_is_read_again(task_id: str, read: int) -> None:
    log = Log(*OLD, *DAILY, *NEW)
    found, _ = await look(log, task_id)
    assert (found.result.task_id if found.result else "unknown") == task_id
    assert log.read == read  # one more for each time that the look goes back: where the last one began
    assert found.has_log


async def test_it_tells_how_far_it_has_come() -> None:
    _, told = await look(Log(*(result(f"t-{n}", HOUR / 2) for n in range(2 * TOLD_EACH))), "unknown")
    assert told == [f"results of the last hour: {TOLD_EACH} read", f"results of the last hour: {2 * TOLD_EACH} read"]


async def test_a_failed_task_is_told_with_the_result_of_its_replay_wherever_the_two_lie() -> None:
    log = Log(result("t", 5 * DAY, FAILED), *DAILY, result("t~1", HOUR / 2), *NEW)
    found, _ = await look(log, "t")
    assert found.result is not None
    assert found.replay is not None
    assert (found.result.status, found.replay.task_id) == (FAILED, "t~1")
    log = Log(result("t", HOUR / 2, FAILED), result("t~1", HOUR / 3, FAILED), *NEW)
    found, _ = await look(log, "t")
    assert (found.replay is not None, found.times, log.read) == (True, 1, 2 + len(NEW))


async def test_results_of_one_task_are_counted_however_far_they_lie_apart_and_the_first_one_is_it() -> None:
    twice = [result("t", HOUR / 2), *NEW, result("t", HOUR / 4, FAILED), result("t~1", HOUR / 5)]
    found, _ = await look(Log(*twice), "t")
    assert found.result is not None
    assert (found.result.status, found.times) == (TaskStatus.COMPLETED, 2)
    marked = result("t", 10 * HOUR).model_copy(update={"redelivered": True})
    assert (await look(Log(*OLD, marked, *NEW), "t"))[0].times == 1


async def test_another_agents_result_does_not_count_nor_one_that_only_mentions_the_id() -> None:
    log = Log(result("t", HOUR / 2, agent="b"), result("t-2", HOUR / 3))
    assert (await look(log, "t", "a"))[0] == Logged()
    assert (await look(log, "t", "b"))[0].result is not None


async def test_an_id_with_characters_that_json_escapes_is_found() -> None:
    odd = r'a/b "t" \ ~'
    found, _ = await look(Log(*NEW, result(odd, HOUR / 2)), odd)
    assert found.result is not None
    assert found.result.task_id == odd


async def test_without_a_log_that_is_said() -> None:
    async with MemoryBroker("no-log-of-results") as broker:
        told: list[str] = []
        assert await logged(Client(broker, Topology()), "t", None, told.append) == Logged(has_log=False)
