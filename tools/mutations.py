"""Small wrongs that can be put into a source file, one at a time: what a test worth its name should notice.

Left alone is what is no behaviour: docstrings, annotations and type aliases, blocks for type checkers, ``__all__``, and text
for people, which is every string with a blank in it. Whatever else is a comparison, a condition, a number, a word, an
operator, a result, or a statement that could be missing is changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

Place = tuple[ast.AST, str, int | None]
"""A node, the name of a field of it, and which one of it where the field is a list."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

_TWINS: Sequence[tuple[type[ast.AST], type[ast.AST]]] = (
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
    *((ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.LShift, ast.RShift), (ast.BitAnd, ast.BitOr)),
)
SWAPS: Mapping[type[ast.AST], type[ast.AST]] = {
    **dict(_TWINS),
    **{second: first for first, second in _TWINS},
    **dict.fromkeys((ast.FloorDiv, ast.Mod, ast.Pow), ast.Mult),
    ast.BitXor: ast.BitAnd,
}
"""Operators, each with the one that takes its place."""

NAMES: Mapping[str, str] = {"any": "all", "all": "any", "min": "max", "max": "min"}
"""Functions, each with its opposite."""

PLAIN = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons whose swap is their negation."""

IDLE = frozenset({"annotation", "returns", "format_spec", "type_params"})
"""Fields that say what something is or how it is shown, not what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change to ``file``, a module that was parsed as ``tree``: put ``new`` in ``place``.

    ``function`` is the outermost function in whose body it is, None where it shows when the module is loaded. Its
    ``lines`` are those of the statement; ``names`` are what that statement defines.
    """

    file: Path
    tree: ast.Module
    place: Place
    new: ast.AST
    change: str
    lines: range
    function: Function | None
    names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}:{self.lines[0]}: {self.change}"

    def source(self) -> ast.Module:
        """The module with the change in it, for good: ask in a process of its own."""
        _put(self.place, self.new)
        return ast.fix_missing_locations(self.tree)


def mutants(file: Path) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its lines."""
    tree = ast.parse(file.read_text())
    return _inside(partial(Mutant, file=file, tree=tree), tree, None, range(1, 2), frozenset())


def _inside(
    make: partial[Mutant], node: ast.AST, function: Function | None, lines: range, names: frozenset[str]
) -> Iterator[Mutant]:
    for place, child in _children(node):
        within, around, defined = function, lines, names
        if isinstance(child, ast.stmt | ast.match_case | ast.ExceptHandler):
            around = _header(child)
        if function is None:
            defined = names | _defined(child)
            if isinstance(node, Function) and place[1] == "body":
                within = node
        for where, new in _changes(place, child):
            change = f"{_said(where)} -> {_said(where, new)}"
            yield make(place=where, new=new, change=change, lines=around, function=within, names=defined)
        yield from _inside(make, child, within, around, defined)


def _children(node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    """What is below a node and has a behaviour."""
    for field, value in ast.iter_fields(node):
        if field in IDLE:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_idle(child):
                yield (node, field, index), child


def _is_idle(node: ast.AST) -> bool:
    match node:
        case ast.Expr(ast.Constant()) | ast.If(ast.Name("TYPE_CHECKING")) | ast.Import() | ast.ImportFrom():
            return True
        case ast.AnnAssign(annotation=ast.Name("TypeAlias")) | ast.Assign(targets=[ast.Name("__all__")]):
            return True
        case ast.Constant(str(text)):
            return " " in text
        case ast.JoinedStr(parts):
            return any(isinstance(part, ast.Constant) and " " in str(part.value) for part in parts)
        case _:
            return False


def _changes(place: Place, node: ast.AST) -> Iterator[tuple[Place, ast.AST]]:
    """The changes at a node itself, each as what is put where."""
    if type(node) in SWAPS:
        yield place, SWAPS[type(node)]()
    if isinstance(node, ast.stmt):
        yield from _statement_changes(place, node)
    if isinstance(node, ast.expr):
        if place[1] in ("test", "ifs", "guard") and not _is_plain(node):
            yield place, ast.UnaryOp(ast.Not(), node)
        yield from _expression_changes(place, node)


def _expression_changes(place: Place, node: ast.expr) -> Iterator[tuple[Place, ast.AST]]:
    match node:
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield place, operand
        case ast.Constant(bool(value)):
            yield place, ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield place, ast.Constant(value + 1)
        case ast.Constant(str(text)):
            yield place, ast.Constant(f"{text}~")
        case ast.Constant(bytes(data)):
            yield place, ast.Constant(data + b"~")
        case ast.Call(ast.Name(name)) if name in NAMES:
            yield (node, "func", None), ast.Name(NAMES[name], ast.Load())
        case _:
            pass


def _statement_changes(place: Place, node: ast.stmt) -> Iterator[tuple[Place, ast.AST]]:
    match node:
        case ast.Return(ast.Constant(None | True | False)):
            pass  # truth values are changed as such
        case ast.Return(ast.expr()):
            yield (node, "value", None), ast.Constant(None)
        case ast.Expr() if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)):
            yield place, ast.If(ast.Constant(value=False), [node], [])  # the function stays a generator
        case ast.Raise() | ast.Expr() | ast.AugAssign() | ast.Delete() | ast.Break() | ast.Continue():
            yield place, ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield place, ast.Pass()
        case _:
            pass


def _is_plain(test: ast.expr) -> bool:
    """Whether the negation of a condition is another one of its changes."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and isinstance(test.ops[0], PLAIN)
    return isinstance(test, ast.UnaryOp | ast.Constant)


def _header(node: ast.stmt | ast.match_case | ast.ExceptHandler) -> range:
    """The lines of a statement without those of the statements in it."""
    start = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
    body = getattr(node, "body", None)
    end = body[0].lineno - 1 if body else getattr(node, "end_lineno", None) or start
    return range(start, max(start, end) + 1)


def _defined(node: ast.AST) -> frozenset[str]:
    """The names that a statement of a module or a class defines."""
    match node:
        case ast.ClassDef(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            return frozenset({name})
        case ast.Assign() | ast.AnnAssign():
            stored = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))
            return frozenset(name.id for name in stored if isinstance(name.ctx, ast.Store))
        case _:
            return frozenset()


def _said(place: Place, new: ast.AST | None = None) -> str:
    """How the code at a place reads, with ``new`` in it."""
    node, field, index = place
    held = getattr(node, field)
    old = held if index is None else held[index]
    shown = old if isinstance(old, ast.expr | ast.stmt) else node
    if new is not None:
        _put(place, new)
        shown = new if shown is old else node
    text = "(removed)" if isinstance(shown, ast.Pass | ast.If) and new is shown else ast.unparse(shown)
    _put(place, old)
    return re.sub(r"\s+", " ", text)[:70]


def _put(place: Place, new: ast.AST) -> None:
    node, field, index = place
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new
