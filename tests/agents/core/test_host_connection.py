"""How hosts, commands and programs show themselves on the Connections page of the management UI."""

import os

import pytest

from agents.core.host_connection import connection_name, connection_properties
from agents.core.version import VERSION
from bus.client_properties import program_name
from bus.connect import broker_at
from tests.support.agent_world import Asker, agent_world
from tests.support.management import Management, Row
from tests.support.program import program, sutazai
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("agents", "name"),
    [
        (["a"], "h (a)"),
        (["a", "b", "c"], "h (a, b, c)"),
        (["a", "b", "c", "d", "e"], "h (a, b, c and 2 more)"),
    ],
)
def test_a_connection_is_named_after_host_and_agents(agents: list[str], name: str) -> None:
    assert connection_name("h", agents) == name


def test_a_host_of_many_agents_lists_some_of_them() -> None:
    many = [f"agent-{number}" for number in range(131)]
    assert connection_properties("h", many) == {"host": "h", "agents": ", ".join(many[:12]) + " and 119 more"}


async def properties_of(management: Management, name: str) -> Row:
    """Return the client properties of the connection with this name, once there is one."""
    found: list[Row] = []

    async def look() -> bool:
        rows = [row["client_properties"] for row in await management.connections()]
        found[:] = [row for row in rows if row.get("connection_name", "").startswith(name)]
        return bool(found)

    await wait_until(look, what=f"a connection called {name}")
    return found[0]


@pytest.mark.parametrize("use", ["consumes", "publishes"])
async def test_the_connections_of_a_host_tell_product_version_host_and_agents(
    vhost_url: str, management: Management, use: str
) -> None:
    async with agent_world(Asker(name="one"), Asker(name="two"), amqp_url=vhost_url):
        told = await properties_of(management, f"host-1 (one, two) {use}")
    expected = {"product": "SutazAI Agents", "version": VERSION, "host": "host-1", "agents": "one, two"}
    assert told.items() >= {**expected, "pid": str(os.getpid())}.items()
    assert "aiormq" not in str(told)
    assert "guest" not in str(told)


async def test_a_program_that_gives_no_name_is_named_after_its_file(vhost_url: str, management: Management) -> None:
    async with broker_at(vhost_url):
        told = await properties_of(management, f"{program_name()} publishes")
    assert (told["product"], told["version"]) == ("SutazAI Agents", VERSION)


async def test_a_command_is_named_after_itself(vhost_url: str, management: Management) -> None:
    async with program(*sutazai("results"), env={"AMQP_URL": vhost_url}) as command:
        told = await properties_of(management, "sutazai results (")
    assert told["pid"] == str(command.pid)
    assert told["version"] == VERSION
