"""What the queue tells: statistics, events, and sentences about bad arguments."""

import pytest
import structlog
from structlog.testing import capture_logs

from agents.core.request_queue import (
    RequestQueue,
)
from agents.core.requests import book
from tests.support.requests import Flaky, add, hang

STAT_KEYS = {
    "name",
    "max_queue_size",
    "max_concurrent",
    "current_queue_size",
    "current_active",
    "total_requests",
    "completed_requests",
    "failed_requests",
    "timeout_requests",
    "cancelled_requests",
    "success_rate",
    "average_queue_time",
    "average_processing_time",
    "throughput_per_second",
    "queue_utilization",
    "concurrency_utilization",
}


async def test_only_the_newest_results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "KEPT_RESULTS", 2)
    async with RequestQueue(max_concurrent=1) as queue:
        requests = [await queue.submit(add, number) for number in range(3)]
        assert await queue.wait_for_completion(timeout=5)
        with pytest.raises(KeyError, match="newest 2"):
            await queue.get_result(requests[0])
        assert [await queue.get_result(request) for request in requests[1:]] == [1, 2]


async def test_statistics_have_the_keys_of_the_seed_and_start_from_zero() -> None:
    queue = RequestQueue()
    stats = queue.get_stats()
    assert (
        stats.keys() - {"rejected_requests", "waiting_by_priority", "waiting_by_lane", "loaded_lane", "servers"}
        == STAT_KEYS
    )
    assert (stats["max_queue_size"], stats["max_concurrent"], stats["name"]) == (100, 3, "request_queue")
    assert (stats["success_rate"], stats["throughput_per_second"], stats["loaded_lane"]) == (1, 0, None)
    assert (stats["average_queue_time"], stats["average_processing_time"]) == (0, 0)


async def test_what_waits_and_one_server_can_be_asked_for_alone() -> None:
    async with RequestQueue(max_concurrent=1, servers=("a",)) as queue:
        for lane in ("coder", "coder", None):
            await queue.submit(hang, lane=lane)
        stats = queue.get_stats()
        assert queue.waiting_by_lane() == stats["waiting_by_lane"] == {"coder": 1, "": 1}
        assert queue.get_server_stats("a") == stats["servers"]["a"]
        with pytest.raises(KeyError):
            queue.get_server_stats("b")


async def test_utilisation_is_the_share_of_the_limits() -> None:
    async with RequestQueue(max_queue_size=4, max_concurrent=2) as queue:
        for _ in range(3):
            await queue.submit(hang)
        stats = queue.get_stats()
        assert (stats["queue_utilization"], stats["concurrency_utilization"]) == (0.25, 1)
        assert stats["waiting_by_priority"] == {"normal": 1} == queue.waiting_by_priority()


async def test_its_operations_are_logged_at_debug() -> None:
    with capture_logs() as logs:
        async with RequestQueue(name="model", backoff=lambda _: 0) as queue:
            await queue.submit_and_wait(Flaky(1), request_id="r1")
    assert [entry["event"] for entry in logs] == [
        "request.queued",
        "request.started",
        "request.retrying",
        "request.started",
        "request.finished",
    ]
    assert {(entry["log_level"], entry["queue"], entry["id"]) for entry in logs} == {("debug", "model", "r1")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_queue_size": 0}, "max_queue_size is 0: use a whole number of at least 1"),
        ({"max_concurrent": 0}, "max_concurrent is 0: use a whole number of at least 1"),
        ({"timeout": -1}, "timeout is -1: use a number of seconds above 0, or None"),
        ({"max_retries": -1}, "max_retries is -1: use a whole number of at least 0"),
        ({"lanes_in_flight": 0}, "lanes_in_flight is 0"),
        ({"lane_bound": -1}, "lane_bound is -1"),
    ],
)
def test_a_bad_argument_is_named_with_its_remedy(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        RequestQueue(**arguments)  # type: ignore[arg-type]


async def test_a_bad_argument_of_submit_takes_no_place() -> None:
    async with RequestQueue() as queue:
        with pytest.raises(ValueError, match="max_retries is -1"):
            await queue.submit(hang, max_retries=-1)
        with pytest.raises(ValueError, match="timeout is 0"):
            await queue.submit(hang, timeout=0)
        assert queue.get_stats()["total_requests"] == 0
        assert queue.waiting == 0


async def test_what_becomes_of_a_request_is_logged_beside_what_its_own_submitter_bound() -> None:
    processors = [structlog.contextvars.merge_contextvars]
    with capture_logs(processors=processors) as logs:
        async with RequestQueue(max_concurrent=1) as queue:
            for task in ("first", "second"):
                with structlog.contextvars.bound_contextvars(task=task):
                    await queue.submit(add, 1, request_id=task)
            assert await queue.wait_for_completion(timeout=5)
    told = [(line["task"], line["event"]) for line in logs if line.get("id") == line["task"]]
    lives = {task: [event for owner, event in told if owner == task] for task in ("first", "second")}
    assert lives["first"] == lives["second"] == ["request.queued", "request.started", "request.finished"]
