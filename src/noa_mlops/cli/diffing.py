"""How the comparison of two datasets is told: rows, labels and slices first, then every column by how far it moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from noa_mlops.cli import drifting, output

if TYPE_CHECKING:
    from noa_mlops.audit.difference import Difference, Incident
    from noa_mlops.audit.label_rates import LabelRates
    from noa_mlops.datasets import Portion, RowDifference

MOST = 10
"""Labels, slices and changed columns that are shown of each; the others are counted."""


def tell(found: Difference, *, everything: bool) -> None:
    """A comparison for people, what changed most first."""
    before, now = (output.foreign(path) for path in found.paths)
    most = None if everything else MOST
    output.say(f"{drifting.verdict(found.report)}  {before} → {now}")
    output.say()
    if found.incident is not None:
        output.field("Incident", f"entry {found.incident.entry}, {found.incident.timestamp}")
    output.field("Rows", f"{found.report.rows[0]} → {found.report.rows[1]}")
    if found.rows is not None:
        _tell_rows(found.rows, most)
    if found.labels is not None:
        tell_labels(found.labels, most)
    if found.incident is not None:
        _tell_asked(found.incident)
    for note in found.notes:
        output.field("Note", output.foreign(note))
    output.say()
    drifting.tell(found.report, everything=everything)
    _tell_slices(found.slices, most)


def _tell_rows(matched: RowDifference, most: int | None) -> None:
    output.field(
        f"By {output.foreign(matched.key)}",
        f"{matched.added} added, {matched.removed} removed, {matched.changed} changed, {matched.same} the same",
    )
    for name, count in sorted(matched.by_column.items(), key=lambda item: (-item[1], item[0]))[:most]:
        output.field("", f"{output.foreign(name)} changed in {count}")


def tell_labels(labels: LabelRates, most: int | None) -> None:
    """The labels before and now."""
    name = output.foreign(labels.target)
    if labels.medians is not None:
        output.field("Labels", f"{name}, median {labels.medians[0]:.4g} → {labels.medians[1]:.4g}")
    for place, (label, before, now) in enumerate(labels.rates[:most]):
        output.field("" if place else "Labels", f"{name} {output.foreign(label[:40])}: {before:.1%} → {now:.1%}")
    if any(labels.unlabelled):
        output.field("", f"without a label {labels.unlabelled[0]} → {labels.unlabelled[1]} rows")


def _tell_asked(incident: Incident) -> None:
    """What was recorded of asking the champion: by the labels, and by its own probabilities."""
    if incident.labels is not None:
        drifting.tell_metrics(incident.labels, "Metrics")
    for name, expected in incident.estimated.items():
        value, then = output.number(expected["estimated"]), output.number(expected["then"])
        output.field("Estimated", output.foreign(f"{name} {value}, was {then}: by its own probabilities"))


def _tell_slices(slices: Sequence[Portion], most: int | None) -> None:
    if not slices:
        return
    output.say()
    rows = [(output.foreign(one.name), *(f"{share:.1%}" for share in one.shares)) for one in slices[:most]]
    output.table(rows, ("slice", "before", "now"))
    if left := len(slices) - len(rows):
        output.say(f"{left} more changed less: --all shows them")
