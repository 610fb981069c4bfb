"""How the comparison of two versions is told: plans, data, and what was measured, what changed most first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noa_mlops.cli import diffing, drifting, output

if TYPE_CHECKING:
    from noa_mlops.audit.measured_difference import Measured
    from noa_mlops.audit.version_difference import VersionDifference

HEADS = 4
"""Columns of a table of metrics that are there though they are empty."""

WIDTH = 40
"""Characters of a value of a plan."""


def tell(found: VersionDifference, *, everything: bool) -> None:
    """A comparison for people."""
    from noa_mlops.audit.label_rates import label_rates

    most = None if everything else diffing.MOST
    before, now = found.views
    output.say(
        f"{found.names[0]} → {found.names[1]}   {output.status(before['state'])} → {output.status(now['state'])}"
    )
    output.say()
    for part in ("train", "evaluation"):
        _tell_data(part, *found.data(part))
    labels = None if found.training is None else label_rates(found.training)
    if labels is not None:
        diffing.tell_labels(labels, most)
    for note in found.notes:
        output.field("Note", output.foreign(note))
    _tell_plan(found, most)
    _tell_measured("metric", found.metrics, most)
    _tell_measured("slice", found.slices, most)
    if found.training is not None and found.training.reference != found.training.current:
        output.say()
        output.say(f"Training data: {drifting.verdict(found.training)}")
        drifting.tell(found.training, everything=everything)


def _tell_data(part: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> None:
    if before is None and now is None:
        return
    if before is not None and now is not None and before["fingerprint"] == now["fingerprint"]:
        said = f"{before['path']}   {before['rows']} rows, the same"
    else:
        said = " → ".join("none" if one is None else f"{one['path']} ({one['rows']} rows)" for one in (before, now))
    output.field(part.capitalize(), output.foreign(said))


def _tell_plan(found: VersionDifference, most: int | None) -> None:
    if found.plan is None:
        return
    if not found.plan:
        output.field("Plan", "both say the same")
        return
    output.say()
    rows = [(output.foreign(one.field), _value(one.before), _value(one.now)) for one in found.plan[:most]]
    output.table(rows, ("plan", *found.names))
    _tell_left(len(found.plan) - len(rows), "fields differ")


def _value(value: object) -> str:
    if value is None:
        return "-"
    text = output.foreign(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _tell_measured(what: str, found: Sequence[Measured], most: int | None) -> None:
    if not found:
        return
    rows = [
        (
            output.foreign(one.name),
            *(_side(side) for side in (one.before, one.now)),
            output.number(one.change),
            "" if one.improvement is None else _side(one.improvement),
            "intervals apart" if one.intervals_apart else "",
        )
        for one in found[:most]
    ]
    heads = (what, "before", "now", "change", "improved row by row", "")
    kept = [place for place in range(len(heads)) if place < HEADS or any(row[place] for row in rows)]
    output.say()
    output.table([[row[place] for place in kept] for row in rows], [heads[place] for place in kept])
    _tell_left(len(found) - len(rows), "changed less")


def _tell_left(left: int, how: str) -> None:
    if left > 0:
        output.say(f"{left} more {how}: --all shows them")


def _side(found: Mapping[str, Any]) -> str:
    ends, value = found["interval"], output.number(found["value"])
    return value if ends is None else f"{value} ({output.number(ends[0])} .. {output.number(ends[1])})"
