"""One RabbitMQ a test session: started before the first test that needs it, ended after the last."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bus.private_node import find_server
from tests.support.broker import Broker, open_broker
from tests.support.broker_choice import AMQP_URL, MANAGEMENT_URL, SERVER
from tests.support.debian import install, is_debian_root
from tests.support.errors import NoBrokerError

_NO_BROKER = 69
"""Exit status of a session that found no RabbitMQ: EX_UNAVAILABLE of sysexits.h, none of pytest's own."""


class SessionBroker:
    """The session's broker, opened at most once."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._broker: Broker | None = None
        self._running = ExitStack()

    def get(self) -> Broker:
        """Return the broker, opened now if it is not yet; without any source the session ends."""
        if self._broker is None:
            began = time.monotonic()
            try:
                self._broker = self._running.enter_context(open_broker())
            except NoBrokerError as error:
                pytest.exit(str(error), returncode=_NO_BROKER)
            self._tell(self._broker, time.monotonic() - began)
        return self._broker

    def share(self) -> None:
        """Open the broker and tell the workers, which start later, where it is."""
        broker = self.get()
        os.environ[AMQP_URL] = broker.amqp_url
        if broker.management_url is not None:
            os.environ[MANAGEMENT_URL] = broker.management_url

    def close(self) -> None:
        """End the broker if this session started it."""
        self._running.close()

    def _tell(self, broker: Broker, seconds: float) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"RabbitMQ {broker.version}: {broker.source.value}, ready in {seconds:.1f} s")


def machine_server(config: pytest.Config) -> Path:
    """Return the rabbitmq-server of `SUTAZAI_TEST_SERVER` or of this machine, installed first on Debian as root.

    Where there is none, as beside a broker in a container, tests of nodes of our own are skipped. The gate of the
    coverage is for machines where they run.
    """
    if os.environ.get(SERVER):
        return Path(os.environ[SERVER])
    if find_server() is None and is_debian_root():
        install("rabbitmq-server")
    found = find_server()
    if found is None:
        config.option.cov_fail_under = 0
        pytest.skip("needs a rabbitmq-server on this machine to start nodes from: apt-get install rabbitmq-server")
    return found


def has_workers(config: pytest.Config) -> bool:
    """Tell whether this process only directs others that run the tests (pytest-xdist)."""
    return bool(config.getoption("numprocesses", 0)) and not hasattr(config, "workerinput")


def needs_broker(session: pytest.Session) -> bool:
    """Tell whether a collected test asks for the broker, itself or through a fixture."""
    return any("broker" in getattr(item, "fixturenames", ()) for item in session.items)
