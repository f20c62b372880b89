"""Which agents there are: those of the catalog, and those that have been seen on the broker."""

from agents.core.catalog import CATALOG, load_catalog
from agents.core.settings import Settings
from bus.broker import Broker
from bus.control import known_agents


async def fleet(broker: Broker, settings: Settings) -> set[str]:
    """Return the names of all agents that may have a queue here; AMQP itself cannot list queues."""
    catalog = load_catalog((*settings.agents_path, CATALOG))
    return {*catalog, *await known_agents(broker, settings.topology)}
