"""The totals of a migration report as text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Row:
    """One step of the plan, in words, and the agents that it is for."""

    told: str
    names: tuple[str, ...]


def totals_text(total: int, ready: int, attention: int, plan: Iterable[Row], wrapped: int) -> str:
    """Return the lines Total agents, V2 ready, Need attention and Migration plan, the plan's steps below it.

    `wrapped` is how many agents run unchanged in the wrapper.
    """
    lines = [f"Total agents: {total}", f"V2 ready: {ready}", f"Need attention: {attention}", "Migration plan:"]
    return "\n".join([*lines, *(_plan_lines(plan, wrapped) or ["  nothing to do"])])


def _plan_lines(plan: Iterable[Row], wrapped: int) -> list[str]:
    lines = [line for row in plan for line in _step_lines(row)]
    if wrapped:
        verb = "runs" if wrapped == 1 else "run"
        lines.append(f"  {wrapped} of these {verb} unchanged until then, with `sutazai run --legacy PATH`")
    return lines


def _step_lines(row: Row) -> Iterator[str]:
    yield f"  {row.told}: {len(row.names)}"
    yield from wrap(
        ", ".join(row.names), _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )
