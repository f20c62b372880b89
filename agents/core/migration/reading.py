"""Reading a tree into a migration report."""

import ast
import os
from pathlib import Path

from agents.core.migration.awaiting import unawaited
from agents.core.migration.blocking import blocking_in_async
from agents.core.migration.findings import Finding, Topic
from agents.core.migration.imports import names_of
from agents.core.migration.kinds import AgentClass, Kind, agent_class, does_tasks, is_service
from agents.core.migration.lineage import Lineages, classes_of
from agents.core.migration.needed import missing_modules
from agents.core.migration.places import Place, places_in, queue_name
from agents.core.migration.report import AgentReport, Method, MigrationReport, Step
from agents.core.migration.rewrite.plan import Plan, plan_of
from agents.core.migration.source import Source, Unreadable, read_source
from agents.core.migration.syntax import Surroundings, methods_of
from agents.core.migration.v2_name import v2_name
from agents.core.migration.wrapping import threads_of, unwrapped


def run_migration_report(path: str | Path = ".") -> MigrationReport:
    """Read all agents below a folder, or the one of a file, without running any of them.

    An agent is a folder with agent.py or app.py, or another file with an agent's class. What cannot be read is named
    in the report.

    Raises:
        FileNotFoundError: there is nothing at the path.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(
            f"there is nothing at {root}: give the folder that holds the agents, or an agent's file"
        )
    reader = _Reader(root)
    found = places_in(root)
    agents = [agent for place in found.places if (agent := reader.agent(place)) is not None]
    troubles = (
        Finding(topic=Topic.READ, path=reader.name_of(trouble.path), message=trouble.reason)
        for trouble in found.troubles
    )
    return MigrationReport(path=_sayable(root), agents=tuple(agents), troubles=tuple(troubles))


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root if root.is_dir() else root.parent
        # What agents share often lies beside the folder of the agents.
        self._lineages = Lineages(self._root.resolve().parent)

    def name_of(self, path: Path) -> str:
        return _sayable(path.relative_to(self._root))

    def agent(self, place: Place) -> AgentReport | None:
        """Return what a place is; None for a file that is no agent and does not have to be one."""
        shown = _sayable(Path(place.name))
        read = {self.name_of(path): read_source(path.resolve()) for path in place.files}
        for name, source in read.items():
            found = agent_class(source, self._lineages) if isinstance(source, Source) else None
            if isinstance(source, Source) and found is not None and (place.is_main or does_tasks(found.node)):
                return self._with_class(shown, name, source, found)
        if not (place.is_main or any(map(_looks_like_one, read.values()))):
            return None
        broken = next(((name, source) for name, source in read.items() if isinstance(source, Unreadable)), None)
        if broken is not None:
            return _broken(shown, *broken)
        return _without_class(shown, {name: source for name, source in read.items() if isinstance(source, Source)})

    def _with_class(self, name: str, path: str, source: Source, found: AgentClass) -> AgentReport:
        plan = plan_of(source, self._lineages)
        missing = missing_modules(source)
        findings = _v2_findings(path, source) if plan is None else _v1_findings(path, found, plan)
        findings += [spot.finding(Topic.NOTE, path) for spot in missing.values()]
        wraps = plan is not None and all(finding.topic is not Topic.WRAP for finding in findings)
        rewrites = plan is not None and not plan.refused
        return AgentReport(
            name=name,
            path=path,
            kind=found.kind,
            step=_v2_step(findings) if plan is None else _v1_step(wraps=wraps, rewrites=rewrites),
            class_name=found.node.name,
            base=found.lineage.base,
            methods=tuple(
                Method(name=method.name, line=method.lineno, is_async=isinstance(method, ast.AsyncFunctionDef))
                for method in methods_of(found.node)
            ),
            wraps=wraps,
            needs=tuple(missing),
            queue=v2_name(found.node) if plan is None else queue_name(source.path),
            rewrites=rewrites,
            findings=tuple(findings),
        )


def _sayable(path: Path) -> str:
    """Return a path as text that can be written, also where the name of a file is not UTF-8."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def _v1_findings(path: str, found: AgentClass, plan: Plan) -> list[Finding]:
    told = (
        (Topic.WRAP, unwrapped(found, plan.family)),
        (Topic.REWRITE, plan.refused),
        (Topic.NOTE, (*plan.notes, *threads_of(plan.family))),
    )
    return [spot.finding(topic, path) for topic, spots in told for spot in spots]


def _v2_findings(path: str, source: Source) -> list[Finding]:
    around = Surroundings(source.tree)
    faults = [spot for node in classes_of(source.tree) for spot in unawaited(node, around)]
    notes = blocking_in_async(source.tree, names_of(source.tree), around)
    told = ((Topic.V2, faults), (Topic.NOTE, notes))
    return [spot.finding(topic, path) for topic, spots in told for spot in spots]


def _v1_step(*, wraps: bool, rewrites: bool) -> Step:
    if rewrites:
        return Step.REWRITE
    return Step.WRAP if wraps else Step.HAND


def _v2_step(findings: list[Finding]) -> Step:
    return Step.FINISH if any(finding.topic is Topic.V2 for finding in findings) else Step.NOTHING


def _broken(name: str, path: str, source: Unreadable) -> AgentReport:
    finding = Finding(topic=Topic.READ, path=path, line=source.line, column=source.column, message=source.reason)
    return AgentReport(name=name, path=path, kind=Kind.BROKEN, step=Step.MEND, findings=(finding,))


def _without_class(name: str, read: dict[str, Source]) -> AgentReport:
    for path, source in read.items():
        if is_service(source):
            return AgentReport(name=name, path=path, kind=Kind.SERVICE, step=Step.LEAVE)
    path, source = next(iter(read.items()))
    finding = Finding(topic=Topic.READ, path=path, message=_what_is_missing(source))
    return AgentReport(name=name, path=path, kind=Kind.UNKNOWN, step=Step.LOOK, findings=(finding,))


def _what_is_missing(source: Source) -> str:
    if not source.tree.body:
        return "is empty"
    doing = next((node for node in classes_of(source.tree) if does_tasks(node)), None)
    if doing is None:
        return "defines neither an agent's class nor an HTTP application"
    bases = ", ".join(ast.unparse(base) for base in doing.bases) or "object"
    return f"{doing.name} defines process_task, but its base {bases} is no agent's that could be found"


def _looks_like_one(source: Source | Unreadable) -> bool:
    """Say whether a file that does not compile means to be an agent: then there is no tree to ask."""
    try:
        return isinstance(source, Unreadable) and b"process_task" in source.path.read_bytes()
    except OSError:
        return False
