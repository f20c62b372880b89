"""Which of several servers may be asked."""

from collections.abc import AsyncIterator

import pytest

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import ModelServerError, ModelServerFault
from agents.core.model.servers import ServerGroup
from agents.core.ollama_pool import OllamaConnectionPool
from tests.support.clock import FakeClock


@pytest.fixture
async def group(clock: FakeClock) -> AsyncIterator[ServerGroup]:
    """Three servers whose circuits may be probed after 10 s."""

    def breaker(name: str) -> CircuitBreaker:
        return CircuitBreaker(1, 10, ModelServerFault, name=name, clock=clock)

    async with OllamaConnectionPool(["http://a", "http://b", "http://c"], breaker=breaker) as pool:
        yield pool.servers


def names(group: ServerGroup) -> list[str]:
    return [server.name for server in group.usable]


async def test_only_servers_with_a_closed_circuit_are_usable(group: ServerGroup, clock: FakeClock) -> None:
    a, b, _ = group
    await a.breaker.force_open()
    await b.breaker.force_open()
    clock.now = 10
    assert b.breaker.state is CircuitState.HALF_OPEN
    assert names(group) == ["http://c"]
    assert not group.is_down
    assert (group.refusing, group.retry_after) == (None, 0)


async def test_the_group_is_in_the_best_state_of_its_servers(group: ServerGroup, clock: FakeClock) -> None:
    states = [group.state]
    for server in group:
        await server.breaker.force_open()
        states.append(group.state)
    clock.now = 10
    states.append(group.state)
    assert states == ["closed", "closed", "closed", "open", "half_open"]
    assert group.trips == 3


async def test_the_one_that_may_be_probed_first_refuses_for_all(group: ServerGroup, clock: FakeClock) -> None:
    for server in reversed(list(group)):
        await server.breaker.force_open()
        clock.now += 1
    assert group.refusing is group.named("http://c")
    assert group.retry_after == 7


async def test_the_trouble_is_that_of_all_servers_that_cannot_be_asked(group: ServerGroup) -> None:
    for server in group:
        server.vitals.note_error(ModelServerError(f"sick: {server.name}"))
    assert group.trouble == ""
    a, b, _ = group
    await a.breaker.force_open()
    await b.breaker.force_open()
    told = group.trouble.split("; ")
    assert [text.partition("UTC: ")[2] for text in told] == ["sick: http://a", "sick: http://b"]


async def test_what_failed_goes_on_where_its_model_is_and_else_where_least_is_going_on(group: ServerGroup) -> None:
    a, b, c = group
    assert group.next_after(a, "m") is b
    b.shelf.active = 1
    assert group.next_after(a, "m") is c
    b.models.note_used("m")
    assert group.next_after(a, "m:latest") is b
    assert group.next_after(b, "m") is a


async def test_where_no_other_is_usable_nothing_goes_on(group: ServerGroup) -> None:
    a, b, c = group
    await b.breaker.force_open()
    await c.breaker.force_open()
    assert group.next_after(a, "m") is None


async def test_every_transition_is_told(group: ServerGroup) -> None:
    told: list[list[str]] = []
    group.on_change(lambda: told.append(names(group)))
    first = group.first
    await first.breaker.force_open()
    await first.breaker.reset()
    assert told == [["http://b", "http://c"], ["http://a", "http://b", "http://c"]]
