"""A host tells of the loss and the return of its consumers in lines that do not grow with their number."""

from collections.abc import Iterable
from typing import Any

from structlog.testing import capture_logs

from agents.core.consumer_log import ConsumerLog
from bus.broker import ConsumerState
from bus.memory import MemoryBroker
from tests.support.agent_world import Asker, agent_world, memory_url
from tests.support.waiting import wait_until

AGENTS = [f"agent-{number}" for number in range(20)]


def note_all(consumers: ConsumerLog, state: ConsumerState, agents: Iterable[str] = AGENTS) -> None:
    for agent in agents:
        consumers.note(agent, state, losses=1)


def shown(lines: list[Any]) -> list[Any]:
    """Return the lines that are seen without `--log-level debug`."""
    return [line for line in lines if line["log_level"] != "debug"]


def test_a_loss_of_many_is_one_warning_and_their_return_one_line() -> None:
    consumers = ConsumerLog("h")
    with capture_logs() as lines:
        note_all(consumers, ConsumerState.LOST)
        note_all(consumers, ConsumerState.CONSUMING, AGENTS[1:])
        assert consumers.has_news.is_set()
        consumers.tell()
        consumers.tell()
    assert shown(lines) == [
        {"event": "host.consumers_lost", "log_level": "warning", "host": "h", "agents": 20, "first": "agent-0"},
        {"event": "host.consumers_back", "log_level": "info", "host": "h", "agents": 19, "away": 1},
    ]


def test_what_follows_a_return_is_no_news() -> None:
    consumers = ConsumerLog("h")
    note_all(consumers, ConsumerState.LOST)
    note_all(consumers, ConsumerState.CONSUMING)
    consumers.tell()
    consumers.has_news.clear()
    with capture_logs() as lines:
        for state in (ConsumerState.PAUSED, ConsumerState.CONSUMING, ConsumerState.STOPPED):
            note_all(consumers, state)
        assert not consumers.has_news.is_set()
        consumers.tell()
    assert shown(lines) == []


def test_a_lost_consumer_that_is_stopped_has_not_come_back() -> None:
    consumers = ConsumerLog("h")
    note_all(consumers, ConsumerState.LOST)
    consumers.tell()
    with capture_logs() as lines:
        note_all(consumers, ConsumerState.STOPPED)
        consumers.tell()
    assert shown(lines) == []


async def test_a_cut_under_a_host_of_many_agents_is_told_in_a_few_lines() -> None:
    url = memory_url()
    broker = MemoryBroker(url.removeprefix("memory://"))
    agents = [Asker(name=name) for name in AGENTS]
    with capture_logs() as lines:
        async with agent_world(*agents, amqp_url=url, broker=broker) as world:

            def back() -> int:
                return sum(line["agents"] for line in lines if line["event"] == "host.consumers_back")

            before = len(shown(lines))
            broker.cut()
            await wait_until(lambda: back() == len(AGENTS), what="the return of all to be told")
            told = shown(lines)[before:]
            assert [consumer.losses for consumer in world.host.consumers] == [1] * len(AGENTS)
    assert [line["agents"] for line in told if line["event"] == "host.consumers_lost"] == [len(AGENTS)]
    assert len(told) < len(AGENTS) / 2
