import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import httpx
import psutil
import pytest

from bus import node_guard
from bus.errors import PrivateNodeError
from bus.node_layout import HOST, free_ports
from bus.private_node import PrivateNode, find_server
from tests.support.waiting import wait_until

# A boot takes five to seven seconds: one node serves several tests, and a script stands in for a server that need
# not answer.


pytestmark = pytest.mark.usefixtures("rabbitmq_server")


@pytest.fixture(scope="module")
def node(rabbitmq_server: Path) -> Iterator[PrivateNode]:
    with PrivateNode(server=rabbitmq_server, consumer_timeout_ms=90_000, config=["channel_max = 77"]) as running:
        yield running


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have nodes made here, so that a test sees what they leave behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nodes"))
    (tmp_path / "nodes").mkdir()
    return tmp_path / "nodes"


@pytest.fixture
def mute_server(tmp_path: Path) -> Path:
    """A server that never answers, and leaves a daemon in a session of its own, as epmd is one."""
    program = tmp_path / "rabbitmq-server"
    program.write_text("#!/bin/sh\necho I stay mute\nsetsid sleep 300 &\nexec sleep 300\n")
    program.chmod(0o755)
    return program


def assert_nothing_left(nodes: Path) -> None:
    assert list(nodes.iterdir()) == []
    marks = [mark for process in psutil.process_iter() if (mark := node_guard.mark_of(process))]
    assert not [mark for mark in marks if mark.startswith(str(nodes))]


async def test_a_node_answers_on_both_its_urls(node: PrivateNode) -> None:
    async with await aio_pika.connect(node.amqp_url) as connection:
        assert connection.connected.is_set()
    async with httpx.AsyncClient(base_url=node.management_url, auth=("guest", "guest")) as api:
        overview = (await api.get("/api/overview")).raise_for_status().json()
    assert overview["node"].startswith("sutazai-")


async def test_a_node_takes_its_settings(node: PrivateNode) -> None:
    says = await asyncio.to_thread(
        node.rabbitmqctl,
        "eval",
        "[begin {ok, V} = application:get_env(rabbit, K), V end || "
        "K <- [consumer_timeout, channel_max, collect_statistics_interval]].",
    )
    assert says == "[90000,77,1000]"


def test_a_node_listens_on_loopback_only_and_below_the_ephemeral_ports(node: PrivateNode) -> None:
    heard = [
        link.laddr
        for process in node_guard.processes_of(node.directory)
        for link in process.net_connections("inet")
        if link.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in heard} <= {HOST, "::1"}
    assert len({address.port for address in heard}) == 4
    assert max(address.port for address in heard) < 32_768


def test_a_refused_command_says_why(node: PrivateNode) -> None:
    with pytest.raises(PrivateNodeError, match=r"rabbitmqctl delete_vhost nowhere failed: .*nowhere"):
        node.rabbitmqctl("delete_vhost", "nowhere")


def test_a_command_that_takes_too_long_is_given_up(node: PrivateNode) -> None:
    with pytest.raises(PrivateNodeError, match=r"rabbitmqctl eval ok\. took over 0\.01 s"):
        node.rabbitmqctl("eval", "ok.", timeout=0.01)


async def test_two_nodes_live_side_by_side_and_a_killed_one_leaves_nothing(node: PrivateNode, temporary: Path) -> None:
    async with PrivateNode(management=False) as second:
        assert node_guard.processes_of(second.directory)
        with pytest.raises(PrivateNodeError, match="management=False"):
            _ = second.management_url
        for url in (node.amqp_url, second.amqp_url):
            async with await aio_pika.connect(url) as connection:
                assert connection.connected.is_set()
        second.kill()
        assert node_guard.processes_of(second.directory) == []
        with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
            await aio_pika.connect(second.amqp_url)
    assert_nothing_left(temporary)
    with pytest.raises(PrivateNodeError, match="not running"):
        _ = second.amqp_url


async def test_a_restarted_node_keeps_its_port_and_its_durable_data(node: PrivateNode) -> None:
    url = node.amqp_url
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True)
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
    await asyncio.to_thread(node.restart)
    assert node.amqp_url == url
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        assert (await queue.get(no_ack=True)).body == b"kept"


def test_a_bad_setting_is_named_and_nothing_is_left(temporary: Path) -> None:
    with pytest.raises(PrivateNodeError, match="unknown variable: no_such_key") as failure:
        PrivateNode(config=["no_such_key = 1"]).start()
    assert "crasher" not in str(failure.value)
    assert_nothing_left(temporary)


def test_a_mute_server_is_given_up_after_the_bound(mute_server: Path, temporary: Path) -> None:
    with pytest.raises(PrivateNodeError, match=r"within 0\.3 s\. It said:\nI stay mute"):
        PrivateNode(server=mute_server, boot_timeout=0.3).start()
    assert_nothing_left(temporary)


async def test_a_cancelled_start_leaves_nothing(mute_server: Path, temporary: Path) -> None:
    start = asyncio.create_task(PrivateNode(server=mute_server).__aenter__(), name="start")
    await wait_until(lambda: list(temporary.glob("*/boot.log")), what="the launch")
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert_nothing_left(temporary)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is held elsewhere")
async def test_the_ports_of_a_node_that_has_yet_to_listen_are_given_to_nobody_else(
    mute_server: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = PrivateNode(server=mute_server)
    start = asyncio.create_task(node.__aenter__(), name="start")
    await wait_until(lambda: list(temporary.glob("*/boot.log")), what="the launch")
    port = urlsplit(node.amqp_url).port
    with monkeypatch.context() as patch:
        patch.setattr("secrets.SystemRandom.sample", lambda *_: [port])
        with pytest.raises(OSError, match="1 free ports"):
            free_ports(1)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start


def test_a_file_that_cannot_run_is_named(tmp_path: Path, temporary: Path) -> None:
    with pytest.raises(PrivateNodeError, match="absent/rabbitmq-server could not be run: No such file"):
        PrivateNode(server=tmp_path / "absent" / "rabbitmq-server").start()
    assert_nothing_left(temporary)


def test_without_a_server_the_error_says_what_to_install(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.private_node.find_server", lambda: None)
    with pytest.raises(PrivateNodeError, match="install RabbitMQ"):
        PrivateNode().start()
    assert_nothing_left(temporary)


def test_a_stop_without_a_start_does_nothing() -> None:
    PrivateNode().stop()


@pytest.fixture
def owner(mute_server: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program that starts a node."""
    script = "import sys, tempfile\nfrom pathlib import Path\nfrom bus.private_node import PrivateNode\n"
    script += "tempfile.tempdir = sys.argv[1]\nPrivateNode(server=Path(sys.argv[2])).start()\n"
    with subprocess.Popen([sys.executable, "-c", script, temporary, mute_server]) as program:
        yield program
        program.kill()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
async def test_a_node_ends_when_its_owner_is_killed(
    ending: signal.Signals, owner: subprocess.Popen[bytes], temporary: Path
) -> None:
    def launched() -> list[Path]:
        return [log.parent for log in temporary.glob("*/boot.log") if log.read_text()]

    def cleared() -> bool:
        return not list(temporary.iterdir())

    await wait_until(launched, what="the launch")
    assert len(node_guard.processes_of(*launched())) >= 2
    owner.send_signal(ending)
    await wait_until(cleared, what="the guard to clear up")
    assert_nothing_left(temporary)


def test_the_packaged_server_is_preferred(tmp_path: Path) -> None:
    packaged = tmp_path / "rabbitmq-server"
    packaged.touch()
    assert find_server(packaged) == packaged


def test_a_server_on_the_path_is_found(mute_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(mute_server.parent))
    assert find_server(Path("/absent")) == mute_server


def test_the_wrapper_that_switches_users_is_no_server(
    tmp_path: Path, mute_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute_server.rename(tmp_path / "rabbitmq-script-wrapper")
    mute_server.symlink_to(tmp_path / "rabbitmq-script-wrapper")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server(Path("/absent")) is None


def test_no_server_on_the_path_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server(Path("/absent")) is None
