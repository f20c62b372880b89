import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.node_layout import HOST, free_ports
from tests.support.broker import Broker, open_broker, vhost_name, vhost_of
from tests.support.broker_choice import AMQP_URL, Source
from tests.support.debian import install, no_daemons, run_apt
from tests.support.docker_engine import docker_answers, rabbitmq_container
from tests.support.errors import NoBrokerError
from tests.support.session import SessionBroker


def a_broker(amqp_url: str = "amqp://me:s%2Fcret@broker:5672/v?heartbeat=10") -> Broker:
    return Broker(amqp_url, None, "4.0.5", Source.GIVEN)


@given(st.text(min_size=1))
def test_any_vhost_name_survives_its_url(name: str) -> None:
    assert vhost_of(a_broker().url_of(name)) == name


def test_a_vhost_url_keeps_user_port_and_query() -> None:
    assert a_broker().url_of("a/b c") == "amqp://me:s%2Fcret@broker:5672/a%2Fb%20c?heartbeat=10"


def test_an_url_without_a_path_means_the_default_vhost() -> None:
    assert vhost_of("amqp://broker") == "/"


def test_credentials_are_decoded_and_never_shown() -> None:
    assert a_broker().credentials == ("me", "s/cret")
    assert "cret" not in repr(a_broker())


def test_a_url_without_a_user_means_guest() -> None:
    assert a_broker("amqp://broker/").credentials == ("guest", "guest")


def test_a_vhost_is_named_after_its_test_and_never_twice() -> None:
    first, second = (vhost_name("test_it[memory/rabbit ü]") for _ in range(2))
    assert first.startswith("test_it-memory-rabbit-.")
    assert first != second


def a_broker_that_is_down() -> str:
    (port,) = free_ports(1)
    return f"amqp://me:secret@{HOST}:{port}/"


def test_a_given_broker_that_is_down_is_named_with_the_remedy_but_without_its_password() -> None:
    with pytest.raises(NoBrokerError) as failure, open_broker({AMQP_URL: a_broker_that_is_down()}):
        pass
    assert f"the broker of {AMQP_URL}" in str(failure.value)
    assert "install rabbitmq-server" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_a_session_without_a_broker_ends_instead_of_skipping(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setenv(AMQP_URL, a_broker_that_is_down())
    with pytest.raises(pytest.exit.Exception, match="The tests need RabbitMQ") as ended:
        SessionBroker(pytestconfig).get()
    assert ended.value.returncode == 69


def test_a_given_broker_without_a_management_api_can_be_used(broker: Broker) -> None:
    with open_broker({AMQP_URL: broker.amqp_url}) as given:
        assert (given.version, given.management_url) == (broker.version, None)


def test_no_docker_engine_is_seen_where_none_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{HOST}:{port}")
    assert not docker_answers()


class Engine(BaseHTTPRequestHandler):
    """As much of a Docker engine as says that it is there."""

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.44"}' if self.path.endswith("/version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_docker_engine_that_answers_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer((HOST, 0), Engine) as engine, ThreadPoolExecutor(1) as beside:
        beside.submit(engine.serve_forever)
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{HOST}:{engine.server_port}")
        seen = docker_answers()
        engine.shutdown()
    assert seen


def test_a_container_that_does_not_run_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{HOST}:{port}")
    with pytest.raises(NoBrokerError, match="rabbitmq:4-management did not run"), rabbitmq_container():
        pass


def test_docker_s_libraries_are_not_imported_before_they_are_chosen(pytestconfig: pytest.Config) -> None:
    script = (
        "import sys, tests.support.session as _; sys.exit('testcontainers' in sys.modules or 'docker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=pytestconfig.rootpath, check=False).returncode == 0


def test_installing_updates_first_and_starts_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, said = tmp_path / "policy-rc.d", tmp_path / "said"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >> {said}\ntest -x {policy}\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    install("rabbitmq-server", policy)
    update, installing = said.read_text().splitlines()
    assert update == "noninteractive update"
    assert installing.endswith("install -y --no-install-recommends rabbitmq-server")
    assert not policy.exists()


def test_daemons_may_not_start_while_a_package_is_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_daemons(policy):
        assert policy.read_text() == "#!/bin/sh\nexit 101\n"
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_a_policy_that_is_already_there_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")
    with no_daemons(policy):
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"


def test_a_failed_installation_says_its_last_lines() -> None:
    script = "import sys; print('first'); print(*range(8), sep='\\n'); sys.exit(100)"
    with pytest.raises(NoBrokerError, match=r"ended with 100:\n0\n1\n") as failure:
        run_apt((sys.executable, "-c", script))
    assert "\nfirst" not in str(failure.value)


def test_a_missing_installer_is_named() -> None:
    with pytest.raises(NoBrokerError, match="`no-such-program` did not end well"):
        run_apt(("no-such-program",))
