"""One pool in front of several servers."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from agents.core.circuit_breaker import CircuitBreaker, CircuitState
from agents.core.model.errors import (
    IncompleteStream,
    ModelCircuitOpen,
    ModelNotFound,
    ModelServerError,
    ModelServerFault,
    ModelUnreachable,
)
from agents.core.model.requests import GenerateRequest
from agents.core.ollama_pool import OllamaConnectionPool
from agents.core.request_queue import RequestQueue
from tests.support.pools import MakePool, bounded, fragile, pool_maker
from tests.support.scripted_fleet import ScriptedFleet
from tests.support.scripted_ollama import missing, refusal, streamed
from tests.support.waiting import wait_until


@pytest.fixture
def fleet() -> ScriptedFleet:
    return ScriptedFleet()


@pytest.fixture
async def make(fleet: ScriptedFleet, naps: list[float]) -> AsyncIterator[MakePool]:
    async with pool_maker(fleet, naps) as build:
        yield build


def server_states(pool: OllamaConnectionPool) -> list[str]:
    return [server.breaker.get_stats()["state"] for server in pool.servers]


async def test_two_addresses_double_the_slots(make: MakePool, fleet: ScriptedFleet) -> None:
    fleet["a"].gate = fleet["b"].gate = gate = asyncio.Event()
    pool = make(max_connections=2)
    calls = [asyncio.create_task(pool.generate(str(n)), name=f"call-{n}") for n in range(5)]
    await fleet["a"].arrivals(2)
    await fleet["b"].arrivals(2)
    assert (pool.queue.active, pool.queue.waiting) == (4, 1)
    assert {name: one["active_connections"] for name, one in pool.get_stats()["servers"].items()} == {
        "http://a": 2,
        "http://b": 2,
    }
    gate.set()
    assert await bounded(*calls) == ["ok"] * 5


@pytest.mark.parametrize("urls", [["http://a", "http://b"], "http://a, http://b,"])
async def test_a_sequence_of_addresses_says_the_same_as_a_text(make: MakePool, urls: object) -> None:
    pool = make(base_url=urls)
    assert [server.name for server in pool.servers] == ["http://a", "http://b"]
    assert pool.safe_url == "http://a, http://b"
    assert [server.breaker.name for server in pool.servers] == ["ollama http://a", "ollama http://b"]


async def test_a_try_that_failed_at_one_server_goes_on_at_another(make: MakePool, fleet: ScriptedFleet) -> None:
    fleet["a"].script.append(refusal(500, "no"))
    pool = make()
    completion = await pool.complete(GenerateRequest(prompt="Hi"))
    assert (completion.text, completion.server) == ("ok", "http://b")
    assert (fleet.prompts("a"), fleet.prompts("b")) == (["Hi"], ["Hi"])
    assert pool.get_stats()["total_requests"] == 1
    assert [one["total_requests"] for one in pool.get_stats()["servers"].values()] == [1, 1]


async def test_one_server_s_outage_opens_its_own_circuit_and_the_other_does_all_the_work(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["a"].script.append(httpx.ConnectError("refused"))
    pool = make(max_connections=1, breaker=fragile)
    assert await bounded(*(pool.generate(str(n)) for n in range(6))) == ["ok"] * 6
    assert server_states(pool) == ["open", "closed"]
    assert len(fleet.prompts("a")) == 1
    assert await pool.health_check() is True
    assert not pool.servers.is_down
    assert pool.servers.state is CircuitState.CLOSED
    assert pool.servers.trips == 1


async def test_what_waits_goes_to_the_other_server_when_the_first_one_is_shut(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["a"].gate, fleet["b"].gate = asyncio.Event(), asyncio.Event()
    pool = make(max_connections=1, breaker=fragile)
    calls = [asyncio.create_task(pool.generate(str(n)), name=f"call-{n}") for n in range(4)]
    await fleet["a"].arrivals(1)
    await fleet["b"].arrivals(1)
    await pool.servers.named("http://a").breaker.force_open()
    fleet["a"].gate.set()
    fleet["b"].gate.set()
    assert await bounded(*calls) == ["ok"] * 4
    assert (len(fleet.prompts("a")), len(fleet.prompts("b"))) == (1, 3)


async def test_a_try_whose_new_server_goes_under_it_too_goes_back_to_the_first(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["b"].gate = asyncio.Event()
    pool = make(max_connections=1, breaker=lambda name: CircuitBreaker(5, 60.0, ModelServerFault, name=name))
    busy = asyncio.create_task(pool.preload(server="http://b"), name="busy")
    await fleet["b"].arrivals(1)
    fleet["a"].script.append(refusal(500, "no"))
    moving = asyncio.create_task(pool.generate("moving"), name="moving")
    await fleet["a"].arrivals(1)
    await wait_until(lambda: pool.queue.waiting == 1, what="the second try at the line for b")
    await pool.servers.named("http://b").breaker.force_open()
    fleet["b"].gate.set()
    assert (await bounded(busy, moving))[1] == "ok"
    assert (fleet.prompts("a"), fleet.prompts("b")) == (["moving", "moving"], [])


async def test_only_when_no_server_is_left_is_the_pool_unavailable_until_the_earliest_retry(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    waits = {"http://a": 60.0, "http://b": 20.0}
    pool = make(breaker=lambda name: CircuitBreaker(1, waits[name], ModelServerFault, name=name))
    for server in pool.servers:
        assert not pool.servers.is_down
        await server.breaker.force_open()
    assert pool.servers.is_down
    assert pool.servers.state is CircuitState.OPEN
    with pytest.raises(ModelCircuitOpen, match="http://b") as caught:
        await pool.generate("Hi")
    assert caught.value.retry_after is not None
    assert 15 < caught.value.retry_after <= 25
    assert fleet.prompts("a") + fleet.prompts("b") == []
    assert await pool.health_check() is False


async def test_what_waits_is_refused_when_the_last_server_goes(make: MakePool, fleet: ScriptedFleet) -> None:
    fleet["a"].gate = fleet["b"].gate = gate = asyncio.Event()
    pool = make(max_connections=1, breaker=fragile)
    running = [asyncio.create_task(pool.generate(str(n)), name=f"call-{n}") for n in range(2)]
    await fleet["a"].arrivals(1)
    await fleet["b"].arrivals(1)
    waiting = asyncio.create_task(pool.generate("waiting"), name="waiting")
    await asyncio.sleep(0)
    for server in pool.servers:
        await server.breaker.force_open()
    gate.set()
    await bounded(*running)
    with pytest.raises(ModelCircuitOpen):
        await bounded(waiting)


async def test_each_server_is_probed_on_its_own_and_comes_back(make: MakePool, fleet: ScriptedFleet) -> None:
    pool = make(breaker=lambda name: CircuitBreaker(1, 0.01, ModelServerFault, name=name))
    fleet["b"].script.append(httpx.ConnectError("still down"))
    closed = asyncio.Event()
    first, second = pool.servers
    second.breaker.add_state_change_callback(lambda _, new: closed.set() if new is CircuitState.CLOSED else None)
    await second.breaker.force_open()
    async with asyncio.timeout(10):
        await closed.wait()
    assert fleet["a"].requests == []
    assert [body["options"]["num_predict"] for body in fleet["b"].asked("/api/generate")] == [1, 1]
    assert first.is_usable
    assert pool.get_stats()["total_requests"] == 0
    assert second.figures()["total_requests"] == 0


async def test_a_stream_that_broke_after_text_was_shown_goes_on_nowhere(make: MakePool, fleet: ScriptedFleet) -> None:
    async def hear(_: str) -> None:
        return

    for one in fleet.servers.values():
        one.script.append(streamed({"response": "half", "done": False}))
    with pytest.raises(IncompleteStream):
        await make().complete(GenerateRequest(prompt="Hi"), on_chunk=hear)
    assert len(fleet.prompts("a")) + len(fleet.prompts("b")) == 1


async def test_when_all_servers_fail_the_last_failure_is_raised(make: MakePool, fleet: ScriptedFleet) -> None:
    for one in fleet.servers.values():
        one.script.extend([refusal(500, "no")] * 4)
    with pytest.raises(ModelServerError):
        await make(max_retries=3).generate("Hi")
    assert (len(fleet.prompts("a")), len(fleet.prompts("b"))) == (2, 2)


async def test_a_model_that_one_server_lacks_is_pulled_there_and_asked_where_it_is_meanwhile(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["a"].installed = []
    pool = make()
    await pool.servers.named("http://b").models.refresh()
    assert (await pool.complete(GenerateRequest(prompt="Hi"))).server == "http://b"
    await wait_until(lambda: pool.servers.first.models.installed == ["tinyllama:latest"], what="the pull's end")
    assert len(fleet["a"].asked("/api/pull")) == 1
    assert fleet["b"].asked("/api/pull") == []


async def test_nobody_waits_for_a_pull_while_a_server_has_the_model_that_has_never_been_asked(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["a"].installed = []
    fleet["a"].pull_lines = [{"error": "nobody may wait for this"}]
    assert (await make().complete(GenerateRequest(prompt="Hi"))).server == "http://b"
    assert len(fleet["a"].asked("/api/pull")) == 1
    assert fleet["b"].asked("/api/pull") == []


async def test_a_server_that_does_not_list_its_models_is_not_waited_for(
    make: MakePool, fleet: ScriptedFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.core.model.servers.LOOK_SECONDS", 0.01)
    fleet["a"].installed = []
    fleet["b"].silence = asyncio.Event()
    (completion,) = await bounded(make().complete(GenerateRequest(prompt="Hi")))
    assert completion.server == "http://a"
    assert len(fleet["a"].asked("/api/pull")) == len(fleet["b"].asked("/api/tags")) == 1


async def test_the_lists_of_models_are_asked_for_once_in_a_call(make: MakePool, fleet: ScriptedFleet) -> None:
    for one in fleet.servers.values():
        one.installed, one.pull_lines = [], [{"error": "file does not exist"}]
    with pytest.raises(ModelNotFound):
        await make().generate("Hi")
    assert [len(one.asked("/api/tags")) for one in fleet.servers.values()] == [0, 1]


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
@pytest.mark.parametrize("auto_pull", [True, False])
@pytest.mark.parametrize("lists_it", [True, False], ids=["it is in their lists", "it is in none"])
async def test_a_model_that_stays_missing_after_its_pull_is_missing_after_a_few_tries(
    naps: list[float], names: str, *, auto_pull: bool, lists_it: bool
) -> None:
    fleet = ScriptedFleet(names)
    for one in fleet.servers.values():
        one.installed = ["ghost:latest"] if lists_it else []
        one.script.extend([missing("ghost:latest")] * 100)
    async with pool_maker(fleet, naps) as build:
        pool = build(auto_pull=auto_pull)
        await pool.refresh_models()
        with pytest.raises(ModelNotFound):
            await bounded(pool.generate("Hi", model="ghost"))
    tries = [len(fleet.prompts(name)) for name in names]
    assert all(1 <= count <= 3 for count in tries), tries
    pulls = [len(fleet[name].asked("/api/pull")) for name in names]
    assert all(auto_pull <= count <= 2 * auto_pull for count in pulls), pulls


async def test_a_model_that_no_server_is_known_to_have_is_pulled_where_it_was_asked_for(
    make: MakePool, fleet: ScriptedFleet
) -> None:
    fleet["a"].installed, fleet["b"].installed = [], []
    assert (await make().complete(GenerateRequest(prompt="Hi"))).server == "http://a"
    assert (len(fleet["a"].asked("/api/pull")), len(fleet["b"].asked("/api/pull"))) == (1, 0)


@pytest.mark.parametrize("auto_pull", [True, False])
async def test_a_model_that_cannot_be_pulled_is_asked_elsewhere_and_missing_only_if_all_lack_it(
    make: MakePool, fleet: ScriptedFleet, *, auto_pull: bool
) -> None:
    fleet["a"].installed = []
    fleet["a"].pull_lines = fleet["b"].pull_lines = [{"error": "file does not exist"}]
    pool = make(auto_pull=auto_pull)
    assert (await pool.complete(GenerateRequest(prompt="Hi"))).server == "http://b"
    fleet["b"].installed = []
    with pytest.raises(ModelNotFound):
        await pool.generate("Hi", model="tinyllama")
    assert len(fleet["a"].asked("/api/pull")) == len(fleet["b"].asked("/api/pull")) == int(auto_pull)


async def test_a_model_is_warmed_at_the_server_that_is_named(make: MakePool, fleet: ScriptedFleet) -> None:
    pool = make()
    await pool.preload(server="http://b")
    assert (len(fleet["a"].requests), len(fleet["b"].requests)) == (0, 1)
    await pool.servers.named("http://b").breaker.force_open()
    with pytest.raises(ModelCircuitOpen):
        await pool.preload(server="http://b")
    fleet["a"].installed, fleet["a"].pull_lines = [], [{"error": "no"}]
    with pytest.raises(ModelNotFound):
        await pool.preload(server="http://a")


async def test_a_pinned_request_whose_server_goes_under_it_is_refused(make: MakePool, fleet: ScriptedFleet) -> None:
    fleet["b"].script.append(httpx.ConnectError("refused"))
    with pytest.raises(ModelUnreachable):
        await make(max_retries=0).preload(server="http://b")
    assert fleet["a"].requests == []


async def test_the_models_of_all_servers_are_told(make: MakePool, fleet: ScriptedFleet) -> None:
    fleet["a"].installed, fleet["b"].installed = ["x:1", "y:1"], ["y:1", "z:1"]
    assert await make().refresh_models() == ["x:1", "y:1", "z:1"]


def test_a_queue_of_ones_own_needs_the_same_servers_unless_there_is_one_of_each() -> None:
    with pytest.raises(ValueError, match=r"the queue's servers are \[''\]: name them like the pool's"):
        OllamaConnectionPool("http://a,http://b", queue=RequestQueue())
    queue = RequestQueue(servers=("http://b", "http://a"))
    assert len(OllamaConnectionPool("http://a,http://b", queue=queue).servers) == 2


def test_one_breaker_for_several_servers_is_refused() -> None:
    with pytest.raises(ValueError, match="one breaker is given for 2 model servers"):
        OllamaConnectionPool("http://a,http://b", breaker=CircuitBreaker())
