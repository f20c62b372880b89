"""The queue of a host's arrivals on a real broker."""

from bus.arrivals import Arrivals
from bus.queue_descriptions import ARRIVALS
from bus.rabbitmq import RabbitBroker
from tests.support.broker import Broker
from tests.support.bus_world import AGENT, World
from tests.support.humble_user import humble_user
from tests.support.management import Management


def ignore(*_: object) -> None:
    """Nothing is heard here."""


async def test_the_queue_is_exclusive_not_durable_and_short(world: World, management: Management) -> None:
    async with Arrivals(world.broker, world.topology, "host-1", [AGENT], ignore, ignore) as arrivals:
        row = (await management.queues())[arrivals.queue]
    assert (row["durable"], row["arguments"]) == (
        False,
        {
            "x-queue-type": "classic",
            "x-max-length": 1_000,
            "x-max-length-bytes": 10_000_000,
            "x-description": ARRIVALS,
        },
    )


async def test_it_goes_with_its_connection_so_that_no_task_is_routed_to_nobody(world: World, vhost_url: str) -> None:
    async with RabbitBroker([vhost_url], "dying", "1") as dying:
        arrivals = Arrivals(dying, world.topology, "host-1", [AGENT], ignore, ignore)
        await arrivals.__aenter__()
        queue = arrivals.queue
    assert await world.broker.queue_info(queue) is None


async def test_without_the_right_to_a_queue_of_its_own_a_host_is_deaf_and_says_so(
    broker: Broker, world: World, vhost_url: str
) -> None:
    rights = {"configure": "^$", "write": "^$", "read": r"^sutazai\.tasks\.worker$"}
    async with (
        humble_user(broker, vhost_url, rights) as url,
        RabbitBroker([url], "humble", "1") as humble,
        Arrivals(humble, world.topology, "host-1", [AGENT], ignore, ignore) as arrivals,
    ):
        assert arrivals.is_deaf
