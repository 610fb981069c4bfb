"""The comparison of two versions as a page: what `noa diff` says, with its pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noa_mlops.audit import drawing
from noa_mlops.audit.difference_page import labels_parts
from noa_mlops.audit.label_rates import label_rates
from noa_mlops.audit.pages import columns_parts, facts, frame, number, table, written

if TYPE_CHECKING:
    from noa_mlops.audit.measured_difference import Measured
    from noa_mlops.audit.version_difference import VersionDifference

HEADS = ("metric", "before", "interval", "now", "interval", "change", "improved row by row", "", "")
"""The columns of a table of metrics."""

MOST = 200
"""Slices that a page draws, which keeps it below 300 kB."""


def version_difference_page(found: VersionDifference) -> str:
    """The page of a comparison."""
    parts = [
        table(("", *map(written, found.names)), _standing(found)),
        *(f"<p class=inconclusive>{written(note)}</p>" for note in found.notes),
        *_plan(found),
        *_measured("Metrics", found.metrics),
        *_measured("Slices", found.slices),
        *_training(found),
    ]
    return frame(" → ".join(map(written, found.names)), parts, drawing.STYLE)


def _standing(found: VersionDifference) -> Iterator[Sequence[str]]:
    for field in ("state", "profile", "checksum", "plan_digest"):
        yield field.replace("_", " "), *(written(view[field] or "-") for view in found.views)
    for part in ("train", "evaluation"):
        yield f"{part} data", *map(_data, found.data(part))


def _data(reference: Mapping[str, Any] | None) -> str:
    if reference is None:
        return "-"
    return f"{written(reference['path'])}, {reference['rows']} rows, <code>{written(reference['fingerprint'])}</code>"


def _plan(found: VersionDifference) -> Iterator[str]:
    if found.plan is None:
        return
    yield "<h2>Plan</h2>"
    if not found.plan:
        yield "<p>Both plans say the same.</p>"
        return
    rows = ((written(one.field), *(_value(value) for value in (one.before, one.now))) for one in found.plan)
    yield table(("field", *map(written, found.names)), rows)


def _value(value: object) -> str:
    return "-" if value is None else f"<code>{written(json.dumps(value, ensure_ascii=False))}</code>"


def _measured(title: str, found: Sequence[Measured]) -> Iterator[str]:
    if not found:
        return
    yield f"<h2>{title}</h2>"
    yield table(HEADS, map(_row, found[:MOST]))
    if len(found) > MOST:
        yield f"<p class=few>{len(found) - MOST} more changed less.</p>"


def _row(one: Measured) -> Sequence[str]:
    sides = (cell for side in (one.before, one.now) for cell in (number(side["value"]), _ends(side["interval"])))
    picture = drawing.intervals(f"{one.name} before and now", (one.before, one.now))
    paired = (
        "" if one.improvement is None else f"{number(one.improvement['value'])} {_ends(one.improvement['interval'])}"
    )
    apart = "intervals apart" if one.intervals_apart else ""
    return written(one.name), *sides, number(one.change), paired, apart, picture


def _ends(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"<span class=ends>{' .. '.join(map(number, interval))}</span>"


def _training(found: VersionDifference) -> Iterator[str]:
    if found.training is None:
        return
    yield "<h2>Training data</h2>"
    yield facts([("rows", f"{found.training.rows[0]} before, {found.training.rows[1]} now")])
    yield from labels_parts(label_rates(found.training))
    yield from columns_parts(found.training)
