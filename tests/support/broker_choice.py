"""Which RabbitMQ the tests use, and how. Pure: what the machine offers comes in, an order of sources comes out."""

from collections.abc import Mapping
from enum import StrEnum

from bus.topology import QueueType

AMQP_URL = "SUTAZAI_TEST_AMQP_URL"
MANAGEMENT_URL = "SUTAZAI_TEST_MANAGEMENT_URL"
SERVER = "SUTAZAI_TEST_SERVER"
"""Path of the `rabbitmq-server` to start all nodes with, in place of the machine's own."""

QUEUE_TYPE = "SUTAZAI_TEST_QUEUE_TYPE"
"""The type of the task queues where the bus's contract is tested over RabbitMQ, classic or quorum."""


class Source(StrEnum):
    """Where a RabbitMQ for the tests can come from."""

    GIVEN = f"the broker of {AMQP_URL}"
    SERVER = f"the rabbitmq-server of {SERVER}"
    DOCKER = "a Docker container"
    MACHINE = "this machine's rabbitmq-server"
    DEBIAN = "Debian's rabbitmq-server package"


def sources(
    env: Mapping[str, str], *, docker_answers: bool, server_found: bool, debian_root: bool
) -> tuple[Source, ...]:
    """Return the sources to try, best first; empty when there is none.

    A given broker or server is the only one: if it is down, the tests must not quietly run against another.
    """
    if env.get(AMQP_URL):
        return (Source.GIVEN,)
    if env.get(SERVER):
        return (Source.SERVER,)
    offers = {
        Source.DOCKER: docker_answers,
        Source.MACHINE: server_found,
        Source.DEBIAN: debian_root and not server_found,
    }
    return tuple(source for source, offered in offers.items() if offered)


def queue_type(env: Mapping[str, str]) -> QueueType:
    """Return the type of the task queues to test with, classic where nothing else is said."""
    return QueueType(env.get(QUEUE_TYPE) or QueueType.CLASSIC)
