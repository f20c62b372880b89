"""A cluster of three RabbitMQ nodes on loopback, whose nodes can be killed and whose network can be parted.

What the nodes say to one another passes through TCP proxies, one for each direction of each pair: each node has a port
mapper of its own (see `tests.support.port_mapper`) that names the proxies in place of its peers. A parted node is alive
and keeps its clients, but nothing passes between it and the other two, in either direction, and nothing is refused: to
them it looks like a cable pulled out. They notice after `NET_TICK_SECONDS` and up to a quarter more.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from itertools import islice, permutations
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bus.errors import PrivateNodeError
from bus.node_layout import HOST, Identity, Ports, free_ports
from bus.private_node import PrivateNode
from tests.support.port_mapper import PortMapper
from tests.support.proxy import TcpProxy

SIZE: Final = 3

NET_TICK_SECONDS: Final = 4
"""RabbitMQ's default is 60: queues and clients of a parted node would hang for a minute before anything is done."""

_ASK_SECONDS: Final = 0.2

Wires = dict[tuple[int, int], TcpProxy]
"""The way from one node to another, by their numbers."""


class Cluster:
    """Three nodes, numbered from 0; guest/guest. Used inside `with`; its methods block, from coroutines use a thread.

    Args:
        server: The `rabbitmq-server` to run; the machine's own when None.
        config: More lines of `rabbitmq.conf` for each node.
    """

    def __init__(self, *, server: Path | None = None, config: Sequence[str] = ()) -> None:
        ports = iter(free_ports(SIZE * 4 + SIZE * (SIZE - 1)))  # all at once: drawn apart, two could be the same
        mark, cookie = secrets.token_hex(4), secrets.token_hex(16)
        self._identities = [
            Identity(f"node{number}-{mark}@localhost", Ports(*islice(ports, 4)), cookie) for number in range(SIZE)
        ]
        self._wire_ports = tuple(ports)
        lines = [*_formation(identity.name for identity in self._identities), *config]
        self._nodes = [PrivateNode(server=server, config=lines, identity=identity) for identity in self._identities]
        self._up = set(range(SIZE))
        self._running = ExitStack()
        self._portal: BlockingPortal
        self._wires: Wires

    @property
    def urls(self) -> tuple[str, ...]:
        """The AMQP URL of each node."""
        return tuple(node.amqp_url for node in self._nodes)

    def urls_from(self, number: int) -> tuple[str, ...]:
        """Return the AMQP URLs of all nodes, that of one first: who is given them connects there."""
        return self.urls[number:] + self.urls[:number]

    def kill(self, number: int) -> None:
        """End all processes of a node with SIGKILL."""
        self._nodes[number].kill()
        self._up.discard(number)

    def start(self, number: int) -> None:
        """Start a killed node again, with what lies on its disk; returns once it answers."""
        self._nodes[number].start()
        self._up.add(number)

    def part(self, number: int) -> None:
        """Let nothing pass between a node and its peers, in either direction."""
        for ends, wire in self._wires.items():
            if number in ends:
                self._portal.call(wire.blackhole)

    def heal(self) -> None:
        """Let everything pass again between all nodes."""
        for wire in self._wires.values():
            # What waited in the hole is from connections long given up; a real network would never have made them.
            if wire.is_blackhole:
                self._portal.call(wire.drop)
            self._portal.call(wire.heal)

    def await_pause(self, number: int, limit: float = 45.0) -> None:
        """Return once a parted node has paused itself; raises AssertionError after `limit` seconds."""
        self._await(lambda: self.eval(number, "rabbit:is_running().") == "false", limit, f"node {number} to pause")

    def mend(self, limit: float = 60.0) -> None:
        """Start what was killed, heal, and return once each node sees all of them run."""
        self.heal()
        for number in set(range(SIZE)) - self._up:
            self.start(number)
        self._await(lambda: all(self._sees_all(number) for number in range(SIZE)), limit, "the cluster to be whole")

    def leader_of(self, queue: str) -> int:
        """Return the node that leads a quorum queue, or is the home of a classic one; takes a second or two."""
        name = self.eval(
            min(self._up),
            f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)), '
            "case amqqueue:get_pid(Q) of {_, Leader} -> Leader; Pid -> node(Pid) end.",
        )
        return [identity.name for identity in self._identities].index(name.strip("'"))

    def eval(self, number: int, expression: str) -> str:
        """Evaluate Erlang on a node; return what it prints."""
        return self._nodes[number].rabbitmqctl("eval", expression)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            self._wires = stack.enter_context(self._portal.wrap_async_context_manager(self._wired()))
            stack.callback(self._each, PrivateNode.stop)
            self._each(PrivateNode.start)
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _each(self, act: Callable[[PrivateNode], None]) -> None:
        with ThreadPoolExecutor(SIZE) as threads:
            list(threads.map(act, self._nodes))

    def _sees_all(self, number: int) -> bool:
        # Not `rabbitmqctl cluster_status`: that asks all nodes, and hangs while one of them is parted.
        is_running, seen = (
            self.eval(number, "{rabbit:is_running(), length(rabbit_mnesia:cluster_nodes(running))}.")
            .strip("{}")
            .split(",")
        )
        return is_running == "true" and int(seen) == SIZE

    def _await(self, condition: Callable[[], bool], limit: float, what: str) -> None:
        deadline = time.monotonic() + limit
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise AssertionError(f"Waited {limit:g} s in vain for {what}.")
            time.sleep(_ASK_SECONDS)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except PrivateNodeError:  # a node in the middle of its stop or start has no answer
            return False

    @asynccontextmanager
    async def _wired(self) -> AsyncIterator[Wires]:
        async with AsyncExitStack() as stack:
            wires: Wires = {}
            for (near, far), port in zip(permutations(range(SIZE), 2), self._wire_ports, strict=True):
                proxy = TcpProxy(HOST, self._identities[far].ports.distribution, port=port)
                wires[near, far] = await stack.enter_async_context(proxy)
            for number, identity in enumerate(self._identities):
                await stack.enter_async_context(PortMapper(identity.ports.epmd, self._seen_from(number, wires)))
            yield wires

    def _seen_from(self, near: int, wires: Wires) -> dict[str, int]:
        """Return where a node finds the others, and where its own tools find it."""
        return {
            identity.name.partition("@")[0]: identity.ports.distribution if far == near else wires[near, far].port
            for far, identity in enumerate(self._identities)
        }


def _formation(names: Iterable[str]) -> list[str]:
    return [
        "cluster_formation.peer_discovery_backend = classic_config",
        *(f"cluster_formation.classic_config.nodes.{place} = {name}" for place, name in enumerate(names, 1)),
        # Who finds nobody waits for nobody: it makes the cluster. Each of 3.10's retries would take seconds.
        "cluster_formation.discovery_retry_limit = 1",
        "cluster_partition_handling = pause_minority",
        f"net_ticktime = {NET_TICK_SECONDS}",
    ]
