"""Traces of programs of their own: over two processes, without the extra, and with a collector that is away."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika

from schemas import TaskResult, TaskStatus
from tests.support.agent_world import connected_client, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.program import Program, ended, program, sutazai
from tests.support.scripted_ollama import ScriptedOllama
from tests.support.spans import named, read_spans, tree

NAME = "senior-engineer"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
REMEDY = "pip install 'sutazai-agents[otel]'"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}
"""Milliseconds between two batches, and seconds that one may take."""


AGENT = f"""
from agents import BaseAgentV2
class Echo(BaseAgentV2):
    needs_model = False
    async def process_task(self, task):
        return task.prompt
Echo(name={NAME!r}).run()
"""


@asynccontextmanager
async def hosting(vhost_url: str, env: Mapping[str, str], *command: str) -> AsyncIterator[Program]:
    """A host in a process of its own, before a scripted model server; it is told to stop at the end of the block."""
    async with (
        OllamaPort(ScriptedOllama()) as port,
        program(*(command or sutazai("run", NAME)), env={"AMQP_URL": vhost_url, "OLLAMA_URL": port.url, **env}) as run,
    ):
        await run.says("host.started")
        yield run
        run.send(signal.SIGTERM)
        assert await run.ends() == 0


async def foreign_task(vhost_url: str) -> TaskResult:
    """Have a task done that a program publishes which knows W3C's headers, and nothing of us."""
    async with (
        connected_client(settings_for(vhost_url)) as client,
        client.results() as results,
        await aio_pika.connect(vhost_url) as connection,
        connection.channel() as channel,
    ):
        tasks = await channel.get_exchange("sutazai.tasks", ensure=False)
        await tasks.publish(aio_pika.Message(b'{"prompt": "Hi"}', headers={"traceparent": PARENT}), NAME)
        async with asyncio.timeout(20):
            return await anext(results)


def without_opentelemetry(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a `sutazai` on a machine where the extra is not installed."""
    code = "import sys; sys.modules['opentelemetry'] = None; from agents.cli.__main__ import main; main()"
    return (sys.executable, "-c", code, *arguments)


async def test_one_trace_goes_from_the_publishers_process_through_the_hosts_to_the_result(
    vhost_url: str, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "submit.jsonl", tmp_path / "host.jsonl"
    async with hosting(vhost_url, {"SUTAZAI_TRACING": f"file:{theirs}"}):
        env = {"AMQP_URL": vhost_url, "SUTAZAI_TRACING": f"file:{ours}"}
        code, _ = await ended(*sutazai("submit", NAME, "Hi", "--wait"), env=env)
        assert code == 0
        result = await foreign_task(vhost_url)
    spans = read_spans(ours) + read_spans(theirs)
    trace = named(spans, "publish sutazai.tasks")[0].trace
    assert tree([span for span in spans if span.trace == trace]) == [
        f"publish sutazai.tasks:{NAME}",
        "  queue wait",
        f"  process sutazai.tasks.{NAME}",
        f"    invoke_agent {NAME}",
        "      slot wait",
        "      text_completion tinyllama:latest",
        f"    settle {NAME}",
        f"      publish sutazai.results:{NAME}.completed",
    ]
    assert [span.service for span in named(spans, "publish sutazai.tasks")] == ["sutazai-submit"]
    assert {span.service for span in read_spans(theirs)} == {"sutazai"}
    foreign = [span for span in spans if span.trace == TRACE]
    assert {span.parent for span in [*named(foreign, "process"), *named(foreign, "queue wait")]} == {SPAN}
    assert len(foreign) == 7
    assert result.metadata == {"traceparent": PARENT}


async def test_a_collector_that_is_away_is_told_once_and_costs_no_task(vhost_url: str) -> None:
    env = {**QUICK, "SUTAZAI_TRACING": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@127.0.0.1:9"}
    async with hosting(vhost_url, env, sys.executable, "-c", AGENT) as run:
        assert (await foreign_task(vhost_url)).status is TaskStatus.COMPLETED
        await run.says("tracing.export_failed")
        assert (await foreign_task(vhost_url)).status is TaskStatus.COMPLETED
    assert run.err.count("tracing.export_failed") == 1
    assert "http://127.0.0.1:9" in run.err
    assert "secret" not in run.err
    assert '"trace_id": "' + TRACE in run.err
    assert "program.logged" not in run.err  # the library repeats in its words what ours say


async def test_without_the_extra_all_works_and_the_context_is_handed_on(vhost_url: str) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    async with hosting(vhost_url, env, *without_opentelemetry("run", NAME)) as run:
        result = await foreign_task(vhost_url)
    assert (result.status, result.metadata) == (TaskStatus.COMPLETED, {"traceparent": PARENT})
    assert run.err.count("tracing.off") == 1
    assert REMEDY in run.err
