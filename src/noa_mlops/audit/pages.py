"""Pages for people: one file each, with its pictures inside, that loads nothing and runs nothing."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noa_mlops.audit.difference import Difference
    from noa_mlops.drift import ColumnDrift, DriftReport, Test

MOST = 60
"""Columns that a page draws, which keeps it below 200 kB."""

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
th{font-weight:600}.fail{color:#a40000;font-weight:600}.pass{color:#1b6b1b;font-weight:600}.inconclusive{color:#8a5a00;font-weight:600}
.few{color:#666}code{font-size:.85em;word-break:break-all}svg{display:block}.was{fill:#9db7d5}.is{fill:#c4552d;fill-opacity:.75}
"""
_WORDS = {"pass": "alike", "fail": "drifted", "inconclusive": "inconclusive"}


def difference_page(found: Difference) -> str:
    """The page of a comparison."""
    before, now = (escape(path) for path in found.paths)
    matched = ""
    if found.rows is not None:
        rows = found.rows
        matched = (
            f"<p>By <b>{escape(rows.key)}</b>: {rows.added} rows added, {rows.removed} removed, {rows.changed} changed,"
            f" {rows.same} the same.</p>"
        )
    return page(f"{before} → {now}", found.report, matched)


def scan_page(name: str, path: str, report: DriftReport) -> str:
    """The page of a scan of the champion ``name``."""
    return page(f"{escape(name)}: its training data → {escape(path)}", report)


def page(title: str, report: DriftReport, more: str = "") -> str:
    """The page of a scan; ``title`` and ``more`` are HTML."""
    schema = "".join(f"<li>{escape(str(change))}</li>" for change in report.schema)
    shown = report.columns[:MOST]
    left = len(report.columns) - len(shown)
    named = {"Reference": report.reference, "current": report.current, "report": report.digest}
    digests = ", ".join(f"{name} <code>{digest}</code>" for name, digest in named.items())
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>",
        f"<h1>{title}</h1><p class={report.outcome}>{_WORDS[report.outcome].upper()}</p>",
        f"<p>{report.rows[0]} rows before, {report.rows[1]} now.</p>{more}",
        f"<h2>Schema</h2><ul>{schema}</ul>" if schema else "",
        "<h2>Columns</h2><table><tr><th>column<th>what moved<th>effect<th>allowed<th>q<th>before and now</tr>",
        *(_row(column) for column in shown),
        "</table>",
        f"<p class=few>{left} more columns moved less.</p>" if left else "",
        "".join(f"<p class=few>{escape(note)}</p>" for note in report.notes),
        f"<p class=few>Blue is before, red is now. {digests}</p>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _row(column: ColumnDrift) -> str:
    name = escape(column.name) + (" <span class=few>(label)</span>" if column.is_label else "")
    cells = [
        "<br>".join(_test_word(column, test) for test in column.tests),
        "<br>".join(f"{test.effect:.3g}" for test in column.tests),
        "<br>".join(f"{test.margin:g}" for test in column.tests),
        "<br>".join(f"{test.q:.2g}" for test in column.tests),
    ]
    return f"<tr><td>{name}<td>{'<td>'.join(cells)}<td>{picture(column)}</tr>"


def _test_word(column: ColumnDrift, test: Test) -> str:
    if test.drifted:
        return f"<span class=fail>{test.subject}: drifted</span>"
    if column.insufficient:
        return f"<span class=few>{test.subject}: too few rows</span>"
    return test.subject


def picture(column: ColumnDrift) -> str:
    """Two overlaid bars for each bin or category, as SVG."""
    before, now = column.picture
    top = max((*before, *now), default=0.0)
    if top <= 0:
        return ""
    width = 18
    bars = []
    for place, (was, is_now) in enumerate(zip(before, now, strict=True)):
        label = escape(column.labels[place][:40])
        bars.append(f"<g><title>{label}: {was:.1%} before, {is_now:.1%} now</title>")
        for name, share, left, wide in (("was", was, 0, 14), ("is", is_now, 4, 6)):
            high = round(44 * share / top, 1)
            bars.append(f"<rect class={name} x={place * width + left} y={48 - high:g} width={wide} height={high:g} />")
        bars.append("</g>")
    return f"<svg width={len(before) * width} height=48 role=img>{''.join(bars)}</svg>"
