"""Statements of the concrete syntax that the rewrite puts in: imports, and the `__init__` of a class that has none."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import libcst as cst
from libcst.helpers import get_full_name_for_node

from agents.core.migration.rewrite.plan import Plan

NEW_BASE: Final = "BaseAgentV2"
DECORATOR: Final = "as_v1"
CONFIG: Final = "v1_config"
NAME: Final = "v1_name"


def takes_base(statement: cst.BaseSmallStatement, modules: AbstractSet[str]) -> bool:
    """Say whether a statement imports one of the modules of the v1 base, or something from it."""
    if not isinstance(statement, cst.Import | cst.ImportFrom):
        return False
    return len(_kept(statement, modules)) < len(_aliases(statement))


def replaced(line: cst.SimpleStatementLine, plan: Plan) -> cst.FlattenSentinel[cst.SimpleStatementLine]:
    """Return the lines that stand for one whose only statement takes the base. Its comments stay at the first."""
    [statement] = (small for small in line.body if isinstance(small, cst.Import | cst.ImportFrom))
    kept = _kept(statement, plan.base.modules)
    lines = [line_of(text) for text in _imports(plan)]
    if kept:
        last = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        lines.insert(0, cst.SimpleStatementLine([statement.with_changes(names=[*kept[:-1], last])]))
    first = line.with_changes(body=lines[0].body)
    return cst.FlattenSentinel([first, *lines[1:]])


def with_init(body: cst.IndentedBlock, plan: Plan) -> cst.IndentedBlock:
    """Return the body of a class with an `__init__` as v1's was, below its docstring."""
    lonely = ", max_concurrent_tasks=1" if plan.is_lonely else ""
    name = f", name={name_text(plan.name)}" if plan.name else ""
    lines = ['def __init__(self, config_path="/app/config.json"):']
    path = "None" if plan.has_config else "config_path"
    lines += [f"    super().__init__(config_path={path}{lonely}{name})"]
    lines += [f"    {config_text('config_path')}"] * plan.has_config
    made = cst.parse_statement("\n".join(lines))
    start = 1 if _is_docstring(body.body[0]) else 0
    rest = [body.body[start].with_changes(leading_lines=[cst.EmptyLine(indent=False)])] if body.body[start:] else []
    made = made.with_changes(leading_lines=[cst.EmptyLine(indent=False)] * start)
    return body.with_changes(body=[*body.body[:start], made, *rest, *body.body[start + 1 :]])


def config_text(path: str) -> str:
    """Return the statement that reads the agent's own file."""
    return f"self.config = {CONFIG}({path})"


def name_text(name: str) -> str:
    """Return the expression for what the agent was called so far."""
    return f'{NAME}("{name}")'


def line_of(text: str) -> cst.SimpleStatementLine:
    """Return a statement that is written on one line."""
    return cst.ensure_type(cst.parse_statement(text), cst.SimpleStatementLine)


def _imports(plan: Plan) -> list[str]:
    kept = ((DECORATOR, plan.keeps_ways), (CONFIG, plan.has_config), (NAME, plan.name))
    ways = [name for name, is_used in kept if is_used]
    return [f"from agents import {NEW_BASE}"] + [f"from agents.core.migration.v1 import {', '.join(ways)}"] * bool(ways)


def _is_docstring(statement: cst.BaseStatement) -> bool:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString())]):
            return True
    return False


def _kept(statement: cst.Import | cst.ImportFrom, modules: AbstractSet[str]) -> Sequence[cst.ImportAlias]:
    front = ""
    if isinstance(statement, cst.ImportFrom):
        named = (get_full_name_for_node(statement.module) or "") if statement.module else ""
        module = "." * len(statement.relative) + named
        if module in modules:
            return []
        front = module if module.endswith(".") else f"{module}."
    return [alias for alias in _aliases(statement) if f"{front}{alias.evaluated_name}" not in modules]


def _aliases(statement: cst.Import | cst.ImportFrom) -> Sequence[cst.ImportAlias]:
    return () if isinstance(statement.names, cst.ImportStar) else statement.names
