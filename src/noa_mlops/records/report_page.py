"""A report as a notebook shows it: the verdict first, then metrics beside thresholds; everything foreign is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from noa_mlops.records.threshold_text import threshold_text

if TYPE_CHECKING:
    from noa_mlops.records.report import PipelineReport

_COLOURS = {"champion": "#1a7f37", "rejected": "#cf222e", "failed": "#cf222e"}
_CELL = "style='text-align:left;padding:2px 12px 2px 0'"


def report_line(report: PipelineReport) -> str:
    """One line of plain text: state, address, the metrics that were asked for, what speaks against the model."""
    asked = [f"{name} {number(report.metrics.get(name))} ({text})" for name, text in _asked(report)]
    return f"{report.state.upper()}  {report.address}   {', '.join([*asked, *_told(report)])}".rstrip()


def report_html(report: PipelineReport) -> str:
    """The report as HTML that fetches and runs nothing."""
    colour = _COLOURS.get(report.state, "#9a6700")
    told = "".join(f"<div>{escape(text)}</div>" for text in _told(report))
    return (
        f"<div><strong style='color:{colour}'>{escape(report.state.upper())}</strong> {escape(report.address)}{told}"
        f"{table_html(('metric', 'value', 'threshold'), _rows(report))}"
        f"<div>evidence: entry {report.entry}, isolation: {escape(str(report.isolation))}</div></div>"
    )


def table_html(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is escaped."""
    head = "".join(f"<th {_CELL}>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td {_CELL}>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def number(value: float | None) -> str:
    """A metric for people; one that could not be computed is none."""
    return "none" if value is None else f"{value:.4g}"


def _asked(report: PipelineReport) -> Iterator[tuple[str, str]]:
    yield from ((name, threshold_text(asked)) for name, asked in report.thresholds.items())


def _rows(report: PipelineReport) -> Iterator[tuple[str, str, str]]:
    """Metrics with a threshold first, as many others as fit a glance."""
    for name, asked in _asked(report):
        yield name, number(report.metrics.get(name)), asked
    for name in [name for name in report.metrics if name not in report.thresholds][:6]:
        yield name, number(report.metrics[name]), ""


def _told(report: PipelineReport) -> tuple[str, ...]:
    failure = () if report.failure is None else (f"{report.failure['cause']}: {report.failure['message']}",)
    missed = tuple(f"{violation['metric']}: {violation['reason']}" for violation in report.violations)
    reasons = (f"blocked: {', '.join(report.reasons)}",) if report.reasons else ()
    return (*failure, *reasons, *missed, *report.unsure, *report.notes)
