"""A small client of RabbitMQ's management API: virtual hosts for the fixtures, a look inside for the tests."""

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from tests.support.broker import Broker

Row = dict[str, Any]
"""One object of the API's JSON; its fields differ from version to version, so tests name those they read."""

_SECONDS = 10.0

_TLS = httpx.create_ssl_context()
"""One for all clients: each makes its own otherwise, in 20 ms of every test that has a virtual host."""


def create_vhost(broker: Broker, name: str) -> None:
    """Create a virtual host in which the session's user may do everything."""
    user, _ = broker.credentials
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    with _api(broker) as api:
        api.put(f"/api/vhosts/{_path(name)}").raise_for_status()
        api.put(f"/api/permissions/{_path(name)}/{_path(user)}", json=everything).raise_for_status()


def delete_vhost(broker: Broker, name: str) -> None:
    """Delete a virtual host with all that lies in it; its connections are closed by the broker."""
    with _api(broker) as api:
        api.delete(f"/api/vhosts/{_path(name)}").raise_for_status()


class Management:
    """What the management API knows of one virtual host. Counts and rates are up to a second or two old."""

    def __init__(self, broker: Broker, vhost: str) -> None:
        if broker.management_url is None:
            raise RuntimeError("This test reads the management API: set SUTAZAI_TEST_MANAGEMENT_URL as well.")
        self._vhost = vhost
        self._api = httpx.AsyncClient(
            base_url=broker.management_url, auth=broker.credentials, timeout=_SECONDS, verify=_TLS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._api.aclose()

    async def queues(self) -> dict[str, Row]:
        """Return the queues by name."""
        return _by_name(await self._list("queues"))

    async def exchanges(self) -> dict[str, Row]:
        """Return the exchanges by name, without the broker's own."""
        found = _by_name(await self._list("exchanges"))
        return {name: row for name, row in found.items() if name and not name.startswith("amq.")}

    async def bindings(self) -> list[Row]:
        """Return the bindings; fields `source`, `destination`, `routing_key`."""
        return await self._list("bindings")

    async def consumers(self) -> list[Row]:
        """Return the consumers; fields `consumer_tag`, `queue`, `prefetch_count`, ..."""
        return await self._list("consumers")

    async def connections(self) -> list[Row]:
        """Return the open connections; the client's name is in `client_properties`."""
        rows: list[Row] = await self._get(f"/api/vhosts/{_path(self._vhost)}/connections")
        return rows

    async def close_connection(self, name: str) -> None:
        """Have the broker close a connection, by the `name` of its row."""
        (await self._api.delete(f"/api/connections/{_path(name)}")).raise_for_status()

    async def publish(self, exchange: str, routing_key: str, payload: str, properties: Row | None = None) -> bool:
        """Publish as a person does in the management UI; return whether a queue took the message."""
        body = {
            "routing_key": routing_key,
            "payload": payload,
            "payload_encoding": "string",
            "properties": properties or {},
        }
        place = f"/api/exchanges/{_path(self._vhost)}/{_path(exchange or 'amq.default')}/publish"
        answer = await self._api.post(place, json=body)
        return bool(answer.raise_for_status().json()["routed"])

    async def take(self, queue: str, count: int = 1) -> list[Row]:
        """Take up to `count` messages off a queue; fields `payload`, `properties`, `routing_key`, `redelivered`."""
        body = {"count": count, "ackmode": "ack_requeue_false", "encoding": "auto"}
        place = f"/api/queues/{_path(self._vhost)}/{_path(queue)}/get"
        rows: list[Row] = (await self._api.post(place, json=body)).raise_for_status().json()
        return rows

    async def _list(self, kind: str) -> list[Row]:
        rows: list[Row] = await self._get(f"/api/{kind}/{_path(self._vhost)}")
        return rows

    async def _get(self, place: str) -> Any:
        return (await self._api.get(place)).raise_for_status().json()


def _api(broker: Broker) -> httpx.Client:
    return httpx.Client(base_url=broker.management_url or "", auth=broker.credentials, timeout=_SECONDS, verify=_TLS)


def _by_name(rows: list[Row]) -> dict[str, Row]:
    return {row["name"]: row for row in rows}


def _path(name: str) -> str:
    return quote(name, safe="")
