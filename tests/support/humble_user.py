"""A user of the broker with few rights."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from tests.support.broker import Broker, vhost_of


@asynccontextmanager
async def humble_user(broker: Broker, vhost_url: str, rights: Mapping[str, str]) -> AsyncIterator[str]:
    """The URL of a user with these rights (configure, write, read) in the test's virtual host."""
    user, vhost = f"humble-{secrets.token_hex(3)}", quote(vhost_of(vhost_url), safe="")
    async with httpx.AsyncClient(base_url=broker.management_url or "", auth=broker.credentials) as api:
        made = {"password": "pw", "tags": ""}
        (await api.put(f"/api/users/{user}", json=made)).raise_for_status()
        (await api.put(f"/api/permissions/{vhost}/{user}", json=rights)).raise_for_status()
        parts = urlsplit(vhost_url)
        yield urlunsplit(parts._replace(netloc=f"{user}:pw@{parts.netloc.rpartition('@')[2]}"))
        (await api.delete(f"/api/users/{user}")).raise_for_status()
