"""The HTTP server of the pages: what it answers, and what it answers when nobody else can."""

import asyncio
import socket
import threading
from collections.abc import Mapping

import httpx
import pytest

from agents.core.pages.answer import Answer, Page, sentence
from agents.core.pages.server import PageServer
from agents.core.settings import SettingsError


async def fine() -> Answer:
    return sentence("fine")


async def stuck() -> Answer:
    await asyncio.Event().wait()
    return sentence("never")


async def broken() -> Answer:
    raise ValueError("a bug in a page")


def server(pages: Mapping[str, Page], *, address: str = "127.0.0.1", port: int = 0) -> PageServer:
    return PageServer(pages, address, port, patience=0.1, options="--here and --there")


async def test_each_page_is_served_and_nothing_else() -> None:
    async with server({"/fine": fine, "/stuck": stuck}) as running, httpx.AsyncClient(base_url=running.url) as http:
        page = await http.get("/fine?verbose")
        head = await http.head("/fine")
        nothing = await http.get("/")
        post = await http.post("/fine")
    assert (page.status_code, page.text, page.headers["content-type"]) == (200, "fine\n", "text/plain; charset=utf-8")
    assert (head.status_code, head.text, head.headers["content-length"]) == (200, "", "5")
    assert (nothing.status_code, nothing.text) == (404, "there are /fine and /stuck\n")
    assert post.status_code == 501
    assert "Python" not in page.headers["server"]


async def test_a_page_that_takes_too_long_or_fails_is_answered_and_the_server_ends_with_its_block() -> None:
    async with server({"/stuck": stuck, "/broken": broken}) as running:
        async with httpx.AsyncClient(base_url=running.url) as http:
            busy, fault = await http.get("/stuck"), await http.get("/broken")
        url = running.url
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
    assert (busy.status_code, busy.text) == (503, "the process is busy: no answer within 0.1 s; ask again\n")
    assert (fault.status_code, fault.text) == (500, "a fault of the page; the log tells it\n")


async def test_a_blocked_event_loop_is_told_while_it_is_blocked() -> None:
    answers: list[httpx.Response] = []
    is_answered = threading.Event()

    def ask(url: str) -> None:
        answers.append(httpx.get(f"{url}/fine", timeout=10))
        is_answered.set()

    async with server({"/fine": fine}) as running:
        asking = threading.Thread(target=ask, args=(running.url,))
        asking.start()
        assert is_answered.wait(10), "this very line blocks the loop"
        asking.join()
    assert [answer.status_code for answer in answers] == [503]


async def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    begun = asyncio.Event()
    may_end = asyncio.Event()

    async def slow() -> Answer:
        begun.set()
        await may_end.wait()
        return Answer(sentence("x").status, b"x" * 10_000_000)

    pages = PageServer({"/slow": slow, "/fine": fine}, "127.0.0.1", 0, patience=10, options="")
    async with pages as running, httpx.AsyncClient(base_url=running.url) as http:
        _, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
        writer.write(b"GET /slow HTTP/1.0\r\n\r\n")
        await begun.wait()
        writer.transport.abort()
        may_end.set()
        assert (await http.get("/fine")).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


async def test_an_address_of_ipv6_is_listened_on() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server({"/fine": fine}, address="::1") as running, httpx.AsyncClient() as http:
        assert running.url.startswith("http://[::1]:")
        assert (await http.get(f"{running.url}/fine")).status_code == 200


async def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            await server({"/fine": fine}, port=port).__aenter__()
    assert str(caught.value) == (
        f"nothing can listen on 127.0.0.1:{port}: Address already in use; choose others with --here and --there"
    )


@pytest.mark.parametrize("address", ["a" * 64, "a..b"])
async def test_an_address_that_no_host_can_have_is_told_in_one_sentence(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        await server({"/fine": fine}, address=address).__aenter__()
    assert str(caught.value) == (
        f"nothing can listen on {address}:0: no host can have such a name; choose others with --here and --there"
    )
