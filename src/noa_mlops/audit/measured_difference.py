"""What was measured of two versions, side by side: those that a threshold is about first, then what changed most."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from noa_mlops.records.documents import Json

Views: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Two versions as `noa show` prints them."""

SMALLEST = 1e-300
"""The width that an interval of none has."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of both versions, of all rows or of a slice; each side has ``value`` and ``interval``.

    ``improvement`` is the recorded one, row by row, where the first version was measured as champion beside the second.
    """

    name: str
    before: Mapping[str, Any]
    now: Mapping[str, Any]
    improvement: Mapping[str, Any] | None = None

    @property
    def change(self) -> float | None:
        """By how much the value changed; None where one was not measured."""
        values = self.before["value"], self.now["value"]
        return None if None in values else values[1] - values[0]

    @property
    def effect(self) -> float:
        """The change in widths of the wider interval, by which the list is ordered; below 0 where that is not known."""
        widths = [ends[1] - ends[0] for ends in (self.before["interval"], self.now["interval"]) if ends is not None]
        if self.change is None or not widths:
            return -1.0
        return float(abs(self.change) / max(*widths, SMALLEST))

    @property
    def intervals_apart(self) -> bool | None:
        """Whether the two intervals have no number in common; None where one is missing."""
        first, second = self.before["interval"], self.now["interval"]
        if first is None or second is None:
            return None
        return bool(first[1] < second[0] or second[1] < first[0])

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        sides = (("before", self.before), ("now", self.now), ("improvement", self.improvement))
        told = {
            side: None if found is None else {"value": found["value"], "interval": found["interval"]}
            for side, found in sides
        }
        return {"name": self.name, **told, "change": self.change, "intervals_apart": self.intervals_apart}


def measured_metrics(views: Views) -> tuple[Measured, ...]:
    """Every metric that one of them has."""
    before, now = (view.get("evaluation", {}).get("estimates", {}) for view in views)
    asked = [view.get("decision", {}).get("thresholds", {}) for view in views]
    return _ranked(_paired(before, now, _improvements(views)), asked)


def measured_slices(views: Views) -> tuple[Measured, ...]:
    """Every metric in every slice that one of them has."""
    before, now = (dict(_cells(view)) for view in views)
    return _ranked(_paired(before, now))


def _paired(
    before: Mapping[str, Mapping[str, Any]],
    now: Mapping[str, Mapping[str, Any]],
    beside: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Measured]:
    for name in dict.fromkeys((*now, *before)):
        yield Measured(name, before.get(name, _NOTHING), now.get(name, _NOTHING), (beside or {}).get(name))


def _improvements(views: Views) -> Mapping[str, Mapping[str, Any]]:
    """What the second version improved, when the first was the champion that it was measured beside."""
    before, champion = views[0], views[1].get("evaluation", {}).get("champion")
    if champion is None or (before["lifecycle_id"], before["version"]) != (
        views[1]["lifecycle_id"],
        champion["version"],
    ):
        return {}
    found: Mapping[str, Mapping[str, Any]] = champion["improvements"]
    return found


_NOTHING: Mapping[str, Any] = {"value": None, "interval": None}
"""What is known of a metric that was not measured."""


def _cells(view: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each measurement in a slice, by metric and slice."""
    for by in view.get("evaluation", {}).get("by_slice", ()):
        for metric, cells in by["metrics"].items():
            yield from ((f"{metric}, {name}", cell) for name, cell in zip(by["slices"], cells, strict=True))


def _ranked(found: Iterator[Measured], asked: Sequence[Container[str]] = ()) -> tuple[Measured, ...]:
    """Those that a threshold is about first, and then what changed most."""
    return tuple(sorted(found, key=lambda one: (not any(one.name in names for names in asked), -one.effect, one.name)))
