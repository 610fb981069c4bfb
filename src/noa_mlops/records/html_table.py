"""Small tables in HTML, as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_CELL = "style='text-align:left;padding:2px 12px 2px 0'"


def table_html(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is escaped."""
    head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td {_CELL}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def number(value: float | None) -> str:
    """A metric for people; one that could not be computed is none."""
    return "none" if value is None else f"{value:.4g}"
