"""docs/logging.md tells each event that the source logs, with its level and fields, and no other."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LEVELS: Final = {"debug", "info", "warning", "error", "exception"}
TELLING: Final = LEVELS | {"log", "tell", "_tell"}
"""Names of what is called with an event; the last three take the level from elsewhere."""

EVENT: Final = re.compile(r"[a-z_]+\.[a-z_]+")


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def calls_of(path: Path) -> Iterator[tuple[str, str, set[str]]]:
    """Yield event, called name and fields of each call that logs one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if name in TELLING and texts and EVENT.fullmatch(texts[0]):
            yield texts[0], name, {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info"}


def logged_events() -> dict[str, Event]:
    events: dict[str, Event] = defaultdict(Event)
    for folder in ("schemas", "bus", "agents"):
        for path in (ROOT / folder).rglob("*.py"):
            for event, name, fields in calls_of(path):
                events[event].levels |= {"error" if name == "exception" else name} & LEVELS
                events[event].fields |= fields
    return events


def told_events() -> dict[str, Event]:
    rows = [line.split("|")[1:5] for line in (ROOT / "docs/logging.md").read_text().splitlines()]
    return {
        row[0].strip(" `"): Event({row[1].strip()}, set(re.findall(r"`(\w+)`", row[2])))
        for row in rows
        if len(row) == 4 and EVENT.fullmatch(row[0].strip(" `"))
    }


def test_every_event_is_told_and_nothing_else() -> None:
    told, logged = set(told_events()), set(logged_events())
    assert (logged - told, told - logged) == (set(), set()), (
        "not told in docs/logging.md, and told there but not logged"
    )


def test_every_event_is_told_with_a_level_and_the_fields_that_it_has() -> None:
    logged = logged_events()
    told = {name: event for name, event in told_events().items() if name in logged}
    missing = {name: logged[name].fields - event.fields for name, event in told.items()}
    assert {name: fields for name, fields in missing.items() if fields} == {}
    others = {name for name, event in told.items() if logged[name].levels and not event.levels & logged[name].levels}
    assert others == set()


def test_no_event_is_a_sentence_and_no_line_in_a_task_repeats_what_is_bound() -> None:
    bound = {"task", "agent", "attempt", "host"}
    within_a_task = ("bus/settlement.py", "bus/run.py", "bus/runner.py", "bus/reception.py", "bus/task_publisher.py")
    repeated = [call for path in within_a_task for call in calls_of(ROOT / path) if call[2] & bound]
    assert repeated == []
