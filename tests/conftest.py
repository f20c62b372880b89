"""Fixtures every test folder shares; what they do lives in tests/support."""

import secrets
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.broker import Broker, vhost_name, vhost_of
from tests.support.management import Management, create_vhost, delete_vhost
from tests.support.sendable_reports import sendable
from tests.support.session import SessionBroker, has_workers, machine_server, needs_broker
from tests.support.sudden_end import no_silent_end

settings.register_profile("suite", deadline=None)  # every test has a time limit; a busy machine is no failure
settings.load_profile("suite")

_SESSION_BROKER = pytest.StashKey[SessionBroker]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Where several workers run the tests, start one RabbitMQ for all of them before they start."""
    shared = session.config.stash[_SESSION_BROKER] = SessionBroker(session.config)
    if has_workers(session.config):
        shared.share()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Start RabbitMQ outside any test, whose time limit would count a container's download; run the tests loudly."""
    is_running_tests = not (has_workers(session.config) or session.config.option.collectonly)
    if is_running_tests and needs_broker(session):
        session.config.stash[_SESSION_BROKER].get()
    with no_silent_end():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Let every report reach the session: execnet gives up on texts that UTF-8 cannot write."""
    return sendable((yield))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the RabbitMQ that this session started."""
    session.config.stash[_SESSION_BROKER].close()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """A real RabbitMQ, the same for the whole session."""
    return request.config.stash[_SESSION_BROKER].get()


@pytest.fixture(scope="session")
def rabbitmq_server(request: pytest.FixtureRequest) -> Path:
    """The `rabbitmq-server` of this machine, for tests that start, restart and kill nodes of their own."""
    return machine_server(request.config)


@pytest.fixture
def vhost_url(broker: Broker, request: pytest.FixtureRequest) -> Iterator[str]:
    """AMQP URL of a virtual host for this test alone (see tests.support.broker where there is no management API)."""
    if broker.management_url is None:
        yield broker.amqp_url
        return
    name = vhost_name(request.node.name)
    create_vhost(broker, name)
    yield broker.url_of(name)
    delete_vhost(broker, name)


@pytest.fixture
def prefix(broker: Broker) -> str:
    """Name prefix for the topology: the product's own, unless tests must share one virtual host."""
    return "sutazai" if broker.management_url else f"sutazai-{secrets.token_hex(4)}"


@pytest.fixture
async def management(broker: Broker, vhost_url: str) -> AsyncIterator[Management]:
    """Client of the management API for this test's virtual host."""
    async with Management(broker, vhost_of(vhost_url)) as client:
        yield client
