"""An example that is started wrongly, or without a broker, says so in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus.node_layout import free_ports

EXAMPLES = Path(__file__).parents[2] / "examples"
ASKING = ("ask.py", "publish_with_aio_pika.py", "publish_with_curl.sh")


def ran(example: str, *arguments: str, **env: str) -> tuple[int, str]:
    """Return its exit code and the lines for people on standard error; its log, off a terminal, is JSON."""
    interpreter = "sh" if example.endswith(".sh") else sys.executable
    ended = subprocess.run(
        [interpreter, str(EXAMPLES / example), *arguments],
        env={**os.environ, "SUTAZAI_CONNECT_TIMEOUT": "0.2", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=45,
    )
    assert ended.stdout == ""
    return ended.returncode, "".join(
        line for line in ended.stderr.splitlines(keepends=True) if not line.startswith("{")
    )


@pytest.mark.parametrize("arguments", [(), ("one",), ("one", "two", "three")], ids=len)
@pytest.mark.parametrize("example", ASKING)
def test_without_an_agent_and_a_prompt_it_tells_its_usage(example: str, arguments: tuple[str, ...]) -> None:
    code, told = ran(example, *arguments)
    assert code == 2
    assert told.startswith("usage: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("example", "arguments"),
    [(name, ("an-agent", "x")) for name in ASKING[:2]] + [("my_agent.py", ()), ("bill_reader.py", ())],
)
def test_without_a_broker_it_ends_as_the_command_line_does(example: str, arguments: tuple[str, ...]) -> None:
    (port,) = free_ports(1)
    code, told = ran(example, *arguments, AMQP_URL=f"amqp://me:pa55word@127.0.0.1:{port}/")
    assert code == 3
    assert told.startswith("error: no RabbitMQ ")
    assert told.count("\n") == 1
    assert "pa55word" not in told


@pytest.mark.parametrize("example", ASKING[:2])
def test_an_agent_that_nobody_started_is_told_with_its_name(example: str, vhost_url: str) -> None:
    code, told = ran(example, "nobody", "x", AMQP_URL=vhost_url)
    assert code == 5
    assert "'nobody'" in told
    assert told.count("\n") == 1
