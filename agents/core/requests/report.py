"""What a request queue tells about itself."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from agents.core.requests.runner import RequestRunner
from agents.core.requests.server import Server
from schemas import priority_name


def queue_report(runner: RequestRunner, max_queue_size: int, now: float) -> dict[str, Any]:
    """Return the keys of `RequestQueue.get_stats()`: seconds, rates and utilisations 0..1, requests a second."""
    schedule = runner.schedule
    return {
        "name": runner.name,
        "max_queue_size": max_queue_size,
        "max_concurrent": schedule.slots,
        "current_queue_size": runner.waiting,
        "current_active": schedule.running,
        **runner.statistics.report(now),
        "queue_utilization": runner.waiting / max_queue_size,
        "concurrency_utilization": schedule.running / (schedule.slots * len(schedule.servers)),
        "waiting_by_priority": waiting_by_priority(runner),
        "waiting_by_lane": waiting_by_lane(runner),
        "loaded_lane": None if schedule.loaded_lane is None else str(schedule.loaded_lane),
        "servers": {name: server_report(server) for name, server in schedule.servers.items()},
    }


def server_report(server: Server) -> dict[str, Any]:
    """Return the numbers of one server."""
    return {
        "open": server.is_open,
        "slots": server.slots,
        "active": server.running,
        "running_lanes": _texts(server.running_lanes),
        "loaded_lanes": _texts(server.in_memory),
    }


def waiting_by_priority(runner: RequestRunner) -> dict[str, int]:
    """Return how many requests wait under each name of a priority; names without any are left out."""
    return dict(Counter(priority_name(request.entry.priority) for request in runner.waiting_requests()))


def waiting_by_lane(runner: RequestRunner) -> dict[str, int]:
    """Return how many requests wait for each lane, as text; under "" those of no lane."""
    lanes = (request.entry.lane for request in runner.waiting_requests())
    return dict(Counter("" if lane is None else str(lane) for lane in lanes))


def _texts(lanes: Iterable[Hashable]) -> list[str]:
    return sorted(str(lane) for lane in lanes)
