"""How a comparison of data is told: the columns that moved most first, in words and small pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import output

if TYPE_CHECKING:
    from noa_mlops.drift import ColumnDrift, DriftReport, Test

STEPS = "▁▂▃▄▅▆▇█"
"""The heights of a picture's bars."""

QUIET = 8
"""Columns that did not drift which are shown; the others are counted."""


def tell(report: DriftReport, *, everything: bool = False) -> None:
    """Schema, then columns by effect, then notes."""
    for change in report.schema:
        output.say(output.foreign(f"schema      {change}"))
    if report.schema:
        output.say()
    drifted = list(report.drifted)
    quiet = [column for column in report.columns if column.tests and not column.drifted]
    shown = drifted + (quiet if everything else quiet[:QUIET])
    if shown:
        output.table(
            [row for column in shown for row in _rows(column)], ("column", "what", "allowed", "", "before", "now")
        )
    if left := len(report.columns) - len(shown):
        output.say(f"{left} more moved less: --all shows them")
    for note in report.notes:
        output.field("Note", output.foreign(note))


def tell_metrics(labels: Mapping[str, Any], field: str) -> None:
    """What labels say of the champion, metric by metric, under the name ``field``; ``labels`` as a scan records it."""
    if labels["problem"] is not None:
        output.field(field, f"could not be asked: {output.foreign(labels['problem'])}")
    for metric in labels["metrics"]:
        bounds = metric["bounds"]
        between = "" if bounds is None else f" ({bounds[0]:.4g} .. {bounds[1]:.4g})"
        now, then = output.number(metric["now"]), output.number(metric["then"])
        said = f"{metric['metric']} {now}{between}, was {then}, may drop {metric['allowed']:.3g}: {metric['why']}"
        output.field(field, output.foreign(said))


def verdict(report: DriftReport) -> str:
    """The verdict as a word, coloured on a terminal."""
    word = {"pass": "alike", "fail": "drifted", "inconclusive": "inconclusive"}[report.outcome]
    if os.environ.get("NO_COLOR"):
        return word.upper()
    colour = {"pass": "green", "fail": "red"}.get(report.outcome, "yellow")
    return click.style(word.upper(), fg=colour, bold=True)


def _rows(column: ColumnDrift) -> list[tuple[str, ...]]:
    """One line for each drift of a column, or one for its largest effect."""
    tests = [test for test in column.tests if test.drifted] or [max(column.tests, key=lambda test: test.margins)]
    name = output.foreign(column.name) + (" (label)" if column.is_label else "")
    rows = []
    for place, test in enumerate(tests):
        pictures = [bars(side) for side in column.picture] if place == 0 else ["", ""]
        words = _word(column, test)
        rows.append((name if place == 0 else "", moved(column, test), _allowed(test), words, *pictures))
    return rows


def moved(column: ColumnDrift, test: Test) -> str:
    """An effect in words."""
    match test.subject:
        case "missing":
            before, now = (lost / max(1, rows) for lost, rows in zip(column.missing, column.rows, strict=True))
            return f"missing {before:.1%} → {now:.1%}"
        case "new categories":
            names = ", ".join(output.foreign(name[:20]) for name in column.new_categories[:3])
            return f"{column.new_share:.1%} in new categories {names}".rstrip()
        case "length":
            return f"length of texts moved {test.effect:.2f} of its spread"
        case "joint":
            return f"a classifier tells rows apart: area {0.5 + test.effect:.3f}"
        case _:
            return _values(column, test)


def _values(column: ColumnDrift, test: Test) -> str:
    if column.medians is None:
        gained = f", most to {output.foreign(test.direction[:20])}" if test.direction else ""
        return f"{test.effect:.1%} of mass moved{gained}"
    before, now = column.medians
    middle = "" if column.kind == "time" else f", median {before:.4g} → {now:.4g}"
    return f"moved {test.effect:.2f} of its spread{middle}"


def _allowed(test: Test) -> str:
    if test.subject == "joint":
        return f"{0.5 + test.margin:.2f}"
    return f"{test.margin:.2f}" if test.subject in {"length", "values"} else f"{test.margin:.0%}"


def _word(column: ColumnDrift, test: Test) -> str:
    if test.drifted:
        return "drifted" if column.gates else "drifted, not gated"
    if column.insufficient:
        return "too few rows"
    return "chance" if test.margins >= 1 else ""


def bars(shares: tuple[float, ...]) -> str:
    """A picture of shares: the tallest bar is the largest share."""
    top = max(shares, default=0.0)
    return "" if top <= 0 else "".join(STEPS[min(7, int(share / top * 8))] for share in shares)
