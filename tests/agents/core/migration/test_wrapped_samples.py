"""The ten samples, wrapped, in one host: right results, those of their twins, and nothing in the loop's thread."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agents.core.base_agent_v2 import BaseAgentV2
from agents.core.migration.factory import create_agent_factory
from agents.core.migration.legacy_wrapper import LegacyAgentWrapper
from agents.core.migration.lineage import Lineages
from agents.core.migration.loading import AgentLoadError
from agents.core.migration.rewrite.rewriting import Rewritten, rewrite_file
from schemas import TaskResult
from tests.agents.core.migration.programs import SAMPLES
from tests.support.agent_world import AgentWorld, agent_world, memory_url

TASKS: dict[str, list[dict[str, Any]]] = {
    "code-reviewer": [
        {"type": "review_code", "data": {"code": "x = 1\ny = 2"}},
        {"type": "review_many", "data": {"files": ["a.py", "b.txt", "c.py"]}},
        {"type": "review_code", "data": {}},
        {"type": "sing", "prompt": "la"},
    ],
    "email-drafter": [
        {"type": "draft", "data": {"to": "Ann", "about": "tea"}},
        {"type": "draft", "data": {"to": "Ann", "tone": "rude"}},
        {"type": "subject", "prompt": "tea"},
        {"type": "sing", "prompt": "la"},
    ],
    "faq-bot": [{"type": "rank", "prompt": "Money"}, {"type": "scores", "prompt": "Money"}],
    "glossary-keeper": [
        {"type": "explain", "prompt": "Lane"},
        {"type": "explain", "prompt": "lane"},
        {"type": "list", "prompt": "?"},
        {"type": "explain", "data": {}},
    ],
    "log-digest": [
        {"type": "digest", "data": {"path": str(SAMPLES / "log-digest" / "app.py")}},
        {"type": "disk", "prompt": "?"},
        {"type": "settle", "prompt": "?"},
        {"type": "sing", "prompt": "la"},
    ],
    "meeting-minutes": [
        {"type": "minutes", "prompt": "We met."},
        {"type": "title", "prompt": "We met."},
        {"type": "sing", "prompt": "la"},
    ],
    "release-notes": [
        {"type": "notes", "data": {"commits": ["feat: tea", "fix: milk"]}},
        {"type": "headline", "prompt": "Tea"},
        {"type": "notes", "data": {}},
    ],
    "ticket-triage": [
        {"type": "triage", "data": {"subject": "No money"}, "id": "t-1"},
        {"type": "triage", "data": {"subject": "no money "}},
        {"type": "triage", "data": {"body": "without subject"}},
        {"type": "counts", "prompt": "?"},
    ],
}

ENDS = {
    "code-reviewer": "ccff",
    "email-drafter": "cfcf",
    "faq-bot": "cc",
    "glossary-keeper": "cccf",
    "log-digest": "cccf",
    "meeting-minutes": "ccf",
    "release-notes": "ccf",
    "ticket-triage": "ccfc",
}
"""How the tasks end, in their order: completed or failed."""

REWRITABLE = ("code-reviewer", "email-drafter", "log-digest", "meeting-minutes", "ticket-triage")
"""Samples that the rewrite takes."""


@pytest.fixture(params=["memory", "rabbitmq"])
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The address of either broker."""
    return memory_url() if request.param == "memory" else str(request.getfixturevalue("vhost_url"))


@pytest.fixture(autouse=True)
def _path_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


async def answers(world: AgentWorld, agent: str, tasks: list[dict[str, Any]]) -> list[TaskResult]:
    return [
        await world.client.ask(agent, task.get("prompt"), timeout=20, **_without_prompt(task, f"{agent}-{n}"))
        for n, task in enumerate(tasks)
    ]


def _without_prompt(task: dict[str, Any], own_id: str) -> dict[str, Any]:
    return {"id": own_id, **{key: value for key, value in task.items() if key != "prompt"}}


def shown(results: list[TaskResult]) -> list[tuple[str, object, str | None, str | None]]:
    """What of results must be the same for an agent and its twin."""
    return [
        (
            result.status,
            result.result,
            getattr(result.error, "code", None),
            getattr(result.error, "message", None),
        )
        for result in results
    ]


async def test_the_samples_in_one_host_do_their_tasks_and_block_no_loop(
    amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def recorded(function: Any) -> Any:
        def record(*args: Any, **kwargs: Any) -> Any:
            threads.add(threading.get_ident())
            return function(*args, **kwargs)

        return record

    monkeypatch.setattr(time, "sleep", recorded(time.sleep))
    monkeypatch.setattr(subprocess, "run", recorded(subprocess.run))
    agents = [create_agent_factory(name, SAMPLES)() for name in TASKS]
    for agent in agents:
        assert isinstance(agent, LegacyAgentWrapper)
        agent.old.process_task = recorded(agent.old.process_task)
        agent.old.query_ollama = recorded(agent.old.query_ollama)
    async with agent_world(*agents, amqp_url=amqp_url) as world:
        results = {name: await answers(world, name, tasks) for name, tasks in TASKS.items()}
    ends = {name: "".join(result.status[0] for result in ended) for name, ended in results.items()}
    assert ends == ENDS
    assert len(threads) > len(agents)  # one each, and those that the FAQ bot has of its own
    assert threading.get_ident() not in threads


async def test_state_errors_and_answers_of_the_samples_are_those_of_old(amqp_url: str) -> None:
    agents = [create_agent_factory(name, SAMPLES)() for name in ("glossary-keeper", "ticket-triage", "release-notes")]
    async with agent_world(*agents, amqp_url=amqp_url) as world:
        words = await answers(world, "glossary-keeper", TASKS["glossary-keeper"])
        tickets = await answers(world, "ticket-triage", TASKS["ticket-triage"])
        notes = await answers(world, "release-notes", TASKS["release-notes"])
    assert [result.result.get("known") for result in words[:2]] == [False, True]
    assert words[2].result == {"status": "success", "words": ["lane"]}
    assert getattr(words[3].error, "message", None) == "nothing to explain"
    assert tickets[1].result == {"status": "success", "duplicate_of": "t-1"}
    assert getattr(tickets[2].error, "message", None) == "missing field 'subject'"
    assert notes[1].result["asked"] == 3


@pytest.mark.parametrize("name", REWRITABLE)
async def test_a_wrapped_sample_and_its_rewritten_twin_give_the_same_results(
    name: str, amqp_url: str, tmp_path: Path
) -> None:
    old = create_agent_factory(name, SAMPLES)()
    assert isinstance(old, LegacyAgentWrapper)
    (file,) = [path for path in SAMPLES.glob("*/*.py") if path.parent.name.replace("_", "-") == name]
    outcome = rewrite_file(file, Lineages(SAMPLES))
    assert isinstance(outcome, Rewritten)
    (tmp_path / name).mkdir()
    (tmp_path / name / file.name).write_bytes(outcome.after)
    twins = (old, create_agent_factory(name, tmp_path)())
    of_old, of_new = await asyncio.gather(*(_told_by(agent, TASKS[name], amqp_url) for agent in twins))
    assert of_old == of_new


async def _told_by(agent: BaseAgentV2, tasks: list[dict[str, Any]], amqp_url: str) -> object:
    # The prefixes keep the hosts, and their remembered endings, apart.
    prefix = "old" if isinstance(agent, LegacyAgentWrapper) else "new"
    async with agent_world(agent, amqp_url=amqp_url, prefix=prefix) as world:
        named = [{"id": f"task-{n}", **task} for n, task in enumerate(tasks)]
        return shown(await answers(world, agent.name, named))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("translator", r"translator/agent.py:14: it does not compile: Missing parentheses"),
        ("status-board", r"status-board/app.py.*(no module 'uvicorn'|no module 'fastapi'|it holds no agent)"),
    ],
)
def test_the_broken_one_and_the_service_are_told_with_their_place(name: str, words: str) -> None:
    with pytest.raises(AgentLoadError, match=words):
        create_agent_factory(name, SAMPLES)


def test_every_sample_is_in_one_of_the_tests() -> None:
    folders = {path.name.replace("_", "-") for path in SAMPLES.iterdir() if path.is_dir()}
    assert folders == {*TASKS, "translator", "status-board"}
