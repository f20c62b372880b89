"""RabbitMQ in a Docker container. Nothing of Docker is imported before it is needed."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bus.node_probe import amqp_answers, management_answers
from tests.support.errors import NoBrokerError

IMAGE = "rabbitmq:4-management"

_CONFIG = b"collect_statistics_interval = 1000\n"
_CONFIG_FILE = "/etc/rabbitmq/conf.d/90-tests.conf"
_AMQP, _MANAGEMENT = 5672, 15672
_PING = "import docker; docker.from_env(timeout=5).ping()"
_BOOT_SECONDS = 120.0
_PROBE_SECONDS = 0.2


def docker_answers() -> bool:
    """Tell whether a Docker engine answers; the client program alone does not count.

    Another process asks, the way testcontainers will: a refusal leaves Docker's library with an open socket.
    """
    try:
        asked = subprocess.run([sys.executable, "-c", _PING], capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


@contextmanager
def rabbitmq_container() -> Iterator[tuple[str, str]]:
    """Run `IMAGE`; yield its AMQP and management URLs once both answer. Raises NoBrokerError if it does not run."""
    from docker.errors import DockerException  # type: ignore[import-untyped]  # no stubs for the tests alone
    from testcontainers.core.container import DockerContainer

    with ExitStack() as running:
        try:
            container = DockerContainer(IMAGE).with_exposed_ports(_AMQP, _MANAGEMENT)
            running.enter_context(container.with_copy_into_container(_CONFIG, _CONFIG_FILE))
            host = container.get_container_host_ip()
            amqp, management = (int(container.get_exposed_port(port)) for port in (_AMQP, _MANAGEMENT))
            _await_answers(host, amqp, management)
        except (DockerException, OSError) as error:
            raise NoBrokerError(f"{IMAGE} did not run: {error}") from error
        yield f"amqp://guest:guest@{host}:{amqp}/", f"http://{host}:{management}"


def _await_answers(host: str, amqp: int, management: int) -> None:
    deadline = time.monotonic() + _BOOT_SECONDS
    while not (amqp_answers(host, amqp) and management_answers(host, management)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not answer within {_BOOT_SECONDS:g} s")
        time.sleep(_PROBE_SECONDS)
