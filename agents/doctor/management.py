"""ManagementClient: RabbitMQ's management API, read only. The one file that speaks HTTP to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

import httpx

from agents.core.model.server_url import parse_url
from agents.core.settings import Settings, SettingsError
from agents.doctor.facts import ManagementFacts, Permissions, Row
from bus.amqp_errors import split_urls

TIMEOUT_SECONDS: Final = 10.0
"""For one answer. A busy broker needs seconds for the statistics of many queues."""

_PORTS: Final = {"amqp": ("http", 15672), "amqps": ("https", 15671)}
"""RabbitMQ's defaults, derived from the scheme of AMQP_URL."""

_MEANS: Final = {"msg_rates_age": 600, "msg_rates_incr": 60}
"""Rates are means over these seconds: the broker's default keeps ten minutes of samples."""

_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class ManagementError(Exception):
    """The management API does not answer, or not this user. The text is one clause, without secrets."""


@dataclass(frozen=True, slots=True)
class ManagementPlace:
    """Where the API is, and whose view of which virtual host is asked for."""

    url: str
    vhost: str
    credentials: tuple[str, str] = field(repr=False)


def management_place(settings: Settings) -> ManagementPlace:
    """Read the settings: SUTAZAI_MANAGEMENT_URL, or the host of AMQP_URL at RabbitMQ's default port.

    User and password are those of AMQP_URL unless the address has its own.

    Raises:
        SettingsError: the address is no http address.
        InvalidAddress: AMQP_URL is no broker's.
    """
    amqp = urlsplit(split_urls(settings.amqp_url)[0])
    scheme, port = _PORTS[amqp.scheme]
    host = f"[{amqp.hostname}]" if ":" in (amqp.hostname or "") else amqp.hostname or "localhost"
    given = urlsplit(settings.management_url or f"{scheme}://{host}:{port}")
    if given.scheme not in {"http", "https"} or not given.hostname:
        raise SettingsError(
            "setting SUTAZAI_MANAGEMENT_URL = ***: it is no http address: write it like http://localhost:15672"
        )
    owner = given if given.username else amqp
    credentials = unquote(owner.username or "guest"), unquote(owner.password or "guest")
    address = f"{given.scheme}://{given.netloc.rpartition('@')[2]}{given.path.rstrip('/')}"
    return ManagementPlace(address, unquote(amqp.path.removeprefix("/")) or "/", credentials)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ManagementClient:
    """Asks the management API. Every method raises ManagementError, and nothing of httpx."""

    def __init__(
        self,
        place: ManagementPlace,
        now: Callable[[], datetime] = _utc_now,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` is how bytes reach the server; tests give an `httpx.MockTransport`."""
        self.place = place
        self._now = now
        self._vhost = quote(place.vhost, safe="")
        self._http = httpx.AsyncClient(
            base_url=place.url,
            auth=place.credentials,
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            trust_env=not parse_url(place.url).is_near,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def has_vhost(self) -> bool | None:
        """Tell whether the virtual host exists; None where this user is not told."""
        response = await self._ask(f"/api/vhosts/{self._vhost}")
        if response.status_code in _REFUSED:
            return None
        return response.status_code != HTTPStatus.NOT_FOUND

    async def look(self) -> ManagementFacts:
        """Return all that the doctor wants to know of the virtual host."""
        before = self._now()
        whoami = await self._ask("/api/whoami")
        skew = _skew(whoami, before + (self._now() - before) / 2)
        bindings = await self._rows("bindings")
        return ManagementFacts(
            exchanges={row["name"]: row for row in await self._rows("exchanges")},
            queues={row["name"]: row for row in await self._rows("queues", _MEANS)},
            bindings=frozenset((row["source"], row["destination"], row["routing_key"]) for row in bindings),
            consumers=[
                {**row, "queue": row["queue"]["name"]} for row in await self._rows("consumers") if row.get("queue")
            ],
            permissions=await self._permissions(),
            skew=skew,
            looked_at=before.timestamp(),
        )

    async def _permissions(self) -> Permissions | None:
        user = quote(self.place.credentials[0], safe="")
        response = await self._ask(f"/api/permissions/{self._vhost}/{user}")
        if response.status_code != HTTPStatus.OK:
            return None
        row = response.json()
        return Permissions(row["configure"], row["write"], row["read"])

    async def _rows(self, kind: str, query: dict[str, int] | None = None) -> list[Row]:
        response = await self._ask(f"/api/{kind}/{self._vhost}", query)
        if response.status_code in _REFUSED:
            raise ManagementError(
                f"{self.place.url} refuses user {self.place.credentials[0]!r} ({response.status_code})"
            )
        try:
            rows: list[Row] = response.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ManagementError(f"{self.place.url} answers no list of {kind} ({response.status_code})") from error
        return rows

    async def _ask(self, path: str, query: dict[str, int] | None = None) -> httpx.Response:
        try:
            return await self._http.get(path, params=query)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ManagementError(f"nobody answers at {self.place.url} ({type(error).__name__})") from error


def _skew(response: httpx.Response, now: datetime) -> float | None:
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return None
    return (theirs - now).total_seconds()
