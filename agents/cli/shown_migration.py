"""A migration report as the terminal shows it. Pure."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from agents.cli.shown_letters import plain
from agents.core.migration.report import AgentReport, MigrationReport


def agents_table(report: MigrationReport) -> Table:
    """Return one row for each agent: what it is, what to do next, and how much there is to look at."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("agent", "queue"):
        table.add_column(title, overflow="fold")
    for title in ("kind", "next"):
        table.add_column(title, no_wrap=True)
    table.add_column("wrapped", overflow="fold")
    for title in ("faults", "notes"):
        table.add_column(title, justify="right", no_wrap=True)
    for agent in report.agents:
        notes = len(agent.findings) - len(agent.faults)
        counts = (str(len(agent.faults) or ""), str(notes or ""))
        told = (agent.name, agent.queue or "", agent.kind, agent.step, _wrapped(agent), *counts)
        table.add_row(*(Text(plain(cell)) for cell in told))
    return table


def _wrapped(agent: AgentReport) -> str:
    if not agent.wraps:
        return ""
    return f"needs {', '.join(agent.needs)}" if agent.needs else "runs"


def fault_lines(report: MigrationReport) -> Iterator[str]:
    """Iterate over what needs a hand, one line each; then tells how many notes there are beside."""
    yield from (plain(str(trouble)) for trouble in report.troubles)
    for agent in report.agents:
        yield from _lines_of(agent)
    notes = sum(len(agent.findings) - len(agent.faults) for agent in report.agents)
    if notes:
        yield f"{notes} more notes: --json and --html tell them"


def _lines_of(agent: AgentReport) -> Iterator[str]:
    for finding in agent.faults:
        yield plain(f"{finding.place}: {finding.topic}: {finding.message}")
