from datetime import UTC, datetime, timedelta

import httpx
import pytest

from agents.core.settings import SettingsError, load_settings
from agents.doctor.management import ManagementClient, ManagementError, ManagementPlace, management_place
from bus.errors import InvalidAddress
from tests.support.broker import Broker
from tests.support.tiny_http import TinyHttp


def place(amqp_url: str, management_url: str | None = None) -> ManagementPlace:
    return management_place(load_settings(None, amqp_url=amqp_url, management_url=management_url))


@pytest.mark.parametrize(
    ("amqp_url", "management_url", "expected"),
    [
        ("amqp://h", None, ManagementPlace("http://h:15672", "/", ("guest", "guest"))),
        ("amqps://u:p%40@h:1/a%2Fb,amqp://i", None, ManagementPlace("https://h:15671", "a/b", ("u", "p@"))),
        ("amqp://u:p@[::1]/", None, ManagementPlace("http://[::1]:15672", "/", ("u", "p"))),
        ("amqp://u:p@h/v", "https://m/rabbit/", ManagementPlace("https://m/rabbit", "v", ("u", "p"))),
        ("amqp://u:p@h/v", "http://w:q@m:1", ManagementPlace("http://m:1", "v", ("w", "q"))),
    ],
)
def test_the_place_comes_from_both_addresses(amqp_url: str, management_url: str | None, expected: object) -> None:
    assert place(amqp_url, management_url) == expected


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError, match="SUTAZAI_MANAGEMENT_URL = \\*\\*\\*: it is no http address") as caught:
        place("amqp://h", "rabbit:secret@h")
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidAddress):
        place("memory://")
    assert "secret" not in repr(place("amqp://u:secret@h"))


async def test_a_broker_that_is_an_hour_behind_is_measured(broker: Broker, vhost_url: str) -> None:
    at = management_place(load_settings(None, amqp_url=vhost_url, management_url=broker.management_url))
    async with ManagementClient(at, lambda: datetime.now(UTC) + timedelta(hours=1)) as client:
        skew = (await client.look()).skew
    assert skew == pytest.approx(-3600, abs=2)


async def test_a_wrong_password_is_told_without_it(broker: Broker) -> None:
    at = ManagementPlace(broker.management_url or "", "/", ("nobody", "secret"))
    async with ManagementClient(at) as client:
        assert await client.has_vhost() is None
        with pytest.raises(ManagementError, match=r"refuses user 'nobody' \(401\)"):
            await client.look()


def head(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@pytest.mark.parametrize("reply", [head("200 OK", b"<html>"), head("500 Oops", b"")])
async def test_what_is_no_management_api_is_told(reply: bytes) -> None:
    async with TinyHttp(reply) as server, ManagementClient(ManagementPlace(server.url, "/", ("u", "p"))) as client:
        with pytest.raises(ManagementError, match="answers no list of bindings"):
            await client.look()


@pytest.mark.parametrize("headers", [{}, {"Date": "now"}])
async def test_without_a_date_there_is_no_skew_and_who_is_not_told_knows_of_no_permissions(
    headers: dict[str, str],
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_refused = request.url.path.startswith("/api/permissions/")
        return httpx.Response(401 if is_refused else 200, json=[], headers=headers)

    transport = httpx.MockTransport(answer)
    async with ManagementClient(ManagementPlace("http://m", "/", ("u", "p")), transport=transport) as client:
        facts = await client.look()
    assert (facts.skew, facts.permissions, facts.consumers) == (None, None, [])
