import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus.node_layout import HOST, free_ports
from tests.support.proxy import TcpProxy
from tests.support.waiting import wait_until

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LIMIT = 5.0


@asynccontextmanager
async def proxied_echo() -> AsyncIterator[TcpProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    (port,) = free_ports(1)
    server = await asyncio.start_server(echo, HOST, port)
    async with TcpProxy(HOST, port) as proxy:
        yield proxy
    server.close()


@asynccontextmanager
async def connected(proxy: TcpProxy) -> AsyncIterator[Link]:
    address = proxy.url_for("amqp://elsewhere:5672/").removeprefix("amqp://").removesuffix("/")
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def said_back(link: Link, line: bytes = b"hello\n", limit: float = LIMIT) -> bytes:
    reader, writer = link
    writer.write(line)
    async with asyncio.timeout(limit):
        return await reader.readline()


async def end_of(link: Link) -> bytes:
    try:
        async with asyncio.timeout(LIMIT):
            return await link[0].read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("amqp://guest:p%40ss@broker:5672/v%2Fhost?heartbeat=10", "/v%2Fhost?heartbeat=10"),
        ("amqp://guest:p%40ss@[::1]/", "/"),
    ],
)
def test_a_proxied_url_keeps_user_vhost_and_query(url: str, path: str) -> None:
    host, _, rest = TcpProxy("broker", 5672).url_for(url).partition(f"@{HOST}:")
    assert host == "amqp://guest:p%40ss"
    assert rest.endswith(path)


async def test_bytes_pass_both_ways_and_connections_are_counted() -> None:
    async with proxied_echo() as proxy, connected(proxy) as link:
        assert await said_back(link) == b"hello\n"
        assert proxy.connections == 1


async def test_a_client_that_leaves_is_counted_out() -> None:
    async with proxied_echo() as proxy:
        async with connected(proxy) as link:
            assert await said_back(link) == b"hello\n"
        await wait_until(lambda: proxy.connections == 0, what="the link to end")


async def test_what_was_sent_before_a_farewell_arrives() -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    (port,) = free_ports(1)
    async with await asyncio.start_server(sink, HOST, port), TcpProxy(HOST, port) as proxy:
        async with connected(proxy) as link:
            link[1].write(b"x" * 1_000_000)
        async with asyncio.timeout(LIMIT):
            assert len(await received) == 1_000_000


async def test_a_drop_cuts_the_connected_and_lets_new_ones_in() -> None:
    async with proxied_echo() as proxy, connected(proxy) as link:
        assert await said_back(link) == b"hello\n"
        await proxy.drop()
        assert await end_of(link) == b""
        assert proxy.connections == 0
        async with connected(proxy) as again:
            assert await said_back(again) == b"hello\n"


async def test_a_black_hole_swallows_until_it_is_healed() -> None:
    async with proxied_echo() as proxy, connected(proxy) as link:
        assert await said_back(link) == b"hello\n"
        proxy.blackhole()
        with pytest.raises(TimeoutError):
            await said_back(link, b"lost?\n", limit=0.1)
        async with connected(proxy) as newcomer:
            with pytest.raises(TimeoutError):
                await said_back(newcomer, limit=0.1)
        await proxy.heal()
        async with asyncio.timeout(LIMIT):
            assert await link[0].readline() == b"lost?\n"


async def test_a_muted_proxy_forwards_what_is_said_and_no_answer() -> None:
    async with proxied_echo() as proxy, connected(proxy) as link:
        proxy.mute()
        with pytest.raises(TimeoutError):
            await said_back(link, b"heard\n", limit=0.1)
        await proxy.heal()
        async with asyncio.timeout(LIMIT):
            assert await link[0].readline() == b"heard\n"


async def test_a_refusing_proxy_cuts_and_refuses_until_it_is_healed() -> None:
    async with proxied_echo() as proxy, connected(proxy) as link:
        assert await said_back(link) == b"hello\n"
        await proxy.refuse()
        assert await end_of(link) == b""
        with pytest.raises(ConnectionRefusedError):
            async with connected(proxy):
                pass
        await proxy.heal()
        async with connected(proxy) as again:
            assert await said_back(again) == b"hello\n"


async def test_a_dead_target_ends_the_client_s_connection() -> None:
    (closed,) = free_ports(1)
    async with TcpProxy(HOST, closed) as proxy, connected(proxy) as link:
        assert await end_of(link) == b""
