import asyncio

import pytest

from agents.fleet import hearing
from agents.fleet.fleet import Fleet
from tests.support.agent_world import Asker, agent_world


async def test_two_processes_of_one_name_are_both_heard_though_the_first_has_told_everything(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "NAMESAKE_SECONDS", 1)  # on a busy machine too
    fleet = Fleet()
    async with (
        agent_world(Asker(name="one"), amqp_url=vhost_url, health_check_interval=600) as world,
        agent_world(Asker(name="one"), amqp_url=vhost_url, health_check_interval=600),
        asyncio.timeout(30),
    ):
        await hearing.hear(world.client, fleet, ["host-1"])
    assert fleet.processes() == {"host-1": 2}
