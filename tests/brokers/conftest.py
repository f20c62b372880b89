"""Clusters of three nodes, of the machine's RabbitMQ and of RabbitMQ 4. Only who names this folder runs what is in it.

It takes minutes, two gigabytes of memory and, for RabbitMQ 4, root: `make test-brokers`, not `make test`.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.session import machine_server

HERE = Path(__file__).parent
MAKE_RABBITMQ_4 = HERE.parents[1] / "tools" / "make-rabbitmq-4"


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave this folder out unless it, or something in it, was named."""
    named = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(HERE in (place, *place.parents) for place in named) else True


@pytest.fixture(scope="session")
def rabbitmq_4() -> Path:
    """The `rabbitmq-server` of RabbitMQ 4, made if it is not there yet."""
    made = subprocess.run([MAKE_RABBITMQ_4], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(made.stderr.strip())
    return Path(made.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=["machine", "rabbitmq-4"])
def running_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for the tests of one module."""
    is_four = request.param == "rabbitmq-4"
    server = request.getfixturevalue("rabbitmq_4") if is_four else machine_server(request.config)
    with Cluster(server=server) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """A whole cluster; what a test breaks is mended after it."""
    yield running_cluster
    running_cluster.mend()
