import asyncio
from urllib.parse import urlsplit

import pytest

from agents import AgentStatus, BaseAgentV2, Host
from agents.core.settings import SettingsError
from bus.errors import BrokerUnreachable, ConnectError
from schemas import TaskMessage
from tests.support.agent_world import Gate, agent_world, connected_client, memory_url, scripted_pool, settings_for
from tests.support.proxy import TcpProxy
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.waiting import wait_until


class Holder(BaseAgentV2):
    def __init__(self, gate: Gate, name: str = "holder", concurrency: int = 1) -> None:
        super().__init__(name=name, max_concurrent_tasks=concurrency)
        self.gate = gate

    async def process_task(self, task: TaskMessage) -> dict[str, str]:
        return await self.gate.hold(task)


def test_two_agents_of_one_name_are_refused_and_so_is_none() -> None:
    settings = settings_for(memory_url())
    gate = Gate()
    with pytest.raises(SettingsError, match=r"different names, and these are \['twin', 'twin'\]"):
        Host([Holder(gate, "twin"), Holder(gate, "twin")], settings)
    with pytest.raises(SettingsError, match=r"these are \[\]"):
        Host([], settings)


def test_a_bad_address_of_broker_or_model_server_is_told_before_anything_starts() -> None:
    with pytest.raises(ConnectError, match="scheme 'http'"):
        Host([Holder(Gate())], settings_for("http://me:secret@host"))
    with pytest.raises(SettingsError, match="setting OLLAMA_URL: the model server's address 'ftp://host' is no http"):
        Host([Holder(Gate())], settings_for(memory_url(), ollama_url="ftp://me:secret@host"))


async def test_agents_live_through_their_stages_with_the_host() -> None:
    agent = Holder(Gate())
    async with agent_world(agent) as world:
        assert agent.status is AgentStatus.ACTIVE
        await world.host.stop()
        assert agent.status.value == "shutting_down"
        assert not (await agent.health_check())["healthy"]
    assert agent.status.value == "stopped"


async def test_a_host_that_cannot_start_leaves_its_agents_in_error_and_nothing_behind() -> None:
    settings = settings_for("amqp://127.0.0.1:9/", connect_timeout=0.2)
    agent = Holder(Gate())
    with pytest.raises(BrokerUnreachable):
        async with Host([agent], settings):
            pytest.fail("nobody listens there")
    assert agent.status is AgentStatus.ERROR


async def test_a_stop_lets_running_work_end_within_the_grace_period_and_takes_no_more() -> None:
    gate = Gate()
    async with agent_world(Holder(gate), grace_period=10) as world:
        async with world.client.results() as results:
            first, second = [await world.client.submit("holder", text) for text in ("1", "2")]
            assert await gate.next() == first.id
            stopping = asyncio.create_task(world.host.stop())
            await wait_until(lambda: world.host.consumers[0].state == "paused", what="the pause")
            gate.leave.set()
            await stopping
            assert (await anext(results)).task_id == first.id
        info = await world.client.broker.queue_info(world.client.topology.task_queue("holder"))
        assert info is not None
        assert (info.ready, info.consumers) == (1, 0)
        assert second.id != first.id


async def test_what_does_not_end_within_the_grace_period_goes_back_to_its_queue() -> None:
    gate = Gate()
    async with agent_world(Holder(gate), grace_period=0) as world:
        task = await world.client.submit("holder", "1")
        await gate.next()
        await world.host.stop()
        async with agent_world(other := Holder(Gate()), amqp_url=world.host.settings.amqp_url):
            assert await other.gate.next() == task.id
    assert gate.running == 0


async def test_serving_ends_when_a_stop_is_requested() -> None:
    async with agent_world(Holder(Gate())) as world:
        serving = asyncio.create_task(world.host.serve())
        await asyncio.sleep(0)
        assert not serving.done()
        world.host.request_stop()
        async with asyncio.timeout(5):
            await serving


async def test_an_agent_runs_alone_in_a_host_of_its_own_until_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = memory_url()
    monkeypatch.setenv("AMQP_URL", url)
    gate = Gate()
    agent = Holder(gate)
    async with connected_client(settings_for(url)) as client:
        await client.broker.declare(client.topology.agent("holder"))
        running = asyncio.create_task(agent.run_async())
        gate.leave.set()
        assert (await client.ask("holder", "Hi", timeout=10)).result == {"response": "Hi"}
        running.cancel()
        await asyncio.wait([running], timeout=5)
    assert running.cancelled()
    assert agent.status.value == "stopped"


async def test_a_host_whose_broker_goes_away_while_it_stops_ends_within_its_bound(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bus.consumer.HAND_BACK_SECONDS", 0.5)
    parts = urlsplit(vhost_url)
    gate = Gate()
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        settings = settings_for(proxy.url_for(vhost_url), grace_period=0.5)
        pool = scripted_pool(ScriptedOllama(), settings)
        async with asyncio.timeout(25):
            async with (
                Host([Holder(gate)], settings, pool=pool) as host,
                connected_client(settings_for(vhost_url)) as client,
            ):
                await client.submit("holder", "1")
                await gate.next()
                stopping = asyncio.create_task(host.stop())
                await proxy.refuse()
                gate.leave.set()
                await stopping


async def test_a_watch_that_fails_does_not_take_the_host_with_it() -> None:
    class Broken(Holder):
        def health(self, *_args: object, **_named: object) -> dict[str, object]:
            raise ValueError("a bug in a report")

    agent = Broken(Gate())
    agent.gate.leave.set()
    async with agent_world(agent, health_check_interval=0.01) as world:
        assert (await world.client.ask("holder", "Hi", timeout=10)).status == "completed"
    assert agent.status.value == "stopped"
