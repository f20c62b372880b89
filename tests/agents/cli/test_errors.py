"""What goes wrong is one clear sentence on standard error and an exit code; never a traceback, never a password."""

import asyncio
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from agents import BaseAgentV2
from bus.node_layout import free_ports
from schemas import TaskMessage
from tests.support.agent_world import agent_world
from tests.support.command_line import Cli
from tests.support.program import ended, sutazai
from tests.support.scripted_ollama import ScriptedOllama

SECRET = "pa55word"


def wrong_password(url: str) -> str:
    parts = urlsplit(url)
    return f"amqp://guest:{SECRET}@{parts.hostname}:{parts.port}{parts.path}"


def missing_vhost(url: str) -> str:
    return url.replace(urlsplit(url).path, "/" + quote("not here", safe=""))


COMMANDS = (["run", "senior-engineer"], ["submit", "senior-engineer", "Hi"], ["results"], ["topology"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_wrong_password_or_missing_vhost_is_refused_by_the_broker(
    cli: Cli, command: list[str], vhost_url: str
) -> None:
    ran = cli(*command, "--amqp-url", wrong_password(vhost_url))
    assert (ran.code, ran.out) == (4, "")
    assert "refuses user 'guest': check the name and password in AMQP_URL" in ran.err
    assert SECRET not in ran.err
    ran = cli(*command, "--amqp-url", missing_vhost(vhost_url))
    assert (ran.code, ran.out) == (4, "")
    assert "does not open this virtual host" in ran.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_an_unreachable_broker_is_told_in_one_line(
    cli: Cli, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.2")
    ran = cli(*command, "--amqp-url", f"amqp://me:{SECRET}@127.0.0.1:{port}/")
    assert ran.code == 3
    assert ran.sentence.startswith(f"error: no RabbitMQ answers at amqp://127.0.0.1:{port}/ (connection refused)")
    assert ran.sentence.count("error") == 1
    assert SECRET not in ran.err


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("nobody", "check the name, or start it first"),
        ("senior-enginer", "did you mean senior-engineer or "),
        ("senior-engineer", "start it with `sutazai run senior-engineer`"),
    ],
)
@pytest.mark.parametrize("wait", [[], ["--wait"]])
def test_a_task_for_an_agent_that_nobody_started_is_refused(
    cli: Cli, wait: list[str], name: str, remedy: str, vhost_url: str
) -> None:
    cli("topology", "--amqp-url", vhost_url)
    ran = cli("submit", name, "Hi", *wait, "--amqp-url", vhost_url)
    assert (ran.code, ran.out) == (5, "")
    assert f"error: no agent '{name}' is known to this broker, where no queue takes its tasks: {remedy}" in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ["cancel", "order-17", "--agent", "senior-enginer"],
        ["pause", "senior-enginer"],
        ["resume", "senior-enginer"],
        ["dlq", "list", "--agent", "senior-enginer"],
        ["dlq", "replay", "--all", "--agent", "senior-enginer"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_whoever_names_an_unknown_agent_is_told_which_one_may_be_meant(
    cli: Cli, command: list[str], vhost_url: str
) -> None:
    cli("topology", "--amqp-url", vhost_url)
    ran = cli(*command, "--amqp-url", vhost_url)
    assert (ran.code, ran.out) == (5, "")
    assert "no agent 'senior-enginer' is known" in ran.sentence
    assert "did you mean senior-engineer" in ran.sentence


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "senior-enginer"], "error: no agent 'senior-enginer': did you mean senior-engineer"),
        (["run", "zzzz"], "error: no agent 'zzzz': the catalogue has "),
        (["run", "none.md"], "error: none.md: no such file"),
        (["run", "no_such_module:Agent"], "error: no module 'no_such_module' for 'no_such_module:Agent': run this in"),
        (["run", "json:JSONDecoder"], "error: 'JSONDecoder' in module 'json' is no subclass of BaseAgentV2"),
        (["run", "json:Nothing"], "error: 'Nothing' in module 'json' is no subclass of BaseAgentV2"),
        (["run", ":Agent"], "error: ':Agent' is no MODULE:CLASS: write it like my_package.my_agent:MyAgent"),
        (["run", ".a:Agent"], "error: '.a:Agent' is no MODULE:CLASS"),
        (
            ["run", "senior-engineer", "--slots", "65"],
            "error: setting max_ollama_connections = 65: Input should be less",
        ),
        (["run", "senior-engineer", "--log-level", "loud"], "error: setting log_level = 'loud': use debug, info, "),
        (
            ["run", "senior-engineer", "--ollama-url", "ftp://me:pa55word@x"],
            "error: setting OLLAMA_URL: the model server's",
        ),
        (["run", "senior-engineer", "--config", "none.json"], "error: the settings file none.json cannot be read"),
        (["submit", "a", "Hi", "--prefix", "a b"], "error: setting prefix = 'a b': use 1 to 40 letters, digits"),
        (["local-model", "--log-level", "loud"], "error: setting log_level = 'loud': "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_or_settings_are_one_sentence_and_exit_code_2(cli: Cli, arguments: list[str], told: str) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.sentence
    assert len(ran.err.splitlines()) == 1
    assert SECRET not in ran.err


TOO_LONG = (
    "cannot run: a task timeout of 1700 s does not fit into the broker's acknowledgement timeout of 1800 s, which "
    "leaves 1680 s for the work: lower the one, or raise the other, consumer_timeout in rabbitmq.conf and here"
)


def test_a_task_timeout_of_the_settings_that_the_broker_would_not_wait_for_ends_the_start(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUTAZAI_TASK_TIMEOUT", "1700")
    ran = cli("run", "senior-engineer")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence.startswith(f"error: agent 'senior-engineer' {TOO_LONG}")


@pytest.mark.parametrize(
    ("name", "text", "agent"),
    [
        ("slow.md", "---\ndescription: Slow\ntask_timeout: 1700\n---\nYou take your time.", "slow.md"),
        (
            "slow_agent.py",
            "from agents import BaseAgentV2\nclass Slow(BaseAgentV2):\n    task_timeout = 1700",
            "slow_agent:Slow",
        ),
    ],
    ids=["front matter", "class attribute"],
)
def test_a_task_timeout_of_an_agents_own_that_the_broker_would_not_wait_for_ends_the_start(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str, agent: str
) -> None:
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    ran = cli("run", agent)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence.startswith(f"error: agent 'slow' {TOO_LONG}")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"http://me:{SECRET}@host/", "the broker's address has the scheme 'http': set AMQP_URL to one such as"),
        (f"amqp://me:{SECRET}#@host/", "the broker's address"),
        (",", "the broker's address is empty: set AMQP_URL"),
    ],
)
def test_an_address_that_is_no_brokers_is_told_without_its_password(
    cli: Cli,
    url: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUTAZAI_CONNECT_TIMEOUT", "0.2")
    for command in COMMANDS:
        ran = cli(*command, "--amqp-url", url)
        assert ran.code == 2
        assert SECRET not in ran.err
        assert "Traceback" not in ran.err
        assert ran.sentence.count("error: ") == 1
        if url != f"amqp://me:{SECRET}#@host/":
            assert told in ran.err


async def test_a_program_of_its_own_ends_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    env = {"AMQP_URL": f"amqp://me:{SECRET}@127.0.0.1:{port}/", "SUTAZAI_CONNECT_TIMEOUT": "0.2"}
    code, said = await ended(*sutazai("run", "senior-engineer"), env=env, cwd=tmp_path)
    assert (code, said.out) == (3, "")
    assert [line for line in said.err.splitlines() if not line.startswith("{")] == [said.err.splitlines()[-1]]
    assert said.err.splitlines()[-1].startswith("error: no RabbitMQ answers at")
    assert SECRET not in said.err
    assert "Traceback" not in said.err


async def test_a_missing_model_fails_the_task_with_the_command_that_helps(cli: Cli, vhost_url: str) -> None:
    class Asker(BaseAgentV2):
        async def process_task(self, task: TaskMessage) -> str:
            return await self.query_ollama(task["prompt"])

    ollama = ScriptedOllama()
    ollama.installed = []
    ollama.pull_lines = [{"error": "pull model manifest: file does not exist"}]
    async with agent_world(Asker(name="asker"), ollama=ollama, amqp_url=vhost_url):
        ran = await asyncio.to_thread(
            cli, "submit", "asker", "Hi", "--wait", "--timeout", "15", "--amqp-url", vhost_url
        )
    assert ran.code == 6
    assert "error: the task ended as failed: model 'tinyllama:latest' cannot be used: " in ran.sentence
    assert "run `ollama pull tinyllama:latest`" in ran.sentence
