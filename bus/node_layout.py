"""What a private node is told before it starts: its ports, its files, its environment."""

import itertools
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bus.node_guard import NODE_MARK

HOST = "127.0.0.1"

_FIRST_PORT = 20_000
_PORT_LIMIT = 32_000
"""Linux hands out ports from 32768 on to outgoing connections. A probe of a closed loopback port in that range can
be given the very port it asks for, connects to itself, and the broker can then not listen there."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_CRASH_REPORT = re.compile(r"^.{0,60}\s+(supervisor|crasher): ?")
_TAIL_LINES = 20
_LOOPBACK_DISTRIBUTION = "-kernel inet_dist_use_interface {127,0,0,1}"
_TOOL_SCHEDULERS = "+S 1:1 +SDcpu 1:1 +SDio 1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""For the tools, which do one thing at a time. Schedulers that wait spin, and give up their core each time: to others'
whole time slices where it is busy, thousands of times a start. Beside four busy programs on two cores, `rabbitmqctl
eval` took 29 to 44 seconds, and takes 2 to 4 with one scheduler of each kind and none that spins."""


def free_ports(count: int) -> list[int]:
    """Pick ports nobody listens on now, below those the kernel gives to outgoing connections."""
    found: list[int] = []
    with ExitStack() as held:
        for port in secrets.SystemRandom().sample(range(_FIRST_PORT, _PORT_LIMIT), 50 * count):
            listener = held.enter_context(socket.socket())
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"{count} free ports between {_FIRST_PORT} and {_PORT_LIMIT} were not found on {HOST}.")


@contextmanager
def held_ports(*ports: int) -> Iterator[None]:
    """Within the block, have `free_ports` of any process pass these over, also while nobody listens there.

    A bound socket that never listens does that. Linux lets a server listen beside it that sets SO_REUSEADDR, as those
    of Erlang and asyncio do; elsewhere nothing is held.
    """
    with ExitStack() as held:
        for port in ports if sys.platform == "linux" else ():
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # taken already: whoever is to listen there will say so
                holder.bind((HOST, port))
        yield


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of one node, all on loopback."""

    amqp: int
    management: int
    distribution: int
    epmd: int

    @classmethod
    def free(cls) -> "Ports":
        """Pick four free ports."""
        return cls(*free_ports(4))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a node is to others: its Erlang name, its ports, and the cookie it shares with the rest of its cluster."""

    name: str
    ports: Ports
    cookie: str = field(repr=False)

    @classmethod
    def random(cls) -> "Identity":
        """Return an identity that no other node has."""
        return cls(f"sutazai-{secrets.token_hex(4)}@localhost", Ports.free(), secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class NodeLayout:
    """One node's name, ports and directory. Every file of the node lies in `directory`."""

    directory: Path
    name: str
    ports: Ports

    @property
    def boot_log(self) -> Path:
        """What the server prints while it starts."""
        return self.directory / "boot.log"

    def log_tail(self) -> str:
        """Return the end of what the server printed, as far as it says why: without Erlang's crash reports."""
        text = _COLOUR.sub("", self.boot_log.read_text(errors="replace"))
        said = [line for line in text.splitlines() if line.strip()]
        why = list(itertools.takewhile(lambda line: not _CRASH_REPORT.search(line), said))
        return "\n".join(why[-_TAIL_LINES:])

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the node's programs.

        Nothing but PATH is inherited, so that a RABBITMQ_* or ERL_* variable of the caller and the machine's own
        /etc/rabbitmq cannot change the node.
        """
        home = str(self.directory)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": home,
            NODE_MARK: home,
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.ports.amqp),
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _LOOPBACK_DISTRIBUTION,
            "RABBITMQ_CTL_ERL_ARGS": f"{_LOOPBACK_DISTRIBUTION} {_TOOL_SCHEDULERS}",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{home}/conf.d/*.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/advanced.config",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/generated",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
        }

    def write(self, *, plugins: Sequence[str], config: Sequence[str], cookie: str) -> None:
        """Write the cookie and the configuration the node reads when it starts."""
        cookie_file = self.directory / ".erlang.cookie"
        cookie_file.touch(mode=0o600)
        cookie_file.write_text(cookie)
        cookie_file.chmod(0o400)
        (self.directory / "conf.d").mkdir()
        (self.directory / "advanced.config").write_text("[].\n")
        (self.directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        (self.directory / "rabbitmq.conf").write_text("\n".join([*config, ""]))
