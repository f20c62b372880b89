"""The pure parts of the coordinator: what an answer means, when a heartbeat is due, what waits to be told."""

import asyncio
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import BaseAgentV2
from agents.core.coordinator.beats import Beats, next_beat, pauses
from agents.core.coordinator.client import Answer, answer_of
from agents.core.coordinator.outbox import Outbox


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Answer.DONE),
        (201, Answer.REFUSED),
        (307, Answer.REFUSED),
        (401, Answer.REFUSED),
        (404, Answer.UNKNOWN),
        (408, Answer.AWAY),
        (422, Answer.REFUSED),
        (429, Answer.AWAY),
        (500, Answer.AWAY),
        (503, Answer.AWAY),
    ],
)
def test_200_alone_is_success_and_what_passes_by_itself_counts_as_absence(status: int, answer: Answer) -> None:
    assert answer_of(status) is answer


moments = st.floats(0, 1e6)


@given(moments, st.floats(0.01, 3600), moments)
def test_the_next_heartbeat_is_on_the_grid_and_within_an_interval(first: float, interval: float, now: float) -> None:
    due = next_beat(first, interval, now)
    nearly = 1e-6
    assert due >= first
    assert now - nearly <= due <= max(first, now + interval + nearly)
    assert abs((due - first) / interval - round((due - first) / interval)) < nearly * 1000


def test_the_heartbeats_of_a_round_are_spread_evenly_over_the_interval() -> None:
    beats = Beats([BaseAgentV2(name=f"agent-{n}") for n in range(10)], 30.0)
    beats.begin(100.0)
    assert [visit.beat for visit in beats.visits] == pytest.approx([101.5 + 3 * n for n in range(10)])
    assert {visit.due for visit in beats.visits} == {100.0}


def test_hosts_that_lost_the_same_coordinator_do_not_come_back_at_one_moment() -> None:
    assert list(islice(pauses(lambda: 0.0), 8)) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert list(islice(pauses(lambda: 0.5), 8)) == [0.75, 1.5, 3, 6, 12, 24, 45, 45]


@given(st.lists(st.binary(max_size=12), max_size=30), st.integers(1, 5), st.integers(1, 30))
def test_an_outbox_keeps_the_newest_within_its_bounds_and_counts_the_rest(
    bodies: list[bytes], max_count: int, max_bytes: int
) -> None:
    outbox = Outbox(max_count, max_bytes)
    for body in bodies:
        outbox.put(body)
        assert len(outbox) <= max_count
        assert outbox.size <= max_bytes
    kept = asyncio.run(emptied(outbox))
    assert kept == bodies[len(bodies) - len(kept) :]
    assert outbox.dropped == len(bodies) - len(kept)
    assert outbox.size == 0
    room = bodies[-len(kept) - 1 :]
    assert len(kept) == len(bodies) or len(room) > max_count or sum(map(len, room)) > max_bytes


async def emptied(outbox: Outbox) -> list[bytes]:
    kept = []
    while len(outbox):
        body = await outbox.first()
        outbox.sent(body)
        kept.append(body)
    return kept


async def test_what_is_dropped_while_it_is_being_sent_takes_no_other_with_it() -> None:
    outbox = Outbox(1, 100)
    outbox.put(b"old")
    sending = await outbox.first()
    outbox.put(b"new")
    outbox.sent(sending)
    outbox.give_up(sending)
    assert (await outbox.first(), outbox.dropped) == (b"new", 1)
    outbox.give_up(b"other")
    assert len(outbox) == 1
