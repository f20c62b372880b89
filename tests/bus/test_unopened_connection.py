"""A connection that could not be opened is closed there and then, not when its memory is freed."""

from typing import Any

import pytest

from bus.connect import broker_at
from bus.errors import BrokerUnreachable
from bus.node_layout import free_ports
from bus.tidy_connection import TidyConnection


async def test_what_a_broker_that_is_away_leaves_behind_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[TidyConnection] = []

    class Noted(TidyConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr("bus.connection.TidyConnection", Noted)
    (port,) = free_ports(1)
    with pytest.raises(BrokerUnreachable):
        async with broker_at(f"amqp://127.0.0.1:{port}/", "nobody", "0", patience=0.1):
            pass
    assert made
    assert all(connection.is_closed for connection in made)
