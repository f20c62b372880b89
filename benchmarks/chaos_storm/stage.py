"""The stage of a storm: a broker, hosts behind proxies, a model server, witnesses. All of it ends with its block."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.chaos_storm.hosts import HostProcess
from benchmarks.chaos_storm.inspection import Inspection
from benchmarks.chaos_storm.model_server import MoodyModel
from benchmarks.chaos_storm.publisher import Publisher
from benchmarks.chaos_storm.schedule import HEARTBEAT_SECONDS, PUBLISHER
from benchmarks.chaos_storm.storm import Fleet
from benchmarks.chaos_storm.witness import Witness
from bus.broker import Broker
from bus.connect import broker_at
from bus.node_layout import HOST
from bus.private_node import PrivateNode
from bus.topology import Topology
from tests.support.ollama_port import OllamaPort
from tests.support.proxy import TcpProxy

TOPOLOGY: Final = Topology()
REPLY_QUEUE: Final = "chaos.replies"


@dataclass(frozen=True, slots=True)
class Stage:
    """All that plays a part."""

    fleet: Fleet
    publisher: Publisher
    inspection: Inspection
    results: Witness
    tasks: Witness
    retries: Witness
    returns: Witness
    """Of the retries that came off the ladder, which RabbitMQ moves at least once."""
    replies: Witness


@asynccontextmanager
async def stage(seed: int, hosts: Sequence[str], folder: Path) -> AsyncIterator[Stage]:
    """Build the stage; hosts are started, and may not be ready yet. Logs go into `folder`."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(PrivateNode())
        links = {name: await stack.enter_async_context(_link_to(node)) for name in (*hosts, PUBLISHER)}
        model = MoodyModel(seed)
        model_port = await stack.enter_async_context(OllamaPort(model))
        broker = await stack.enter_async_context(broker_at(node.amqp_url, "storm"))
        await broker.declare(TOPOLOGY.shared())
        witnesses = [
            await stack.enter_async_context(witness)
            for witness in (
                Witness(broker, "chaos.results", TOPOLOGY.results),
                Witness(broker, "chaos.tasks", TOPOLOGY.tasks),
                Witness(broker, "chaos.retries", TOPOLOGY.delay),
                Witness(broker, "chaos.returns", TOPOLOGY.retry),
                Witness(broker, REPLY_QUEUE),
            )
        ]
        processes = {
            name: await stack.enter_async_context(
                HostProcess(name, amqp_url=_url(node, links[name]), ollama_url=model_port.url, folder=folder)
            )
            for name in hosts
        }
        remote = await stack.enter_async_context(_remote(node, links[PUBLISHER]))
        yield Stage(
            Fleet(node, processes, links, model, model_port, broker, REPLY_QUEUE),
            Publisher(remote, TOPOLOGY, REPLY_QUEUE),
            Inspection(broker, TOPOLOGY, node.management_url, hosts),
            *witnesses,
        )


def _link_to(node: PrivateNode) -> TcpProxy:
    return TcpProxy(HOST, urlsplit(node.amqp_url).port or 0)


def _url(node: PrivateNode, link: TcpProxy) -> str:
    return f"{link.url_for(node.amqp_url)}?heartbeat={HEARTBEAT_SECONDS}"


def _remote(node: PrivateNode, link: TcpProxy) -> Broker:
    return broker_at(_url(node, link), "publisher")
