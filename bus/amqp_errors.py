"""aio-pika's exceptions and broker addresses in words people can act on. The one place that maps them."""

import asyncio
import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from aio_pika.exceptions import (
    AMQPError,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aio_pika.exceptions import PublishError as ReturnedError
from aiormq.exceptions import ChannelAccessRefused
from pamqp.exceptions import PAMQPException
from yarl import URL

from bus.errors import (
    AccessRefused,
    BrokerUnreachable,
    BusError,
    ConnectError,
    ConnectionLost,
    InvalidAddress,
    MessageTooLarge,
    QueueFull,
    TopologyError,
    Unroutable,
    VhostRefused,
)

LOST: Final = (AMQPError, PAMQPException, OSError, RuntimeError, StopAsyncIteration)
"""What aio-pika raises when a connection or channel is gone. RuntimeError comes from writers already closed,
StopAsyncIteration from a peer that accepts and closes at once (under uvloop, from aiormq's reader of frames)."""

MANAGEMENT_PORTS: Final = (15671, 15672)
"""Where RabbitMQ serves its UI by default. It waits there for a request and closes after five seconds."""

_MEANINGS: Final[tuple[tuple[type[BaseException], type[BusError], str], ...]] = (
    (ReturnedError, Unroutable, "no queue took the message"),
    (DeliveryError, QueueFull, "the broker refused the message, its queue is full or unavailable,"),
    (ChannelNotFoundEntity, TopologyError, "something is missing on the broker"),
    (ChannelPreconditionFailed, TopologyError, "something on the broker differs from what is expected"),
    (ChannelAccessRefused, TopologyError, "the broker does not permit it"),
    (ChannelClosed, ConnectionLost, "the broker closed the channel"),
    (TimeoutError, ConnectionLost, "the broker did not answer"),
    (asyncio.CancelledError, ConnectionLost, "the connection was lost"),
    (AMQPError, ConnectionLost, "the connection was lost"),
    (PAMQPException, ConnectionLost, "the connection was lost"),
    (OSError, ConnectionLost, "the connection was lost"),
    (RuntimeError, ConnectionLost, "the connection was lost"),
    (StopAsyncIteration, ConnectionLost, "the connection was lost"),
)


def bus_error(error: BaseException, doing: str) -> BusError:
    """Return the bus's error for one of aio-pika's. `doing` completes "while ..."."""
    if isinstance(error, ChannelPreconditionFailed) and "larger than" in str(error.args):
        told = error.args[-1]
        return MessageTooLarge(f"the message is larger than the broker takes (max_message_size) while {doing}: {told}")
    found = next((meaning for meaning in _MEANINGS if isinstance(error, meaning[0])), None)
    if found is None:
        raise error
    _, kind, sentence = found
    return kind(f"{sentence} while {doing}{words_of(error)}")


def words_of(error: BaseException | None) -> str:
    """Return what the broker said when it closed a channel, to stand behind a sentence of ours; empty for nothing."""
    return f": {error.args[-1]}" if isinstance(error, ChannelClosed) and error.args and error.args[-1] else ""


@contextlib.contextmanager
def mapped_errors(doing: str) -> Iterator[None]:
    """Turn what aio-pika raises during an operation into errors of the bus, and notice a cancellation that it drops.

    It drops one that arrives in the moment in which its call completes: `asyncio.wait_for` of Python 3.11 does.
    """
    before = _cancellations()
    try:
        yield
    except asyncio.CancelledError as error:
        # aiormq cancels what waits on a dead connection; only a real cancellation is counted on the task.
        if _cancellations() > before:
            raise
        raise bus_error(error, doing) from error
    except (*LOST, TimeoutError) as error:
        _must_not_be_cancelled_since(before)
        raise bus_error(error, doing) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # With no other word aiormq ends what waits on a channel that has just been closed for no reason it knows.
        _must_not_be_cancelled_since(before)
        raise ConnectionLost(f"the connection was lost while {doing}") from error
    else:
        _must_not_be_cancelled_since(before)


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _must_not_be_cancelled_since(before: int) -> None:
    # More than before: who cleans up after a cancellation may still ask the broker for things.
    if _cancellations() > before:
        raise asyncio.CancelledError


def safe_url(url: str) -> str:
    """Return the address without its user, password and query."""
    parsed = URL(url)
    host = f"{parsed.host or 'localhost'}:{parsed.port or (5671 if parsed.scheme == 'amqps' else 5672)}"
    return f"{parsed.scheme}://{host}/{parsed.raw_path.lstrip('/')}"


def split_urls(urls: str) -> tuple[str, ...]:
    """Split a comma-separated list of broker addresses.

    Raises:
        InvalidAddress: there is none, or one is no amqp:// or amqps:// address that can be read.
    """
    found = tuple(url.strip() for url in urls.split(",") if url.strip())
    for url in found:
        if not url.startswith(("amqp://", "amqps://")):
            told = f"the scheme {url.split('://', maxsplit=1)[0]!r}" if "://" in url else "no scheme"
            raise InvalidAddress(f"the broker's address has {told}: set AMQP_URL to one such as amqp://user:pw@host/")
        _must_be_readable(url)
    if not found:
        raise InvalidAddress("the broker's address is empty: set AMQP_URL to one such as amqp://user:pw@host:5672/")
    return found


def _must_be_readable(url: str) -> None:
    try:
        URL(url)
    except ValueError:
        # The cause may quote a part of the password.
        raise InvalidAddress(
            "the broker's address cannot be read: its port must be a number, and `#`, `/`, `?`, `[` and `]` in a name "
            "or password must be percent-encoded, as in amqp://user:p%23w@host:5672/"
        ) from None


def connect_error(error: BaseException, url: str) -> ConnectError:
    """Say in one sentence why a broker could not be reached, and what to do."""
    where, user = safe_url(url), URL(url).user or "guest"
    if isinstance(error, ProbableAuthenticationError):
        return AccessRefused(f"RabbitMQ at {where} refuses user {user!r}: check the name and password in AMQP_URL")
    if isinstance(error, InvalidFrameError):
        # The broker says why only in its own log; aiormq sees a Close in place of the OpenOk.
        return VhostRefused(
            f"RabbitMQ at {where} does not open this virtual host for user {user!r}: create it "
            f"(`rabbitmqctl add_vhost NAME`) or grant it (`rabbitmqctl set_permissions -p NAME {user} '.*' '.*' '.*'`)"
        )
    return BrokerUnreachable(f"no RabbitMQ answers at {where} ({_reason(error)}): {_remedy(error, URL(url).port)}")


def _remedy(error: BaseException, port: int | None) -> str:
    if port in MANAGEMENT_PORTS:
        return f"{port} is usually the port of its management UI, so set AMQP_URL to that of AMQP, usually 5672"
    usual = ", usually port 5672" if _is_foreign(error) else ""
    return f"start it, or set AMQP_URL to where it runs{usual}"


def _is_foreign(error: BaseException) -> bool:
    return isinstance(error, StopAsyncIteration) or isinstance(error.__cause__, asyncio.IncompleteReadError)


def _reason(error: BaseException) -> str:
    if _is_foreign(error):
        return "what listens there closed the connection before a word of AMQP"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ConnectionRefusedError) or errno.ECONNREFUSED in error.args:
        return "connection refused"
    return type(error).__name__
