"""How notebooks show a record: a heading and a table; everything foreign is escaped, nothing is fetched or run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_COLOURS = {"champion": "#1a7f37", "rejected": "#cf222e", "failed": "#cf222e"}
_CELL = "style='text-align:left;padding:2px 12px 2px 0'"


def verdict_html(what: tuple[str, str], told: Iterable[str], table: str, evidence: str) -> str:
    """A state, in its colour, and an address; sentences; a table that is HTML already; where the evidence is."""
    state, address = what
    sentences = "".join(f"<div>{escape(text)}</div>" for text in told)
    return (
        f"<div><strong style='color:{_COLOURS.get(state, '#9a6700')}'>{escape(state.upper())}</strong> "
        f"{escape(address)}{sentences}{table}<div>{escape(evidence)}</div></div>"
    )


def table_html(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is escaped."""
    head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td {_CELL}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def metric_text(value: float | None) -> str:
    """A metric for people; one that could not be computed is none."""
    return "none" if value is None else f"{value:.4g}"
