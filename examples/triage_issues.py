"""Sort issues by kind and severity: answers of a declared shape, checked and mended, as a table.

    gh issue list --json number,title,body | python examples/triage_issues.py -
    python examples/triage_issues.py issues.csv

The file, or standard input with `-`, is a JSON list of objects or a CSV with a header; `title` and `body` are read, and
`number` where there is one. The broker is that of AMQP_URL (`memory://` needs none), the model that of OLLAMA_URL. One
sees, the most severe first (here a model of 135 M parameters judges, poorly):

     issue                           kind      severity  reason
     14 Export loses rows            bug       critical  is a bug
     16 How do I reset my password?  question  critical  Is it a bug, feature or question?
     15 Dark mode                    bug       minor     is_a_feature
"""

import argparse
import csv
import io
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents import BaseAgentV2, Client, Host, TaskMessage, TaskResult, TaskStatus
from agents.core.process import run_process
from schemas.faults import first_fault

SEVERITIES = ("critical", "major", "minor")


class Issue(BaseModel):
    """What a task brings as its data. Other keys are passed over."""

    number: int | None = None
    title: str = Field(min_length=1)
    body: str = ""


class Triage(BaseModel):
    """What each result is."""

    kind: Literal["bug", "feature", "question"]
    severity: Literal["critical", "major", "minor"]
    reason: str = Field(max_length=80)


class IssueTriager(BaseAgentV2):
    """Sorts issues. A task that is no Issue is rejected, an answer that is no Triage goes back to the model."""

    input_model = Issue
    output_model = Triage

    async def process_task(self, task: TaskMessage) -> Triage:
        """Return what the issue is."""
        issue: Issue = self.input_of(task)
        asked = (
            f"Issue: {issue.title}\n{issue.body[:2000]}\n\n"
            "Is it a bug, a feature or a question? Is it critical, major or minor? "
            "Answer as JSON with kind, severity and reason."
        )
        return await self.query_ollama(asked, output_model=Triage, temperature=0, max_tokens=96)


def read_issues(text: str) -> list[Issue]:
    """Read a JSON list or a CSV with a header.

    Raises:
        ValidationError: it is neither, or an issue has no title.
    """
    if text.lstrip().startswith("["):
        return TypeAdapter(list[Issue]).validate_json(text)
    return [Issue.model_validate({k: v for k, v in row.items() if v}) for row in csv.DictReader(io.StringIO(text))]


async def triage(issues: list[Issue]) -> None:
    """Submit all issues and print what they are; the host lets a few at a time to the model."""
    agent = IssueTriager(name="issue-triager")
    async with Host([agent], agent.settings) as host:
        await host.pool.refresh_models()  # no model server: one line says so, where the tasks would wait for it
        client = Client(host.broker, host.topology)
        tasks = [TaskMessage(agent=agent.name, data=issue.model_dump()) for issue in issues]
        results: dict[str, TaskResult] = {}
        async with client.replies() as replies:
            for task in tasks:
                await client.send(task, reply_to=replies.queue)
            while len(results) < len(tasks):
                result = await replies.next()
                results[result.task_id] = result
    Console().print(table_of((issue, results[task.id]) for issue, task in zip(issues, tasks, strict=True)))


def table_of(rows: Iterable[tuple[Issue, TaskResult]]) -> Table:
    """Return one row an issue; those that could not be sorted come last, with the reason."""
    table = Table("issue", "kind", "severity", "reason", box=None, header_style="dim")
    for _, *cells in sorted(row_of(issue, result) for issue, result in rows):
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table


def row_of(issue: Issue, result: TaskResult) -> tuple[int, str, str, str, str]:
    """Return its rank and the cells of the table."""
    title = issue.title if issue.number is None else f"{issue.number} {issue.title}"
    if result.status is not TaskStatus.COMPLETED:
        return len(SEVERITIES), title, "", result.status.value, getattr(result.error, "message", "")
    found = Triage.model_validate(result.result)
    return SEVERITIES.index(found.severity), title, found.kind, found.severity, found.reason


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Sort issues by kind and severity.")
    parser.add_argument("issues", type=argparse.FileType(), help="a JSON or CSV file; - for standard input")
    try:
        found = read_issues(parser.parse_args().issues.read())
    except ValidationError as error:
        parser.error(f"no issues: {first_fault(error)}")
    run_process(lambda: triage(found), "error")
