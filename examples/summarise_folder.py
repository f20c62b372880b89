"""Summarise the documents of a folder into one Markdown file, at low priority: whatever is urgent goes first.

    python examples/summarise_folder.py docs summaries.md

The broker is that of AMQP_URL (`memory://` needs none), the model server that of OLLAMA_URL. One sees a bar, then
`12 summaries in summaries.md (12 new)`; started again, after Ctrl-C as well, it asks only for what is new or changed.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from rich.progress import Progress

from agents import BaseAgentV2, Client, Host, Priority, TaskMessage, TaskResult, TaskStatus
from agents.core.exit_codes import ExitCode
from agents.core.process import run_process

QUESTION = "Summarise the document above in two or three plain sentences."

MOST_CHARACTERS = 4_000
"""Of each document: about 1,000 tokens, half the context of a small model, and seconds of its time without a GPU."""

SECTION = re.compile(r"^## .*\n<!-- task (\w+) -->\n", re.MULTILINE)
"""What stands above each summary. The task's id is that of the document's text, and so tells whether it has changed."""


class Summariser(BaseAgentV2):
    """Writes short summaries."""

    async def process_task(self, task: TaskMessage) -> str:
        """Return the summary of the text in the prompt."""
        asked = f"{task.prompt}\n\n{QUESTION}"
        return (await self.query_ollama(asked, temperature=0.2, max_tokens=160)).strip()


def tasks_of(files: Sequence[Path], agent: str) -> dict[Path, TaskMessage]:
    """Return one task for each file that holds text.

    Its id is that of its text: a task that waits since a run that was cut short is not done twice.
    """
    texts = {path: path.read_text(errors="replace")[:MOST_CHARACTERS] for path in files}
    made = {"agent": agent, "priority": Priority.LOW}
    return {path: TaskMessage(id=id_of(text), prompt=text, **made) for path, text in texts.items() if text.strip()}


def id_of(text: str) -> str:
    """Return the id of the task that a text makes; another question makes another task."""
    return hashlib.sha256(f"{QUESTION}\n{text}".encode()).hexdigest()[:32]


def read_summaries(path: Path) -> dict[str, str]:
    """Return the summaries that are there already, by the ids of their tasks."""
    _, *parts = SECTION.split(path.read_text() if path.exists() else "")
    return {task_id: text.strip() for task_id, text in zip(parts[::2], parts[1::2], strict=True)}


def write_summaries(path: Path, tasks: Mapping[Path, TaskMessage], summaries: Mapping[str, str]) -> None:
    """Write what there is, in the order of the files."""
    done = [(file, task.id) for file, task in tasks.items() if task.id in summaries]
    sections = [f"## {file.name}\n<!-- task {task_id} -->\n\n{summaries[task_id]}\n" for file, task_id in done]
    path.write_text("\n".join(sections))


async def summarise(files: Sequence[Path], out: Path) -> None:
    """Ask for the summaries that are missing, and write each as it comes."""
    agent = Summariser(name="summariser")
    tasks, summaries = tasks_of(files, agent.name), read_summaries(out)
    missing = {task.id: path for path, task in tasks.items() if task.id not in summaries}
    async with Host([agent], agent.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        client = Client(host.broker, host.topology)
        async for result in results_of(client, [tasks[path] for path in missing.values()]):
            if result.status is TaskStatus.COMPLETED:
                summaries[result.task_id] = str(result.result)
                write_summaries(out, tasks, summaries)
            else:
                reason = getattr(result.error, "message", result.error)
                print(f"error: no summary of {missing[result.task_id]}: {reason}", file=sys.stderr)
    if summaries:
        write_summaries(out, tasks, summaries)  # also without those whose documents are gone
    failed = missing.keys() - summaries.keys()
    print(f"{len(tasks) - len(failed)} summaries in {out} ({len(missing) - len(failed)} new)")
    if failed:
        sys.exit(ExitCode.TASK_NOT_COMPLETED)


async def results_of(client: Client, tasks: Sequence[TaskMessage]) -> AsyncIterator[TaskResult]:
    """Submit all tasks and yield their results as they come, below a bar."""
    waiting = {task.id for task in tasks}
    with Progress(disable=not tasks) as progress:
        bar = progress.add_task("summarising", total=len(tasks))
        async with client.replies() as replies:
            for task in tasks:
                await client.send(task, reply_to=replies.queue)
            while waiting:
                result = await replies.next()
                waiting.discard(result.task_id)
                progress.update(bar, completed=len(tasks) - len(waiting))
                yield result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Summarise the documents of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, help="a Markdown file")
    parser.add_argument("--pattern", default="*.md", help="which files, such as *.txt (default: %(default)s)")
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder")
    if given.out.exists() and not SECTION.match(given.out.read_text()):
        parser.error(f"{given.out} is there already and holds no summaries: name another file")
    files = sorted(path for path in given.folder.rglob(given.pattern) if path.is_file() and path != given.out)
    run_process(lambda: summarise(files, given.out), "error")
