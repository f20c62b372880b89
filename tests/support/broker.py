"""A real RabbitMQ for the test session, from the first source of `tests.support.broker_choice` that works.

With a management API every test has a virtual host of its own, made for it and deleted after it. Where only
`SUTAZAI_TEST_AMQP_URL` is given, and no management API in `SUTAZAI_TEST_MANAGEMENT_URL`, AMQP alone can neither make a
virtual host nor list what lies in one. All tests then share the virtual host of that URL and keep apart by the
fixture `prefix`, which is new for each test; what is durable stays behind there, so give a broker that may be thrown
away. The fixture `management` fails in that case and says which variable to set.
"""

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aio_pika

from bus.errors import PrivateNodeError
from bus.private_node import PrivateNode, find_server
from tests.support.broker_choice import AMQP_URL, MANAGEMENT_URL, SERVER, Source, sources
from tests.support.debian import install, is_debian_root
from tests.support.docker_engine import docker_answers, rabbitmq_container
from tests.support.errors import NoBrokerError

_CONNECT_SECONDS = 10.0
_REMEDY = (
    f"The tests need RabbitMQ: start Docker, or install rabbitmq-server, or set {AMQP_URL} (and {MANAGEMENT_URL})."
)


class _Offers(TypedDict):
    docker_answers: bool
    server_found: bool
    debian_root: bool


@dataclass(frozen=True, slots=True)
class Broker:
    """The RabbitMQ of this test session."""

    amqp_url: str = field(repr=False)
    management_url: str | None = field(repr=False)
    """Without user and password; they are `credentials`. None where there is no management API."""
    version: str
    source: Source

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password, the same for AMQP and the management API."""
        parts = urlsplit(self.amqp_url)
        return unquote(parts.username or "guest"), unquote(parts.password or "guest")

    def url_of(self, vhost: str) -> str:
        """Return the AMQP URL of a virtual host, percent-encoded, with the session URL's query."""
        return urlunsplit(urlsplit(self.amqp_url)._replace(path="/" + quote(vhost, safe="")))


def vhost_of(url: str) -> str:
    """Return the name of the virtual host an AMQP URL points at, decoded."""
    return unquote(urlsplit(url).path.removeprefix("/")) or "/"


def vhost_name(test: str) -> str:
    """Derive the name of a virtual host from a test's name; never the same twice."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', test)[:100]}.{secrets.token_hex(3)}"


@contextmanager
def open_broker(env: Mapping[str, str] = os.environ) -> Iterator[Broker]:
    """Run the session's RabbitMQ; raises NoBrokerError when no source works, with what each of them said."""
    with ExitStack() as running:
        yield _first_that_works(running, env)


def _first_that_works(running: ExitStack, env: Mapping[str, str]) -> Broker:
    refusals = []
    for source in sources(env, **_offers(env)):
        try:
            return running.enter_context(_OPENERS[source](env))
        except (NoBrokerError, PrivateNodeError) as error:
            refusals.append(f"Tried {source.value}: {error}")
    raise NoBrokerError("\n".join([_REMEDY, *refusals]))


def _offers(env: Mapping[str, str]) -> _Offers:
    return {
        "docker_answers": not env.get(AMQP_URL) and docker_answers(),
        "server_found": find_server() is not None,
        "debian_root": is_debian_root(),
    }


@contextmanager
def _given(env: Mapping[str, str]) -> Iterator[Broker]:
    yield _broker(env[AMQP_URL], env.get(MANAGEMENT_URL) or None, Source.GIVEN)


@contextmanager
def _of_server(env: Mapping[str, str]) -> Iterator[Broker]:
    with PrivateNode(server=Path(env[SERVER])) as node:
        yield _broker(node.amqp_url, node.management_url, Source.SERVER)


@contextmanager
def _on_machine(_env: Mapping[str, str], source: Source = Source.MACHINE) -> Iterator[Broker]:
    with PrivateNode() as node:
        yield _broker(node.amqp_url, node.management_url, source)


@contextmanager
def _from_debian(env: Mapping[str, str]) -> Iterator[Broker]:
    install("rabbitmq-server")
    with _on_machine(env, Source.DEBIAN) as broker:
        yield broker


@contextmanager
def _in_docker(_env: Mapping[str, str]) -> Iterator[Broker]:
    with rabbitmq_container() as (amqp_url, management_url):
        yield _broker(amqp_url, management_url, Source.DOCKER)


_OPENERS: dict[Source, Callable[[Mapping[str, str]], AbstractContextManager[Broker]]] = {
    Source.GIVEN: _given,
    Source.SERVER: _of_server,
    Source.DOCKER: _in_docker,
    Source.MACHINE: _on_machine,
    Source.DEBIAN: _from_debian,
}


def _broker(amqp_url: str, management_url: str | None, source: Source) -> Broker:
    with ThreadPoolExecutor(1) as outside_any_loop:
        version = outside_any_loop.submit(asyncio.run, _version_of(amqp_url)).result()
    return Broker(amqp_url, management_url, version, source)


async def _version_of(amqp_url: str) -> str:
    try:
        connection = await aio_pika.connect(amqp_url, timeout=_CONNECT_SECONDS)
    except (aio_pika.exceptions.AMQPError, OSError) as error:
        raise NoBrokerError(f"it refused the connection ({type(error).__name__}: {error})") from error
    async with connection:
        transport = connection.transport
        assert transport is not None, "an open connection has a transport"
        version = transport.connection.server_properties["version"]
    return version.decode() if isinstance(version, bytes) else str(version)
