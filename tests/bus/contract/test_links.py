"""What a broker shows of its connections."""

from bus.broker import LinkState
from tests.support.bus_world import World
from tests.support.faulty_brokers import Through


async def test_a_connected_broker_shows_both_its_links(world: World) -> None:
    shown = Through(world.broker).links
    assert shown == {"consuming": LinkState.CONNECTED, "publishing": LinkState.CONNECTED}
