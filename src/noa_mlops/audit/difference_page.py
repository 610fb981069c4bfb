"""The comparison of two datasets as a page: what `noa diff` says, with its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noa_mlops.audit import drawing
from noa_mlops.audit.pages import facts, number, page, table, written

if TYPE_CHECKING:
    from noa_mlops.audit.difference import Difference, Incident
    from noa_mlops.audit.label_rates import LabelRates
    from noa_mlops.datasets import Portion, RowDifference

MOST = 100
"""Labels, slices and changed columns that a page lists of each, which keeps it below 300 kB."""


def difference_page(found: Difference) -> str:
    """The page of a comparison."""
    before, now = (written(path) for path in found.paths)
    parts = [
        facts(_standing(found.incident)),
        *(f"<p class=inconclusive>{written(note)}</p>" for note in found.notes),
        *_rows(found.rows),
        *labels_parts(found.labels),
        *_metrics(found.incident),
        *_slices(found.slices),
    ]
    return page(f"{before} → {now}", found.report, "\n".join(parts), drawing.STYLE)


def _standing(incident: Incident | None) -> Iterator[tuple[str, str]]:
    if incident is not None:
        yield "incident", f"entry {incident.entry} of {written(incident.lifecycle_id)}, {written(incident.timestamp)}"
        yield "its report", f"<code>{written(incident.report)}</code>"


def _rows(matched: RowDifference | None) -> Iterator[str]:
    if matched is None:
        return
    yield (
        f"<p>By <b>{written(matched.key)}</b>: {matched.added} rows added, {matched.removed} removed,"
        f" {matched.changed} changed, {matched.same} the same.</p>"
    )
    ordered = sorted(matched.by_column.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    if ordered:
        yield table(("column", "changed in rows"), ((written(name), str(count)) for name, count in ordered))


def labels_parts(labels: LabelRates | None) -> Iterator[str]:
    """The labels before and now, as parts of a page."""
    if labels is None:
        return
    yield f"<h2>Labels: {written(labels.target)}</h2>"
    if labels.medians is not None:
        yield f"<p>Median {number(labels.medians[0])} before, {number(labels.medians[1])} now.</p>"
    if labels.rates:
        yield _shares("label", [(name, (before, now)) for name, before, now in labels.rates[:MOST]])
    if any(labels.unlabelled):
        yield f"<p class=few>Without a label: {labels.unlabelled[0]} rows before, {labels.unlabelled[1]} now.</p>"


def _metrics(incident: Incident | None) -> Iterator[str]:
    """What was recorded of asking the champion: by its own probabilities, and by the labels of the scan."""
    if incident is None:
        return
    if incident.estimated:
        yield "<h2>The champion, by its own probabilities</h2><p class=few>Estimated: it clears nothing.</p>"
        rows = (
            (written(name), number(one["then"]), number(one["estimated"])) for name, one in incident.estimated.items()
        )
        yield table(("metric", "was", "estimated"), rows)
    if incident.labels is None:
        return
    yield "<h2>The champion, measured on the labels of the scan</h2>"
    if incident.labels["problem"] is not None:
        yield f"<p>It could not be measured: {written(incident.labels['problem'])}</p>"
    yield table(("metric", "was", "now", "interval", "", "may drop", ""), map(_metric, incident.labels["metrics"]))


def _metric(metric: Mapping[str, Any]) -> Sequence[str]:
    bounds, then = metric["bounds"], metric["then"]
    between = "" if bounds is None else f"<span class=ends>{' .. '.join(map(number, bounds))}</span>"
    found = {"value": metric["now"], "interval": bounds}
    picture = drawing.interval(f"{metric['metric']} now, beside what it was", found, () if then is None else (then,))
    name, why = written(metric["metric"]), written(metric["why"])
    return name, number(then), number(metric["now"]), between, picture, number(metric["allowed"]), why


def _slices(slices: Sequence[Portion]) -> Iterator[str]:
    if slices:
        yield "<h2>Slices</h2>"
        yield _shares("slice", [(portion.name, portion.shares) for portion in slices[:MOST]])
    if len(slices) > MOST:
        yield f"<p class=few>{len(slices) - MOST} more changed less.</p>"


def _shares(what: str, found: Sequence[tuple[str, tuple[float, float]]]) -> str:
    rows = (
        (written(name), f"{shares[0]:.1%}", f"{shares[1]:.1%}", drawing.before_and_now(name, shares))
        for name, shares in found
    )
    return table((what, "share before", "now", ""), rows)
