"""Which RabbitMQ the tests use. Pure: what the machine offers comes in, an order of sources comes out."""

from collections.abc import Mapping
from enum import StrEnum

AMQP_URL = "SUTAZAI_TEST_AMQP_URL"
MANAGEMENT_URL = "SUTAZAI_TEST_MANAGEMENT_URL"


class Source(StrEnum):
    """Where a RabbitMQ for the tests can come from."""

    GIVEN = f"the broker of {AMQP_URL}"
    DOCKER = "a Docker container"
    MACHINE = "this machine's rabbitmq-server"
    DEBIAN = "Debian's rabbitmq-server package"


def sources(
    env: Mapping[str, str], *, docker_answers: bool, server_found: bool, debian_root: bool
) -> tuple[Source, ...]:
    """Return the sources to try, best first; empty when there is none.

    A given broker is the only one: if it is down, the tests must not quietly run against another.
    """
    if env.get(AMQP_URL):
        return (Source.GIVEN,)
    offers = {
        Source.DOCKER: docker_answers,
        Source.MACHINE: server_found,
        Source.DEBIAN: debian_root and not server_found,
    }
    return tuple(source for source, offered in offers.items() if offered)
