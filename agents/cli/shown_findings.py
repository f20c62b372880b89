"""The doctor's findings for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.table import Table
from rich.text import Text

from agents.cli.console import out, write
from agents.cli.shown_letters import plain
from agents.doctor.finding import Finding, Level

_COLOURS: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.BROKEN: "red"}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print a table on a terminal, else a line for each finding: with tabs, or as JSON."""
    if out.is_terminal and not as_json:
        out.print(finding_table(findings), soft_wrap=False)
        return
    for finding in findings:
        write(f"{json.dumps(asdict(finding)) if as_json else line_of(finding)}\n")


def finding_table(findings: Sequence[Finding]) -> Table:
    """Return a table of level, check, and what was found, with the remedy below it."""
    table = Table("", "check", "found", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.columns[2].overflow = "fold"
    for finding in findings:
        told = Text(plain(finding.what))
        if finding.remedy:
            told.append(f"\n→ {plain(finding.remedy)}", "bold")
        table.add_row(Text(finding.level, _COLOURS[finding.level]), finding.check, told)
    return table


def line_of(finding: Finding) -> str:
    """Return a finding with tabs between level, check, what was found and the remedy."""
    return "\t".join((finding.level, finding.check, plain(finding.what), plain(finding.remedy)))
