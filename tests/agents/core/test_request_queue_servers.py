"""One queue in front of several servers."""

import asyncio

import pytest

from agents.core.request_queue import RequestQueue, RequestStatus
from agents.core.requests.place import current_server
from tests.support.requests import hang

A, B = "http://a:11434", "http://b:11434"


async def where() -> str:
    return current_server()


async def stay() -> None:
    await hang()


async def test_the_function_knows_the_server_it_runs_on() -> None:
    async with RequestQueue(servers=(A, B)) as queue:
        assert await queue.submit_and_wait(where, server=B) == B
        assert await queue.submit_and_wait(where, server=A) == A


async def test_a_thread_and_a_request_made_in_a_request_know_their_own_server() -> None:
    async def nested() -> tuple[str, str]:
        inner = await queue.submit_and_wait(current_server, server=B)
        return inner, current_server()

    async with RequestQueue(servers=(A, B)) as queue:
        assert await queue.submit_and_wait(nested, server=A) == (B, A)


async def test_a_retry_knows_the_server_it_moved_to() -> None:
    seen: list[str] = []

    async def fail_on_a() -> None:
        seen.append(current_server())
        if seen[-1] == A:
            queue.shut_server(A)
            raise ConnectionError(A)

    async with RequestQueue(servers=(A, B), backoff=lambda _: 0) as queue:
        await queue.submit_and_wait(fail_on_a)
    assert seen == [A, B]


def test_outside_a_request_there_is_no_server() -> None:
    with pytest.raises(LookupError, match="no request runs here: ask for its server in a function"):
        current_server()


async def test_a_queue_of_one_server_gives_it_no_name() -> None:
    async with RequestQueue() as queue:
        assert await queue.submit_and_wait(where) == ""


async def test_each_server_has_its_own_slots() -> None:
    async with RequestQueue(max_concurrent=1, servers=(A, B)) as queue:
        for _ in range(3):
            await queue.submit(stay)
        stats = queue.get_stats()
    assert (stats["max_concurrent"], stats["current_active"], stats["current_queue_size"]) == (1, 2, 1)
    assert stats["concurrency_utilization"] == 1


async def test_a_shut_server_takes_only_what_is_pinned_to_it_until_it_is_opened() -> None:
    async with RequestQueue(max_concurrent=1, servers=(A, B)) as queue:
        queue.shut_server(A)
        first, second = await queue.submit(stay), await queue.submit(where)
        assert await queue.submit_and_wait(where, server=A) == A
        assert queue.get_request_status(second) is RequestStatus.QUEUED
        queue.open_server(A)
        assert await queue.get_result(second, timeout=5) == A
        assert queue.get_request_status(first) is RequestStatus.PROCESSING


async def test_a_server_that_drained_for_others_starts_what_is_pinned_to_it_when_it_is_shut() -> None:
    async with RequestQueue(max_concurrent=2, servers=(A, B)) as queue:
        await queue.submit(stay, lane="tiny", server=A)
        await queue.submit(stay, lane="tiny", server=B)
        await queue.submit(stay, lane="coder", priority="high")
        pinned = await queue.submit(stay, lane="tiny", priority="low", server=A)
        assert queue.get_request_status(pinned) is RequestStatus.QUEUED
        queue.shut_server(A)
        assert queue.get_request_status(pinned) is RequestStatus.PROCESSING


async def test_what_ran_on_a_server_when_it_was_shut_goes_on() -> None:
    gate = asyncio.Event()
    async with RequestQueue(servers=(A, B)) as queue:
        request = await queue.submit(gate.wait, server=A)
        queue.shut_server(A)
        gate.set()
        assert await queue.get_result(request, timeout=5) is True


async def test_lanes_seen_in_memory_together_run_side_by_side_at_once() -> None:
    async with RequestQueue(max_concurrent=2) as queue:
        await queue.submit(stay, lane="tiny")
        other = await queue.submit(where, lane="coder")
        queue.note_loaded("", ["tiny", "coder"])
        assert queue.get_request_status(other) is RequestStatus.QUEUED
        queue.note_loaded("", ["tiny", "coder"], together=True)
        assert await queue.get_result(other, timeout=5) == ""


async def test_statistics_tell_the_state_of_each_server_and_what_waits_for_which_lane() -> None:
    async with RequestQueue(max_concurrent=1, servers=(A, B)) as queue:
        queue.shut_server(B)
        queue.note_loaded(B, ["coder", "vision"])
        for lane in ("tiny", "tiny", "coder", None):
            await queue.submit(stay, lane=lane)
        stats = queue.get_stats()
    assert stats["waiting_by_lane"] == {"tiny": 1, "coder": 1, "": 1}
    assert stats["servers"] == {
        A: {"open": True, "slots": 1, "active": 1, "running_lanes": ["tiny"], "loaded_lanes": ["tiny"]},
        B: {"open": False, "slots": 1, "active": 0, "running_lanes": [], "loaded_lanes": ["coder", "vision"]},
    }


async def test_a_server_that_is_not_known_is_refused_and_takes_no_place() -> None:
    async with RequestQueue(servers=(A, B)) as queue:
        sentence = f"server 'c' is not known: use one of '{A}', '{B}'"
        with pytest.raises(ValueError, match=sentence):
            await queue.submit(where, server="c")
        with pytest.raises(ValueError, match=sentence):
            queue.shut_server("c")
        with pytest.raises(ValueError, match=sentence):
            queue.open_server("c")
        with pytest.raises(ValueError, match=sentence):
            queue.note_loaded("c", [])
        assert queue.get_stats()["total_requests"] == 0
        assert queue.waiting == 0
