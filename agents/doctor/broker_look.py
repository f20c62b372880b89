"""Looking at the broker: what AMQP tells, and what the management API adds. Nothing is left behind there."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from agents.core.settings import Settings
from agents.core.version import VERSION
from agents.doctor.facts import BrokerFacts, ManagementFacts
from agents.doctor.management import ManagementClient, ManagementError, management_place
from agents.fleet.fleet import Fleet
from agents.fleet.hearing import hear
from bus.broker import Broker, QueueInfo
from bus.client import Client
from bus.connect import broker_at
from bus.errors import BusError, TopologyError, Unroutable, VhostRefused
from bus.message import Message
from bus.plan import Plan
from bus.topology import Topology
from schemas import AgentReport

PROBE_KEY: Final = "Doctor.nobody"
"""Routing key that nothing is bound by: no agent's name has capitals. A mandatory message under it comes back."""

PROBE_SECONDS: Final = 10.0


def plans_of(topology: Topology, agents: Iterable[str]) -> list[Plan]:
    """Return what must be on the broker for these agents. The logs are optional."""
    return [topology.shared(), *map(topology.agent, agents)]


async def look_at_broker(settings: Settings, agents: Sequence[str] | None) -> BrokerFacts:
    """Return what can be seen at the broker of these agents; None: of all that have a queue there.

    Raises:
        SettingsError: SUTAZAI_MANAGEMENT_URL is no http address.
        InvalidAddress: AMQP_URL is no broker's.
    """
    name = f"sutazai doctor ({settings.host_name})"
    async with ManagementClient(management_place(settings)) as management:
        try:
            async with broker_at(settings.amqp_url, name, VERSION, patience=settings.connect_timeout) as broker:
                return await _Look(settings.topology, broker, management).facts(agents)
        except VhostRefused as error:
            return BrokerFacts(error=str(error), has_vhost=await _has_vhost(management))
        except BusError as error:
            return BrokerFacts(error=str(error))


async def _has_vhost(management: ManagementClient) -> bool | None:
    try:
        return await management.has_vhost()
    except ManagementError:
        return None


class _Look:
    """One look through an open connection."""

    def __init__(self, topology: Topology, broker: Broker, management: ManagementClient) -> None:
        self._topology = topology
        self._broker = broker
        self._management = management

    async def facts(self, agents: Sequence[str] | None) -> BrokerFacts:
        management, management_error = await self._from_management()
        names = _agents_of(self._topology, management) if agents is None else agents
        queues = [queue for plan in plans_of(self._topology, names) for queue in plan.queues]
        infos = {queue.name: await self._broker.queue_info(queue.name) for queue in queues}
        return BrokerFacts(
            description=self._broker.description,
            agents=names,
            queues=infos,
            refused={} if management else await self._refused(names, infos),
            unwritable=await self._unwritable(),
            management=management,
            management_error=management_error,
            reports=await self._reports(names, infos),
        )

    async def _from_management(self) -> tuple[ManagementFacts | None, str | None]:
        try:
            return await self._management.look(), None
        except ManagementError as error:
            return None, str(error)

    async def _refused(self, agents: Sequence[str], infos: dict[str, QueueInfo | None]) -> dict[str, str]:
        """Declare again what is there: without the management API, only a refusal tells that arguments differ."""
        refused = dict[str, str]()
        for plan in plans_of(self._topology, agents):
            for queue in plan.queues:
                if infos[queue.name] is not None:
                    try:
                        await self._broker.declare(Plan(queues=(queue,)))
                    except TopologyError as error:
                        refused[queue.name] = str(error)
        return refused

    async def _reports(self, agents: Sequence[str], infos: Mapping[str, QueueInfo | None]) -> Sequence[AgentReport]:
        """Ask the hosts what they do, where a queue without a consumer leaves that open."""
        found = (infos[self._topology.task_queue(agent)] for agent in agents)
        if all(info is None or info.consumers for info in found):
            return ()
        fleet = Fleet()
        with contextlib.suppress(BusError):  # a user who may not listen is told of his rights elsewhere
            await hear(Client(self._broker, self._topology), fleet, ())
        return fleet.reports(AgentReport)

    async def _unwritable(self) -> dict[str, str]:
        """Publish what no queue takes: a user who may write gets it back, another one is refused."""
        refused = dict[str, str]()
        for exchange in (self._topology.delay, self._topology.dead):
            try:
                await self._broker.publish(exchange, PROBE_KEY, Message(b""), once=True, timeout=PROBE_SECONDS)
            except Unroutable:
                pass
            except TopologyError as error:
                if "ACCESS_REFUSED" in str(error):
                    refused[exchange] = str(error)
        return refused


def _agents_of(topology: Topology, management: ManagementFacts | None) -> list[str]:
    start = topology.task_queue("")
    queues = management.queues if management else ()
    return sorted(name.removeprefix(start) for name in queues if name.startswith(start))
