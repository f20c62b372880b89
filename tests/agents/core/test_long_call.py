"""A connection that is cut while a model answers costs nothing: the work goes on, and its redelivery joins it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from structlog.testing import capture_logs
from structlog.typing import EventDict

from agents import Host
from agents.core.log import configure_logging
from bus import codec
from bus.listener import Listener
from schemas import TaskMessage, TaskStatus
from tests.support.agent_world import Asker, connected_client, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.proxy import TcpProxy
from tests.support.scripted_ollama import ScriptedOllama, interrupted
from tests.support.waiting import wait_until

CUTS = 3


class Witnessed(Asker):
    """Counts what happens to its handler."""

    def __init__(self) -> None:
        super().__init__(name="teller", max_concurrent_tasks=1)
        self.runs = self.cancelled = 0

    async def process_task(self, task: TaskMessage) -> str:
        self.runs += 1
        try:
            return await super().process_task(task)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def test_a_model_call_across_cut_connections_is_one_run_with_one_result(vhost_url: str) -> None:
    configure_logging("info")
    parts = urlsplit(vhost_url)
    ollama, go_on, agent = ScriptedOllama(), asyncio.Event(), Witnessed()
    ollama.script.append(interrupted("Once upon ", go_on, "a time"))
    with capture_logs() as logs:
        async with (
            OllamaPort(ollama) as port,
            TcpProxy(parts.hostname or "", parts.port or 5672) as proxy,
            connected_client(settings_for(vhost_url)) as client,
            Listener(
                client.broker,
                client.topology,
                "results",
                codec.decode_result,
                exchange=client.topology.results,
                keys=("#",),
            ) as results,
            Host([agent], settings_for(proxy.url_for(vhost_url), ollama_url=port.url)),
            asyncio.timeout(50),
        ):
            told = aiter(results)
            task = await client.submit("teller", "Tell me all")
            await ollama.arrivals(1)
            for cut in range(1, CUTS + 1):
                await proxy.drop()
                await wait_until(partial(_has_joined, logs, cut), 20, what=f"redelivery {cut}")
            assert (agent.runs, len(ollama.asked("/api/generate"))) == (1, 1)
            go_on.set()
            first = await anext(told)
            after = await client.submit("teller", "And then?")
            second = await anext(told)
    assert (first.task_id, first.status, first.result) == (task.id, TaskStatus.COMPLETED, "Once upon a time")
    assert (first.attempt, first.history) == (1, ())
    assert (second.task_id, second.status) == (after.id, TaskStatus.COMPLETED)
    assert (agent.runs, agent.cancelled, len(ollama.asked("/api/generate"))) == (2, 0, 2)


def _has_joined(logs: Sequence[EventDict], times: int) -> bool:
    return [line["event"] for line in logs].count("delivery.joined") == times
