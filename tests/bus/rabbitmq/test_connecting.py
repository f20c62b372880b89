"""What a program hears when RabbitMQ cannot be reached, and how it finds the one host of several that answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from structlog.testing import capture_logs

from bus.broker import LinkState
from bus.connection import Connection, close_quietly
from bus.errors import AccessRefused, BrokerUnreachable, ConnectError, ConnectionLost, VhostRefused
from bus.node_layout import HOST, free_ports
from bus.rabbitmq import RabbitBroker
from tests.support.bus_world import within
from tests.support.proxy import TcpProxy
from tests.support.serving import serving
from tests.support.waiting import wait_until

SECRET = "s3cr%23t"


def with_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))


async def refusal(*urls: str, patience: float = 0.3) -> ConnectError:
    """Return the error that connecting raises; it must hold no secret."""
    with pytest.raises(ConnectError) as caught:
        async with RabbitBroker(urls, "test", "1", patience=patience):
            pass
    assert "s3cr" not in str(caught.value)
    return caught.value


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    parts = urlsplit(url)
    async with TcpProxy(parts.hostname or "localhost", parts.port or 5672) as proxy:
        yield proxy, proxy.url_for(url)


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[str]:
    """Run a server that sends `reply` to the greeting and hangs up; yields its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(reply)

    async with serving(answer) as port:
        yield f"amqp://user:{SECRET}@{HOST}:{port}/"


async def test_a_wrong_password_is_refused_at_once_with_the_user_s_name(vhost_url: str) -> None:
    error = await within(refusal(with_user(vhost_url, f"guest:{SECRET}"), patience=60))
    assert isinstance(error, AccessRefused)
    assert "refuses user 'guest': check the name and password in AMQP_URL" in str(error)


async def test_a_missing_virtual_host_is_refused_with_the_remedy(vhost_url: str) -> None:
    error = await within(refusal(vhost_url.rpartition("/")[0] + "/no-such-vhost", patience=60))
    assert isinstance(error, VhostRefused)
    assert "/no-such-vhost does not open this virtual host for user 'guest': create it" in str(error)


async def test_a_closed_port_is_unreachable_once_the_patience_is_over() -> None:
    (port,) = free_ports(1)
    error = await within(refusal(f"amqp://user:{SECRET}@{HOST}:{port}/v"))
    assert isinstance(error, BrokerUnreachable)
    assert f"no RabbitMQ answers at amqp://{HOST}:{port}/v (connection refused): start it" in str(error)


async def test_a_black_hole_times_out(vhost_url: str) -> None:
    async with proxied(vhost_url) as (proxy, url):
        proxy.blackhole()
        error = await within(refusal(with_user(url, f"user:{SECRET}")))
    assert isinstance(error, BrokerUnreachable)
    assert "(timed out)" in str(error)


@pytest.mark.parametrize(
    "reply",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x00\x09\x01", b"\x15\x03\x01\x00\x02\x02\x46", b"\x00" * 50],
    ids=["silence", "http", "another version", "tls", "zeros"],
)
async def test_what_is_no_rabbitmq_is_an_error_of_connecting(reply: bytes) -> None:
    async with answering(reply) as url:
        assert isinstance(await within(refusal(url)), ConnectError)


async def test_the_second_host_is_found_behind_a_dead_one_and_behind_a_black_hole(vhost_url: str) -> None:
    (port,) = free_ports(1)
    async with proxied(vhost_url) as (hole, hole_url):
        hole.blackhole()
        urls = [f"amqp://{HOST}:{port}/", hole_url, vhost_url]
        async with asyncio.timeout(5), RabbitBroker(urls, "test", "1", patience=0.3) as broker:
            assert broker.description.startswith("RabbitMQ ")


async def test_a_patient_program_waits_for_a_broker_that_starts_later(vhost_url: str) -> None:
    async with proxied(vhost_url) as (proxy, url):
        await proxy.refuse()
        connection = Connection([url], "late", {}, patience=20)
        entering = asyncio.create_task(connection.__aenter__())
        await asyncio.sleep(0.2)
        await proxy.heal()
        await within(entering)
        await close_quietly(await connection.open_channel())
        await connection.__aexit__(None, None, None)
    assert connection.state is LinkState.CLOSED
    with pytest.raises(ConnectionLost, match="the connection 'late' is closed"):
        await close_quietly(await within(connection.open_channel()))


@pytest.mark.parametrize("bytes_through", [0, 8, 300, 520, 540, 550, 560, 570])
async def test_a_connection_cut_during_its_handshake_is_tried_again(vhost_url: str, bytes_through: int) -> None:
    async with cut_once(vhost_url, bytes_through) as url, RabbitBroker([url], "cut", "1", patience=5) as broker:
        assert await within(broker.queue_info("nobody")) is None


@asynccontextmanager
async def cut_once(url: str, left: int) -> AsyncIterator[str]:
    """Run a way to a broker whose first connection ends after `left` bytes from the broker."""
    parts, links = urlsplit(url), asyncio.TaskGroup()
    limits = [left]

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection(parts.hostname, parts.port)
        limit = limits.pop() if limits else 2**40
        ways = [links.create_task(_pump(reader, to_far, 2**40)), links.create_task(_pump(far, writer, limit))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for out in (writer, to_far):
            out.close()
        await asyncio.gather(*ways, writer.wait_closed(), to_far.wait_closed(), return_exceptions=True)

    (port,) = free_ports(1)
    async with links:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            links.create_task(link(reader, writer), name="cut_once.link")

        async with await asyncio.start_server(accept, HOST, port):
            yield urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{HOST}:{port}"))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int) -> None:
    with contextlib.suppress(ConnectionError):
        while left > 0 and (chunk := await source.read(min(left, 65_536))):
            sink.write(chunk)
            left -= len(chunk)


async def test_the_state_is_connecting_while_the_broker_is_away(vhost_url: str) -> None:
    async with proxied(vhost_url) as (proxy, url), Connection([url], "away", {}, patience=5) as connection:
        await proxy.refuse()
        await wait_until(lambda: connection.state is LinkState.CONNECTING, what="the loss")
        await proxy.heal()
        await wait_until(lambda: connection.state is LinkState.CONNECTED, what="the return")
        assert connection.server_version[0].isdigit()


async def outage_told(url: str, tries: int) -> list[tuple[str, str]]:
    """Have a connection lose its broker and find it again after so many tries; return what was told, with its level."""
    async with proxied(url) as (proxy, way), Connection([way], "away", {}, patience=5) as connection:
        with capture_logs() as lines:
            await proxy.refuse()
            await wait_until(lambda: any(line.get("tries") == tries for line in lines), what="the tries")
            await proxy.heal()
            await wait_until(lambda: connection.state is LinkState.CONNECTED, what="the return")
        return [(line["event"], line["log_level"]) for line in lines]


async def test_an_outage_is_one_warning_and_its_end_one_line(vhost_url: str) -> None:
    told = await outage_told(vhost_url, 3)
    assert [line for line in told if line[1] != "debug"] == [("connection.lost", "warning"), ("connection.up", "info")]
    assert ("connection.retrying", "debug") in told


async def test_an_outage_that_lasts_is_told_again(vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bus.reminders.FIRST_SECONDS", 0.0)
    assert ("connection.retrying", "warning") in await outage_told(vhost_url, 1)
