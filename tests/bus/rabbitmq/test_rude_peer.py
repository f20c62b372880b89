"""A peer that accepts and closes at once, as a proxy before a dead broker does, under the fast event loop."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bus.errors import BrokerUnreachable
from bus.rabbitmq import RabbitBroker

uvloop = pytest.importorskip("uvloop", reason="an extra")

TIMES = 5


@pytest.fixture
def rude_url() -> Iterator[str]:
    """Address of somebody who hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(TIMES):
                server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"amqp://guest:guest@127.0.0.1:{server.getsockname()[1]}/"


def test_who_hangs_up_at_once_is_unreachable_and_no_unforeseen_error(rude_url: str) -> None:
    async def keep_busy() -> None:
        while True:
            time.sleep(0.02)  # noqa: ASYNC251 - a loop that comes late finds the connection closed when it first reads
            await asyncio.sleep(0)

    async def connect() -> None:
        busy = asyncio.create_task(keep_busy())
        for _ in range(TIMES):
            with pytest.raises(BrokerUnreachable):
                async with RabbitBroker([rude_url], "polite", "1", patience=0):
                    pass
        busy.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(connect())
