"""examples/summarise_folder.py: every document once, whatever comes between."""

import asyncio
import re
import signal
from pathlib import Path

import pytest

from agents import Client
from schemas import Priority
from tests.examples.stage import Stage
from tests.support.agent_world import connected_client, settings_for
from tests.support.ollama_port import OllamaPort
from tests.support.scripted_ollama import ScriptedOllama, answer, held, refusal
from tests.support.waiting import wait_until

EXAMPLE = "summarise_folder.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, one of them too long, and one that says nothing."""
    docs = tmp_path / "docs"
    docs.mkdir()
    texts = {"a.md": "Ants.", "b.md": "Bees. " * 1_000, "c.md": "Cats.", "empty.md": "\n", "d.txt": "Dogs."}
    for name, text in texts.items():
        (docs / name).write_text(text)
    return docs


def first_word(prompt: str) -> str:
    return f"About {prompt.split('.', maxsplit=1)[0]}."


async def all_wait(client: Client, queue: str) -> bool:
    info = await client.broker.queue_info(queue)
    return info is not None and info.ready == 3


def headings(out: Path) -> dict[str, str]:
    """The summaries in the file by their headings."""
    return dict(re.findall(r"^## (.+)\n<!-- task \w{32} -->\n\n(.+)\n", out.read_text(), re.MULTILINE))


async def test_each_document_is_summarised_once_and_again_when_it_changes(stage: Stage, folder: Path) -> None:
    out = folder / "summaries.md"
    stage.answers(first_word, 3)
    code, ran = await stage.ran(EXAMPLE, folder, out)
    assert (code, ran.err) == (0, "")
    assert ran.out.endswith(f"3 summaries in {out} (3 new)\n")
    assert headings(out) == {"a.md": "About Ants.", "b.md": "About Bees.", "c.md": "About Cats."}
    assert max(map(len, stage.prompts)) < 4_200

    code, ran = await stage.ran(EXAMPLE, folder, out)
    assert code == 0
    assert "3 summaries" in ran.out
    assert "(0 new)" in ran.out
    assert "%" not in ran.out
    assert len(stage.prompts) == 3

    (folder / "c.md").write_text("Cows.")
    (folder / "a.md").unlink()
    stage.answers(first_word, 1)
    await stage.ran(EXAMPLE, folder, out)
    assert headings(out) == {"b.md": "About Bees.", "c.md": "About Cows."}
    assert len(stage.prompts) == 4

    (folder / "b.md").unlink()
    await stage.ran(EXAMPLE, folder, out)
    assert headings(out) == {"c.md": "About Cows."}


async def test_after_ctrl_c_only_what_is_missing_is_asked(stage: Stage, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "summaries.md"
    stage.ollama.script.append(answer("Done before."))
    stage.ollama.script.extend(held("half")[0] for _ in range(2))
    async with stage.running(EXAMPLE, folder, out) as running:
        await stage.ollama.arrivals(3)
        await wait_until(out.exists)
        running.send(signal.SIGINT)
        assert await running.ends() == 130
    assert list(headings(out).values()) == ["Done before."]
    assert "Traceback" not in running.err
    stage.answers(first_word, 2)
    code, ran = await stage.ran(EXAMPLE, folder, out)
    assert code == 0
    assert "(2 new)" in ran.out
    assert len(headings(out)) == 3
    assert len(stage.prompts) == 5


async def test_tasks_of_a_run_that_was_killed_wait_at_low_priority_and_are_done_once(
    vhost_url: str, folder: Path
) -> None:
    out = folder / "summaries.md"
    async with OllamaPort(ScriptedOllama()) as port, connected_client(settings_for(vhost_url)) as client:
        stage = Stage(port, vhost_url)
        port.ollama.gate = asyncio.Event()
        async with stage.running(EXAMPLE, folder, out) as running:
            await port.ollama.arrivals(2)
            await running.kill()
        queue = client.topology.task_queue("summariser")
        await wait_until(lambda: all_wait(client, queue))
        async with client.broker.browse(queue) as waiting:
            messages = [delivery.message async for delivery in waiting]
        port.ollama.gate.set()
        port.ollama.requests.clear()
        stage.answers(first_word, 3)
        code, ran = await stage.ran(EXAMPLE, folder, out)
    assert code == 0
    assert "(3 new)" in ran.out
    assert len(stage.prompts) == 3
    assert [message.priority for message in messages] == [Priority.LOW] * 3
    assert {message.correlation_id for message in messages} == set(re.findall("<!-- task (.+) -->", out.read_text()))


async def test_a_document_that_fails_is_named_and_the_others_are_kept(stage: Stage, folder: Path) -> None:
    out = folder / "summaries.md"
    stage.ollama.script.append(refusal(400, "no such thing"))
    stage.answers(first_word, 2)
    code, ran = await stage.ran(EXAMPLE, folder, out)
    assert code == 6
    assert re.search(r"error: no summary of .*/[abc]\.md: .*no such thing", ran.err)
    assert "2 summaries" in ran.out
    assert len(headings(out)) == 2


async def test_a_file_that_holds_something_else_is_not_overwritten(lone_stage: Stage, folder: Path) -> None:
    code, ran = await lone_stage.ran(EXAMPLE, folder, folder / "a.md")
    assert code == 2
    assert "is there already and holds no summaries" in ran.err
    assert (folder / "a.md").read_text() == "Ants."
