"""Pages for people: one file each, with its pictures inside, that loads nothing and runs nothing."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from noa_mlops.drift import ColumnDrift, DriftReport, Test

MOST = 60
"""Columns that a page draws, which keeps it below 200 kB."""

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--line:#ddd;--faint:#666;--bad:#a40000;--good:#1b6b1b;--unsure:#8a5a00;--was:#9db7d5;
--is:#c4552d;--mark:#2a5d9f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181b;--line:#3a3d42;--faint:#a0a4aa;--bad:#ff8a80;--good:#7fd08a;--unsure:#f0c060;
--was:#5f7fa6;--is:#e07a52;--mark:#8ab4f0}}
body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}.fail{color:var(--bad);font-weight:600}.pass{color:var(--good);font-weight:600}.inconclusive{color:var(--unsure);font-weight:600}
.few{color:var(--faint)}code{font-size:.85em;word-break:break-all}svg{display:block}.was{fill:var(--was)}.is{fill:var(--is);fill-opacity:.75}
"""
_WORDS = {"pass": "alike", "fail": "drifted", "inconclusive": "inconclusive"}


def scan_page(name: str, path: str, report: DriftReport) -> str:
    """The page of a scan of the champion ``name``."""
    return page(f"{escape(name)}: its training data → {escape(path)}", report)


def page(title: str, report: DriftReport, more: str = "", style: str = "") -> str:
    """The page of a scan; ``title`` and ``more`` are HTML, ``style`` is more CSS."""
    parts = [
        f"<p class={report.outcome}>{_WORDS[report.outcome].upper()}</p>",
        f"<p>{report.rows[0]} rows before, {report.rows[1]} now.</p>{more}",
        *columns_parts(report),
    ]
    return frame(title, parts, style)


def columns_parts(report: DriftReport) -> Iterator[str]:
    """What a scan found, column by column, as parts of a page."""
    if report.schema:
        yield f"<h2>Schema</h2><ul>{''.join(f'<li>{escape(str(change))}</li>' for change in report.schema)}</ul>"
    yield "<h2>Columns</h2><table><tr><th>column<th>what moved<th>effect<th>allowed<th>q<th>before and now</tr>"
    yield from (_row(column) for column in report.columns[:MOST])
    yield "</table>"
    if (left := len(report.columns) - MOST) > 0:
        yield f"<p class=few>{left} more columns moved less.</p>"
    yield from (f"<p class=few>{escape(note)}</p>" for note in report.notes)
    named = {"Reference": report.reference, "current": report.current, "report": report.digest}
    digests = ", ".join(f"{name} <code>{digest}</code>" for name, digest in named.items())
    yield f"<p class=few>Blue is before, red is now. {digests}</p>"


def frame(title: str, parts: Iterable[str], style: str = "") -> str:
    """A whole page, light or dark as its reader prefers; ``title`` and ``parts`` are HTML, ``style`` is more CSS."""
    head = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{title}</title><style>{_STYLE}{style}</style><h1>{title}</h1>",
    ]
    return "\n".join([*head, *(part for part in parts if part)]) + "\n"


def written(text: object) -> str:
    """Text that somebody else wrote, as HTML: markup is text, and every control character is made visible."""
    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text)))


def facts(told: Iterable[tuple[str, str]]) -> str:
    """Labels and what they say; the second of each is HTML."""
    rows = "".join(f"<tr><th scope=row>{label}</th><td>{said}</td></tr>" for label, said in told)
    return f"<table class=facts>{rows}</table>" if rows else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML."""
    head = "".join(f"<th scope=col>{name}</th>" if name else "<td></td>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table><tr>{head}</tr>{body}</table></div>"


def number(value: float | None) -> str:
    """A number in short that has all its digits in its value; HTML."""
    return "-" if value is None else f"<data value={value!r}>{value:.4g}</data>"


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
