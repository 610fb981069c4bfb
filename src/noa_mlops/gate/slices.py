"""A threshold in every slice of the rows: what is good on average must be good enough for each.

Where the plan asks for a confidence, each slice must clear its bound; that all of them do needs no correction for their
number (intersection-union). A slice fails when it is shown to be beyond the threshold, by Holm's procedure over the
slices of that threshold, so many slices do not fail a model by chance. Slices with too few rows, and those in which the
metric is not defined or cannot be bounded, are not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from noa_mlops.gate.certainty import advice, error_at, error_of, rows_to_decide
from noa_mlops.gate.finding import Finding, passed, undecided
from noa_mlops.gate.holm import shown
from noa_mlops.records.slices import Sliced, SliceValue, slice_name
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Violation

LISTED = 3
"""Slices that one message names, so that a decision on many thresholds still fits into a ledger line."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One metric in the rows that have one value of a column."""

    column: str
    value: SliceValue
    measured: Estimate

    @property
    def name(self) -> str:
        """What messages call it."""
        return slice_name(self.column, self.value)

    def too_small(self, threshold: Threshold) -> str | None:
        """Why it is not judged; None when it is."""
        if self.measured.rows < threshold.min_rows:
            return f"{self.name} has {self.measured.rows} of {threshold.min_rows} rows"
        problem = self.measured.unbounded
        return None if problem is None else f"{self.name} {problem}"

    def bounds(self, error: float) -> tuple[float, float]:
        """As of the measurement; infinite where nothing can be bounded."""
        return self.measured.bounds(error) or (-math.inf, math.inf)

    def said(self, error: float) -> str:
        """Value and bounds as messages show them."""
        lower, upper = self.bounds(error)
        return f"{self.measured.value:.4g} ({lower:.4g} .. {upper:.4g})"


def in_slices(threshold: Threshold, sliced: Mapping[str, Sliced], look: int) -> Iterator[Finding]:
    """What speaks against a challenger in the slices that ``threshold`` asks for."""
    found, lacking = slices_of(threshold, threshold.slices, sliced)
    yield from lacking
    judged, small = apart(threshold, found)
    yield from small
    error = family_error(threshold, look)
    levels = shown([partial(_misses, threshold, one) for one in judged], error)
    if levels:
        yield Finding(violation=_beyond(threshold, judged, levels))
    if threshold.confidence is not None:
        left = [one for place, one in enumerate(judged) if place not in levels]
        yield _unsure(threshold, [one for one in left if not threshold.surely_clears(one.bounds(error))], error)


def slices_of(
    threshold: Threshold, columns: Iterable[str], sliced: Mapping[str, Sliced]
) -> tuple[list[Slice], list[Finding]]:
    """The metric of ``threshold`` in every slice by ``columns``; and a finding for each column by which it was not measured."""
    found: list[Slice] = []
    lacking: list[Finding] = []
    for column in columns:
        measured = sliced.get(column)
        estimates = () if measured is None else measured.metrics.get(threshold.metric, ())
        if measured is None or not estimates:
            lacking.append(undecided(f"{threshold.metric}: was not measured by {column}"))
        else:
            found += [Slice(column, *pair) for pair in zip(measured.values, estimates, strict=True)]
    return found, lacking


def apart(threshold: Threshold, slices: Iterable[Slice]) -> tuple[list[Slice], list[Finding]]:
    """The slices that can be judged, and one finding that names the others, if there are any."""
    judged: list[Slice] = []
    small: list[str] = []
    for one in slices:
        problem = one.too_small(threshold)
        judged, small = ([*judged, one], small) if problem is None else (judged, [*small, problem])
    if not small:
        return judged, []
    return judged, [tolerated(threshold, f"{threshold.metric}: not judged: {_listed(small)}")]


def tolerated(threshold: Threshold, reason: str) -> Finding:
    """A finding about slices that are too small: undecided, unless the plan lets that pass with a note."""
    return Finding(noted=reason) if threshold.on_small_slice == "warn" else undecided(reason)


def family_error(threshold: Threshold, look: int) -> float:
    """The error that all slices of a threshold share at a look."""
    return error_at(look) if threshold.confidence is None else error_of(threshold.confidence, look)


def _misses(threshold: Threshold, one: Slice, level: float) -> bool:
    return threshold.surely_misses(one.bounds(level))


def _beyond(threshold: Threshold, judged: Sequence[Slice], levels: Mapping[int, float]) -> Violation:
    """One violation for all slices that are shown to be beyond the threshold, the worst first."""
    order = sorted(levels, key=lambda place: threshold.room(judged[place].measured.value or 0.0))
    said = _listed([f"{judged[place].name}: {judged[place].said(levels[place])}" for place in order])
    reason = f"{said}: shown beyond it, {len(levels)} of {len(judged)} slices judged"
    return Violation(threshold, judged[order[0]].measured.value, reason)


def _unsure(threshold: Threshold, slices: Sequence[Slice], error: float) -> Finding:
    """One finding for all slices that do not clear the threshold."""
    if not slices:
        return passed()
    said = []
    for one in slices:
        rows = rows_to_decide(one.measured, threshold.room(one.measured.value or 0.0), error)
        said.append(f"{one.name}: {one.said(error)}: {advice(rows)}")
    return undecided(f"{threshold}: {_listed(said)}")


def _listed(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - LISTED} more" if parts[LISTED:] else ""
    return "; ".join(parts[:LISTED]) + more
