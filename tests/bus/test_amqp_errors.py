import asyncio
import contextlib

import pytest
from aio_pika import exceptions
from aiormq.exceptions import ChannelAccessRefused
from pamqp.exceptions import UnmarshalingException

from bus.amqp_errors import bus_error, connect_error, mapped_errors, safe_url, split_urls
from bus.connect import broker_at
from bus.connection import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, back_off
from bus.errors import (
    AccessRefused,
    BrokerUnreachable,
    BusError,
    ConnectError,
    ConnectionLost,
    QueueFull,
    TopologyError,
    VhostRefused,
)
from bus.memory import MemoryBroker
from bus.rabbitmq import RabbitBroker

URL = "amqps://user:s3cret@host:1234/v%2Fhost?auth=EXTERNAL"


@pytest.mark.parametrize(
    ("raised", "kind", "told"),
    [
        (exceptions.DeliveryError(None, None), QueueFull, "its queue is full or unavailable"),  # type: ignore[arg-type]
        (exceptions.ChannelNotFoundEntity("NOT_FOUND - no queue"), TopologyError, "missing .*: NOT_FOUND - no queue"),
        (exceptions.ChannelPreconditionFailed("inequivalent"), TopologyError, "differs .*: inequivalent"),
        (ChannelAccessRefused("ACCESS_REFUSED"), TopologyError, "does not permit it .*: ACCESS_REFUSED"),
        (exceptions.ChannelClosed(), ConnectionLost, "the broker closed the channel while working$"),
        (exceptions.AMQPConnectionError(), ConnectionLost, "the connection was lost"),
        (UnmarshalingException("frame", "x"), ConnectionLost, "the connection was lost"),
        (TimeoutError(), ConnectionLost, "the broker did not answer while working"),
        (ConnectionResetError(), ConnectionLost, "the connection was lost"),
        (RuntimeError("writer closed"), ConnectionLost, "the connection was lost"),
        (asyncio.CancelledError(), ConnectionLost, "the connection was lost"),
        (Exception(), ConnectionLost, "the connection was lost while working"),
    ],
)
async def test_each_error_of_the_library_has_one_of_ours(
    raised: BaseException, kind: type[BusError], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught, mapped_errors("working"):
        raise raised
    assert caught.value.__cause__ is raised


async def test_an_error_of_somebody_else_passes() -> None:
    with pytest.raises(KeyError), mapped_errors("working"):
        raise KeyError("x")
    with pytest.raises(KeyError):
        bus_error(KeyError("x"), "working")


async def test_a_real_cancellation_passes() -> None:
    async def work() -> None:
        with mapped_errors("working"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("then", [None, exceptions.ChannelClosed()])
async def test_a_cancellation_that_the_library_drops_is_noticed(then: Exception | None) -> None:
    async def library_call() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if then is not None:
            raise then

    async def work() -> None:
        with mapped_errors("working"):
            await library_call()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_cleans_up_after_a_cancellation_may_still_work() -> None:
    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        with mapped_errors("cleaning up"):
            await asyncio.sleep(0)
        return "clean"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "clean"


async def test_a_connection_that_is_lost_while_cleaning_up_after_a_cancellation_is_an_error_like_any_other() -> None:
    async def work() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(ConnectionLost), mapped_errors("cleaning up"):
                raise asyncio.CancelledError  # as aiormq cancels what waits on a dead connection
            cleaned.append("the rest")
        return "unreachable"

    cleaned: list[str] = []
    task = asyncio.create_task(work(), name="cleans up")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), cleaned) == (True, ["the rest"])


@pytest.mark.parametrize(
    ("raised", "kind", "told"),
    [
        (exceptions.ProbableAuthenticationError("403"), AccessRefused, "refuses user 'user'"),
        (exceptions.InvalidFrameError("x"), VhostRefused, "does not open this virtual host for user 'user'"),
        (ConnectionRefusedError(), BrokerUnreachable, "connection refused"),
        (exceptions.AMQPConnectionError(111, "x"), BrokerUnreachable, "connection refused"),
        (TimeoutError(), BrokerUnreachable, "timed out"),
        (OSError("s3cret"), BrokerUnreachable, "OSError"),
    ],
)
def test_a_failed_connect_says_where_why_and_what_to_do_without_secrets(
    raised: BaseException, kind: type[ConnectError], told: str
) -> None:
    error = connect_error(raised, URL)
    assert type(error) is kind
    assert "amqps://host:1234/v%2Fhost" in str(error)
    assert told in str(error)
    assert "s3cret" not in str(error)


def closed_early() -> BaseException:
    """Return what aiormq raises when the peer is gone before it has said anything, as RabbitMQ's HTTP server is."""
    error = exceptions.AMQPConnectionError("Server connection unexpectedly closed. Read 0 bytes but 1 bytes expected")
    error.__cause__ = asyncio.IncompleteReadError(b"", 1)
    return error


@pytest.mark.parametrize("raised", [closed_early(), StopAsyncIteration()], ids=["asyncio", "uvloop"])
def test_a_server_of_another_kind_is_told_from_none_at_all(raised: BaseException) -> None:
    assert str(connect_error(raised, "amqp://u:p@h:8080/")) == (
        "no RabbitMQ answers at amqp://h:8080/ (what listens there closed the connection before a word of AMQP): "
        "start it, or set AMQP_URL to where it runs, usually port 5672"
    )


async def test_a_server_that_closes_at_once_is_one_of_another_kind() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        broker = RabbitBroker([f"amqp://u:p@127.0.0.1:{port}/"], "n", "1", patience=0.1)
        with pytest.raises(BrokerUnreachable, match="closed the connection before a word of AMQP"):
            async with broker:
                pass


@pytest.mark.parametrize("raised", [closed_early(), TimeoutError(), ConnectionRefusedError()], ids=repr)
def test_the_port_of_the_management_ui_is_named_as_such(raised: BaseException) -> None:
    assert str(connect_error(raised, "amqp://u:p@h:15672/")).endswith(
        "): 15672 is usually the port of its management UI, so set AMQP_URL to that of AMQP, usually 5672"
    )


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        (URL, "amqps://host:1234/v%2Fhost"),
        ("amqp://user:p@host", "amqp://host:5672/"),
        ("amqps://host/", "amqps://host:5671/"),
        ("amqp:///v", "amqp://localhost:5672/v"),
    ],
)
def test_an_address_is_shown_without_user_and_query(url: str, safe: str) -> None:
    assert safe_url(url) == safe


def test_several_addresses_are_one_cluster() -> None:
    assert split_urls(" amqp://a/ ,, amqps://b/") == ("amqp://a/", "amqps://b/")


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        ("", "address is empty: set AMQP_URL"),
        (" , ", "address is empty"),
        ("amqp://a/,http://user:s3cret@b/", "scheme 'http'"),
        ("user:s3cret@host", "no scheme"),
        ("amqp://user:s3cret@host:port/", "its port must be a number"),
        ("amqp://user:s3#cret@host/", "percent-encoded"),
        ("amqp://user:s3[cret@host/", "percent-encoded"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(urls: str, told: str) -> None:
    with pytest.raises(ConnectError, match=told) as caught:
        split_urls(urls)
    assert "cret" not in str(caught.value)


async def test_an_address_chooses_the_broker() -> None:
    assert isinstance(broker_at("memory://x", "n", "1"), MemoryBroker)
    assert isinstance(broker_at("amqp://a/,amqp://b/", "n", "1"), RabbitBroker)
    with pytest.raises(ConnectError):
        broker_at("redis://x", "n", "1")


@pytest.mark.parametrize("attempt", [0, 1, 5, 50, 10_000])
def test_back_off_doubles_up_to_its_cap_with_jitter(attempt: int) -> None:
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(attempt, 20))
    assert back_off(attempt, lambda: 1.0) == pytest.approx(longest)
    assert back_off(attempt, lambda: 0.0) == pytest.approx(longest / 2)
    assert longest / 2 <= back_off(attempt) <= longest
