"""The changes of a plan, made in the concrete syntax: everything that they do not touch stays as it is written."""

from typing import Final, cast

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from agents.core.migration.rewrite.asking import ROOTS
from agents.core.migration.rewrite.plan import Plan
from agents.core.migration.rewrite.statements import (
    DECORATOR,
    NEW_BASE,
    config_text,
    line_of,
    name_text,
    replaced,
    takes_base,
    with_init,
)

_TIGHT: Final = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
_SHARED_INIT: Final = "the call of the base's __init__ shares its line with something: give it a line of its own"
_SHARED_LINE: Final = "the import of the base shares its line with something: give it a line of its own"


class CannotChange(Exception):
    """The layout of the file is one that the changes do not fit into. The text says why; `line` is where."""

    def __init__(self, reason: str, line: int) -> None:
        self.line = line
        super().__init__(reason)


def changed(content: bytes, plan: Plan) -> bytes:
    """Return the file with the changes of its plan.

    Raises:
        CannotChange: an import of the base shares its line, or a query stands in an f-string that tells its own text.
        libcst.ParserSyntaxError: LibCST cannot read the file, though Python can.
    """
    return MetadataWrapper(cst.parse_module(content), unsafe_skip_copy=True).visit(_Changes(plan)).bytes


class _Changes(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (ParentNodeProvider, PositionProvider)

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self._scopes: list[cst.ClassDef | cst.FunctionDef] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.ClassDef() | cst.FunctionDef():
                self._scopes.append(node)
            case cst.SimpleStatementSuite() if self._takes_base(node):
                raise self._cannot(_SHARED_LINE, node)
            case cst.SimpleStatementSuite() if self._begins_with_config(node):
                raise self._cannot(_SHARED_INIT, node)
        return True

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        # A call becomes an await and a line two lines, which this signature of LibCST's cannot say.
        return cast("cst.CSTNodeT", self._left(original_node, updated_node))

    def _left(
        self, original: cst.CSTNode, updated: cst.CSTNode
    ) -> cst.CSTNode | cst.FlattenSentinel[cst.SimpleStatementLine]:
        match original, updated:
            case cst.ClassDef(), cst.ClassDef():
                self._scopes.pop()
                return self._class(updated)
            case cst.FunctionDef(), cst.FunctionDef():
                self._scopes.pop()
                return self._function(updated)
            case cst.SimpleStatementLine(), cst.SimpleStatementLine():
                return self._statement(original, updated)
            case cst.Call(), cst.Call():
                return self._call(original, updated)
            case cst.Name() | cst.Attribute(), cst.Name() | cst.Attribute() if self._is_base(original):
                return cst.Name(NEW_BASE, lpar=updated.lpar, rpar=updated.rpar)
        return updated

    def _statement(
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.SimpleStatementLine]:
        if self._takes_base(original):
            if len(original.body) > 1:
                raise self._cannot(_SHARED_LINE, original)
            return replaced(updated, self._plan)
        return self._with_config(original, updated) if self._begins_with_config(original) else updated

    def _class(self, node: cst.ClassDef) -> cst.ClassDef:
        if self._scopes or node.name.value not in self._plan.made_inits:
            return node
        if not isinstance(node.body, cst.IndentedBlock):
            raise CannotChange(f"{node.name.value} is written on one line: give its body lines of its own", 1)
        return node.with_changes(body=with_init(node.body, self._plan))

    def _function(self, function: cst.FunctionDef) -> cst.FunctionDef:
        name = function.name.value
        owner = self._scopes[-1] if self._scopes else None
        member = owner.name.value if isinstance(owner, cst.ClassDef) and self._is_member(owner) else None
        asks = name in self._plan.asking.methods if member else owner is None and name in self._plan.asking.functions
        if asks and function.asynchronous is None:
            function = function.with_changes(asynchronous=cst.Asynchronous())
        if name == "process_task" and member and self._plan.keeps_ways:
            decorators = [cst.Decorator(cst.Name(DECORATOR)), *function.decorators]
            function = function.with_changes(decorators=decorators)
        return function

    def _call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        if self._is_base_init(original):
            return self._adapted(original, updated)
        parent = self.get_metadata(ParentNodeProvider, original)
        if not self._asks(original.func) or isinstance(parent, cst.Await):
            return updated
        self._must_not_tell_its_text(original)
        return _awaited(updated, is_inner=_is_inner(original, parent))

    def _asks(self, func: cst.BaseExpression) -> bool:
        """Say what Asking.named_by says of the same expression in the other tree."""
        if isinstance(func, cst.Name):
            return func.value in self._plan.asking.functions
        if not isinstance(func, cst.Attribute) or func.attr.value not in self._plan.asking.methods:
            return False
        return func.attr.value in ROOTS or self._is_agent(func.value)

    def _is_agent(self, owner: cst.BaseExpression) -> bool:
        family = self._plan.family
        is_own = any(isinstance(scope, cst.ClassDef) and self._is_member(scope) for scope in self._scopes[:1])
        if isinstance(owner, cst.Name) and owner.value in ("self", "cls"):
            return is_own
        if isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name):
            return is_own if owner.func.value == "super" else owner.func.value in family.members
        return isinstance(owner, cst.Name) and owner.value in {*family.members, *family.instances}

    def _is_member(self, node: cst.ClassDef) -> bool:
        return self._scopes[0] is node and node.name.value in self._plan.family.members

    def _is_base_init(self, call: cst.Call) -> bool:
        is_init = isinstance(call.func, cst.Attribute) and call.func.attr.value == "__init__"
        return is_init and self._line(call) in self._plan.init_lines

    def _adapted(self, original: cst.Call, call: cst.Call) -> cst.Call:
        args = list(call.args)
        place = _config_argument(original)
        if place is not None:
            value = cst.Name("None") if self._plan.has_config else args[place].value
            args[place] = args[place].with_changes(keyword=cst.Name("config_path"), equal=_TIGHT, value=value)
        elif self._plan.has_config:
            args.append(cst.Arg(cst.Name("None"), keyword=cst.Name("config_path"), equal=_TIGHT))
        named = {arg.keyword.value for arg in args if arg.keyword is not None}
        if self._plan.is_lonely and "max_concurrent_tasks" not in named:
            args.append(cst.Arg(cst.Integer("1"), keyword=cst.Name("max_concurrent_tasks"), equal=_TIGHT))
        if self._plan.name and "name" not in named:
            value = cst.parse_expression(name_text(self._plan.name))
            args.append(cst.Arg(value, keyword=cst.Name("name"), equal=_TIGHT))
        return call.with_changes(args=args)

    def _with_config(
        self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine
    ) -> cst.FlattenSentinel[cst.SimpleStatementLine]:
        if len(original.body) > 1:
            raise self._cannot(_SHARED_INIT, original)
        call = cst.ensure_type(cst.ensure_type(original.body[0], cst.Expr).value, cst.Call)
        place = _config_argument(call)
        path = "" if place is None else cst.Module([]).code_for_node(call.args[place].value)
        return cst.FlattenSentinel([updated, line_of(config_text(path))])

    def _takes_base(self, line: cst.SimpleStatementLine | cst.SimpleStatementSuite) -> bool:
        return any(takes_base(statement, self._plan.base.modules) for statement in line.body)

    def _begins_with_config(self, line: cst.SimpleStatementLine | cst.SimpleStatementSuite) -> bool:
        calls = (small.value for small in line.body if isinstance(small, cst.Expr))
        return self._plan.has_config and any(isinstance(call, cst.Call) and self._is_base_init(call) for call in calls)

    def _is_base(self, node: cst.Name | cst.Attribute) -> bool:
        if get_full_name_for_node(node) not in self._plan.base.spellings:
            return False
        match self.get_metadata(ParentNodeProvider, node):
            case cst.Attribute(attr=name) | cst.Arg(keyword=name) if name is node:
                return False
            case cst.Param(name=name) | cst.FunctionDef(name=name) | cst.ClassDef(name=name) if name is node:
                return False
            case cst.ImportAlias() | cst.AsName():
                return False
        return True

    def _must_not_tell_its_text(self, call: cst.Call) -> None:
        node: cst.CSTNode = call
        while not isinstance(node, cst.BaseStatement):
            if isinstance(node, cst.FormattedStringExpression) and node.equal is not None:
                raise self._cannot("a query stands in an f-string with `=`, which prints the code: ask before it", call)
            node = self.get_metadata(ParentNodeProvider, node)

    def _line(self, node: cst.CSTNode) -> int:
        return int(self.get_metadata(PositionProvider, node).start.line)

    def _cannot(self, reason: str, node: cst.CSTNode) -> CannotChange:
        return CannotChange(reason, self._line(node))


def _config_argument(call: cst.Call) -> int | None:
    """Return the place of the path to the agent's own file among the arguments of the base's `__init__`."""
    start = 0 if isinstance(call.func, cst.Attribute) and isinstance(call.func.value, cst.Call) else 1
    for place, arg in enumerate(call.args):
        is_named = arg.keyword is not None and arg.keyword.value == "config_path"
        if is_named or (place == start and arg.keyword is None):
            return place
    return None


def _awaited(call: cst.Call, *, is_inner: bool) -> cst.Await:
    """Return the call awaited; its own parentheses go around the whole, so that a line break in them stays allowed."""
    bare = call.with_changes(lpar=[], rpar=[])
    if call.lpar or not is_inner:
        return cst.Await(bare, lpar=call.lpar, rpar=call.rpar)
    return cst.Await(bare, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _is_inner(call: cst.Call, parent: cst.CSTNode) -> bool:
    """Say whether the call's value is used by what binds more tightly than `await`."""
    match parent:
        case cst.Attribute(value=value) | cst.Subscript(value=value) | cst.Call(func=value):
            return value is call
    return False
