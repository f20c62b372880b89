"""`sutazai run` serves its host's probes and metrics where it is told to."""

import re
import signal
import socket

import httpx

from tests.support.agent_world import memory_url
from tests.support.command_line import Cli
from tests.support.program import Program, program, sutazai
from tests.support.waiting import wait_until

NAME = "senior-engineer"


def url_in(running: Program) -> str:
    """Return where the pages are, as the log tells."""
    line = next(line for line in (running.out + running.err).splitlines() if "pages.open" in line)
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found is not None, line
    return found[0]


async def test_a_run_with_a_health_port_tells_when_it_is_ready(vhost_url: str) -> None:
    env = {"AMQP_URL": vhost_url, "OLLAMA_URL": "http://127.0.0.1:9", "SUTAZAI_HOST_NAME": "vm-1"}
    async with program(*sutazai("run", NAME, "--health-port", "0"), env=env) as running:
        await running.says("pages.open")
        async with httpx.AsyncClient(base_url=url_in(running)) as http:

            async def is_ready() -> bool:
                return (await http.get("/readyz")).status_code == 200

            await wait_until(is_ready, 30, what="the host to be ready")
            assert (await http.get("/healthz")).text == "alive\n"
            assert 'sutazai_host_info{host="vm-1"' in (await http.get("/metrics")).text
        running.send(signal.SIGTERM)
        assert await running.ends() == 0


async def test_a_run_that_cannot_reach_its_broker_yet_is_alive_and_not_ready() -> None:
    env = {"AMQP_URL": "amqp://127.0.0.1:9/", "SUTAZAI_CONNECT_TIMEOUT": "45"}
    async with program(*sutazai("run", NAME, "--health-port", "0"), env=env) as running:
        await running.says("pages.open")
        async with httpx.AsyncClient(base_url=url_in(running)) as http:
            alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (alive.status_code, ready.status_code, ready.text) == (200, 503, "the host is starting\n")


def test_a_port_that_is_taken_ends_the_run_before_it_begins(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = cli("run", NAME, "--amqp-url", memory_url(), "--health-port", port)
    assert ran.code == 2
    assert ran.sentence.startswith(f"error: nothing can listen on 127.0.0.1:{port}: Address already in use; choose ")
    assert ran.sentence.endswith("others with --health-address and --health-port")
