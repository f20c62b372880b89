"""A RabbitMQ node of one's own, from the `rabbitmq-server` on this machine: for `make demo` and for the tests.

There is one implementation, and it blocks: `with PrivateNode() as node`. `async with PrivateNode() as node` runs the
same start and stop in a thread; from a coroutine, call `kill`, `restart` and `rabbitmqctl` through
`asyncio.to_thread`.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from bus import node_guard
from bus.errors import PrivateNodeError
from bus.node_layout import HOST, Identity, NodeLayout, Ports, held_ports
from bus.node_probe import amqp_answers, management_answers

log = structlog.get_logger(__name__)

PACKAGED_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself in Debian's, Fedora's and RabbitMQ's packages. What they put on PATH is a wrapper that switches to
the user of the system's broker."""

_WRAPPER = "rabbitmq-script-wrapper"
_PROBE_SECONDS = 0.1


def find_server(packaged: Path = PACKAGED_SERVER) -> Path | None:
    """Return this machine's `rabbitmq-server`: the packaged one, else the one on PATH, else None."""
    if packaged.exists():
        return packaged
    found = shutil.which("rabbitmq-server")
    if found is None or Path(found).resolve().name == _WRAPPER:
        return None
    return Path(found)


class PrivateNode:
    """One RabbitMQ node on loopback with ports, files, cookie and epmd of its own; guest/guest, nothing kept.

    Works as root and as any user, beside other nodes and beside the system's own. One object is one node: a start that
    failed or was cancelled is not repeated with the same object. `stop`, or leaving the context,
    ends every process of the node with SIGKILL and removes its directory; so does a failed start. Should the owner die
    without leaving the context, a guard process does the same (see `bus.node_guard`).

    Args:
        server: The `rabbitmq-server` to run; found by `find_server` when None.
        management: Whether to enable the management API, with fresh statistics every second.
        consumer_timeout_ms: How long the broker waits for an acknowledgement before it closes the channel; its own
            default of half an hour is less than a slow model may need.
        config: More lines of `rabbitmq.conf`, such as `"vm_memory_high_watermark.absolute = 512MB"`.
        environment: More variables for the server, such as `RABBITMQ_FEATURE_FLAGS` for a node with fewer of them.
        boot_timeout: Seconds until a start counts as failed.
        identity: Name, ports and cookie, for a node that others must know beforehand; its own and random when None.
    """

    def __init__(
        self,
        *,
        server: Path | None = None,
        management: bool = True,
        consumer_timeout_ms: int = 7_200_000,
        config: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        boot_timeout: float = 60.0,
        identity: Identity | None = None,
    ) -> None:
        self._server = server
        self._management = management
        self._consumer_timeout_ms = consumer_timeout_ms
        self._more_config = tuple(config)
        self._more_environment = dict(environment or {})
        self._boot_timeout = boot_timeout
        self._identity = identity
        self._layout: NodeLayout | None = None
        self._held = ExitStack()
        self._guard: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._abandoned = threading.Event()

    @property
    def amqp_url(self) -> str:
        """The URL of the node's default virtual host, with its user."""
        return f"amqp://guest:guest@{HOST}:{self._laid_out.ports.amqp}/"

    @property
    def management_url(self) -> str:
        """The URL of the management UI and API, for the user guest; raises PrivateNodeError if it is off."""
        if not self._management:
            raise PrivateNodeError("This node was started with management=False: it has no management URL.")
        return f"http://{HOST}:{self._laid_out.ports.management}"

    @property
    def directory(self) -> Path:
        """The directory of all the node's files, removed with the node."""
        return self._laid_out.directory

    def start(self) -> None:
        """Start the node and return when it answers; raises PrivateNodeError with the end of its log otherwise."""
        began = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self.stop)
            self._lay_out()
            self._launch()
            self._await_ready(began + self._boot_timeout)
            undo.pop_all()
        log.info("private_node.started", port=self._laid_out.ports.amqp, seconds=round(time.monotonic() - began, 1))

    def stop(self) -> None:
        """End the node and remove its files; does nothing where there is no node. Raises if a process remains."""
        if self._layout is None:
            return
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._guard is not None:
            self._guard.communicate()
        self._held.close()
        self._layout = self._guard = None

    def kill(self) -> None:
        """End all processes of the node as a crash would, with SIGKILL; its files and ports are kept.

        A queue declared in the two seconds before may then be lost with all its messages, confirmed or not: Mnesia
        writes the decision of a transaction late, and presumes it undone without. `flush` first where that matters.
        """
        left = node_guard.end_processes(self.directory)
        if left:
            raise PrivateNodeError(f"These processes of the private node did not end: {left}.")
        if self._process is not None:
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Have the node write to disk what it knows of its queues and bindings, as it does every two seconds."""
        self.rabbitmqctl("eval", "disk_log:sync(latest_log).")

    def restart(self) -> None:
        """Flush and kill the node, if it runs, and start it again on the same ports with the same data."""
        if self._process is not None and self._process.poll() is None:
            self.flush()
        self.kill()
        self.start()

    def rabbitmqctl(self, *arguments: str, timeout: float = 30.0) -> str:
        """Run `rabbitmqctl` against the node and return what it prints; takes half a second to two seconds.

        `rabbitmqctl("set_vm_memory_high_watermark", "0")` raises the memory alarm, `"0.4"` clears it. Raises
        PrivateNodeError with the tool's own words if it fails.
        """
        try:
            done = subprocess.run(  # noqa: S603 - a program of the server's package, no shell
                [self._program("rabbitmqctl"), "--quiet", *arguments],
                env=self._laid_out.environment(),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise PrivateNodeError(f"rabbitmqctl {' '.join(arguments)} failed: {error.stderr.strip()}") from error
        except subprocess.TimeoutExpired as error:
            raise PrivateNodeError(f"rabbitmqctl {' '.join(arguments)} took over {timeout:g} s.") from error
        return done.stdout.strip()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        boot = asyncio.create_task(asyncio.to_thread(self.start), name="private-node.start")
        try:
            await asyncio.shield(boot)
        except asyncio.CancelledError:
            self._abandoned.set()
            await asyncio.gather(boot, return_exceptions=True)
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def _laid_out(self) -> NodeLayout:
        if self._layout is None:
            raise PrivateNodeError("The private node is not running: enter its context first.")
        return self._layout

    def _lay_out(self) -> None:
        if self._layout is not None:
            return
        identity = self._identity or Identity.random()
        directory = Path(tempfile.mkdtemp(prefix="sutazai-rabbitmq-"))
        self._layout = NodeLayout(directory, identity.name, identity.ports)
        # For seconds nobody listens there: now, and between a kill and the next start.
        self._held.enter_context(held_ports(*astuple(identity.ports)))
        self._guard = subprocess.Popen(  # noqa: S603 - our own file, no shell
            [sys.executable, "-P", node_guard.__file__, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        plugins = ["rabbitmq_management"] if self._management else []
        self._layout.write(plugins=plugins, config=self._config(identity.ports), cookie=identity.cookie)

    def _config(self, ports: Ports) -> list[str]:
        lines = [f"consumer_timeout = {self._consumer_timeout_ms}", "log.console = true"]
        if self._management:
            lines += [
                "collect_statistics_interval = 1000",
                f"management.tcp.ip = {HOST}",
                f"management.tcp.port = {ports.management}",
            ]
        return [*lines, *self._more_config]

    def _program(self, name: str) -> str:
        server = self._server or find_server()
        if server is None:
            raise PrivateNodeError("No rabbitmq-server was found: install RabbitMQ, on Debian rabbitmq-server.")
        return str(server.with_name(name))

    def _launch(self) -> None:
        layout = self._laid_out
        program = self._program("rabbitmq-server")
        try:
            with layout.boot_log.open("wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the server's own program, no shell
                    [program],
                    env=layout.environment() | self._more_environment,
                    cwd=layout.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise PrivateNodeError(f"{program} could not be run: {error.strerror}.") from error

    def _await_ready(self, deadline: float) -> None:
        while not self._answers():
            if self._process is not None and self._process.poll() is not None:
                raise self._failed("ended while it started")
            if time.monotonic() > deadline:
                raise self._failed(f"did not answer within {self._boot_timeout:g} s")
            if self._abandoned.wait(_PROBE_SECONDS):
                raise self._failed("was cancelled while it started")

    def _failed(self, how: str) -> PrivateNodeError:
        return PrivateNodeError(f"RabbitMQ {how}. It said:\n{self._laid_out.log_tail()}")

    def _answers(self) -> bool:
        ports = self._laid_out.ports
        return amqp_answers(HOST, ports.amqp) and (not self._management or management_answers(HOST, ports.management))
