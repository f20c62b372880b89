"""Search notes by their meaning: an agent that keeps an index of their embeddings in a file.

    python examples/search_notes.py notes "how do I get my money back?"

The first run embeds every .md and .txt file of the folder; later ones only those that are new or changed. The broker is
that of AMQP_URL (`memory://` needs none), the model server that of OLLAMA_URL, the model EMBEDDING_MODEL, or all-minilm
(46 MB; Ollama pulls it at the first use). One sees the nearest notes, by cosine:

     cosine  note        begins
     0.90    refunds.md  Refunds: we pay back within 14 days, if you send u
     0.85    router.txt  To reset a router, hold its button for ten seconds

An embedding model reads the beginning of a text alone, all-minilm 256 tokens of it, so short notes are found best.
`sutazai local-model` has no embedding model: it answers with the mean of what a small text model thinks of each word,
which finds notes that share words with the question, and little more. A model that only writes text fails the task.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from operator import mul
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents import BaseAgentV2, Client, Host, Priority, TaskMessage, TaskResult, TaskStatus
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process

MODEL = os.environ.get("EMBEDDING_MODEL", "all-minilm")


class NoteSearcher(BaseAgentV2):
    """Embeds texts (tasks of the type `add`) and finds those nearest to a question (`search`)."""

    def __init__(self, index: Path = Path("notes.index.jsonl"), **given: Any) -> None:
        super().__init__(**given)
        self.index = index
        lines = index.read_text().splitlines() if index.exists() else []
        self.vectors: dict[str, list[float]] = dict(map(json.loads, lines))

    async def process_task(self, task: TaskMessage) -> dict[str, object]:
        """Return `hits` for a question, whose data has the keys of notes by their names; `is_new` for a text."""
        text = task.prompt or ""
        if task.type == "search":
            question = await self.embed(text)
            scores = [(name, sum(map(mul, question, self.vectors[key]))) for name, key in task.data.items()]
            return {"hits": sorted(scores, key=lambda hit: hit[1], reverse=True)[:5]}
        is_new = key_of(text) not in self.vectors
        if is_new:
            self.keep(key_of(text), await self.embed(text))
        return {"is_new": is_new}

    async def embed(self, text: str) -> list[float]:
        """Return the vector of a text, of length 1, in the priority of the task at hand."""
        async with self.models.opened_pool() as pool:
            return await pool.embeddings(text, model=MODEL)

    def keep(self, key: str, vector: list[float]) -> None:
        """Add a line to the index. It only grows: a note that moves or comes back costs nothing."""
        self.vectors[key] = vector
        with self.index.open("a") as file:
            file.write(json.dumps([key, vector]) + "\n")


def key_of(text: str) -> str:
    """Return the key of a text. Vectors of different models cannot be compared, so it holds the model too."""
    return hashlib.sha256(f"{MODEL}\n{text}".encode()).hexdigest()[:32]


async def search(notes: Mapping[str, str], question: str, index: Path) -> None:
    """Embed what is not embedded yet, ask, and print what is near."""
    agent = NoteSearcher(index, name="note-searcher")
    async with Host([agent], agent.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        client = Client(host.broker, host.topology)
        for text in notes.values():
            must_be_completed(await client.ask(agent.name, text, type="add", priority=Priority.LOW))
        keys = {name: key_of(text) for name, text in notes.items()}
        found = await client.ask(agent.name, question, type="search", data=keys, priority=Priority.HIGH)
    must_be_completed(found)
    table = Table("cosine", "note", "begins", box=None, header_style="dim")
    for name, score in found.result["hits"]:
        table.add_row(f"{score:.2f}", escape(name), escape(notes[name].split("\n")[0][:50]))
    Console().print(table)


def must_be_completed(result: TaskResult) -> None:
    """End the program with exit code 6 if a task has failed; what was embedded before is in the index."""
    if result.status is not TaskStatus.COMPLETED:
        reason = getattr(result.error, "message", result.error)
        print(f"error: the task ended as {result.status}: {reason}", file=sys.stderr)
        sys.exit(ExitCode.TASK_NOT_COMPLETED)


def read_notes(folder: Path) -> dict[str, str]:
    """Return the texts of a folder's notes by their names in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".md", ".txt")]
    texts = {str(path.relative_to(folder)): path.read_text(errors="replace").strip() for path in files}
    return {name: text for name, text in texts.items() if text}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Search notes by their meaning.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("question")
    parser.add_argument("--index", type=Path, default=Path("notes.index.jsonl"), help="(default: %(default)s)")
    given = parser.parse_args()
    found = read_notes(given.folder)
    if not found or not given.question.strip():
        parser.error(f"give a folder with .md or .txt files (it has {len(found)}) and a question")
    run_process(lambda: search(found, given.question, given.index), "error")
