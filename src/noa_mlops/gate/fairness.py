"""Fairness: how far a metric may differ between any two groups of the rows.

The difference of two groups, and the smaller value less the allowed share of the greater one, are held against zero. Their
bounds are made of those of each group, squared and added: for proportions method 10 of Newcombe 1998, for any other
metric and for ratios the same idea (Zou and Donner 2008). Where rows are grouped, one group of dependent rows may
lie on both sides; then the reaches are added without squaring, which holds whatever the dependence.

Where the plan asks for a confidence, every pair must clear its bound, so the worst pair does too, and no correction for
their number is needed. A pair fails when the violation is shown, by Holm's procedure over all pairs, both ways round.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import permutations

from noa_mlops.gate.certainty import advice, rows_to_decide
from noa_mlops.gate.finding import Finding, passed, undecided
from noa_mlops.gate.holm import shown
from noa_mlops.gate.slices import Slice, apart, family_error, slices_of, tolerated
from noa_mlops.records.fairness import Fairness
from noa_mlops.records.slices import Slicing
from noa_mlops.records.spread import Moments
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Violation


@dataclass(frozen=True, slots=True)
class Pair:
    """Two groups, the first of which is suspected to have the greater value, and the rule between them."""

    greater: Slice
    smaller: Slice
    rule: Fairness
    dependent: bool

    @property
    def excess(self) -> float:
        """By how much the pair is beyond the rule; below zero when it keeps it."""
        greater, smaller = _value(self.greater), _value(self.smaller)
        if self.rule.min_ratio is not None:
            return self.rule.min_ratio * greater - smaller
        return greater - smaller - (self.rule.max_difference or 0.0)

    @property
    def apart(self) -> float:
        """What the rule is about: the difference, or the ratio of the smaller to the greater value."""
        greater, smaller = _value(self.greater), _value(self.smaller)
        if self.rule.min_ratio is None:
            return greater - smaller
        return smaller / greater if greater > 0 else 1.0

    def lowest(self, error: float) -> float:
        """The lower bound of the excess."""
        return self.excess - self._reach(_below(self.greater, error), _above(self.smaller, error))

    def highest(self, error: float) -> float:
        """The upper bound of the excess."""
        return self.excess + self._reach(_above(self.greater, error), _below(self.smaller, error))

    def estimate(self) -> Estimate:
        """The excess with a standard error, to say how many rows would decide."""
        errors = [one.measured.spread.standard_error() if one.measured.spread else 0.0 for one in self._both]
        rows = sum(one.measured.rows for one in self._both)
        return Estimate(self.excess, rows, spread=Moments(self._reach(*errors), 0.0, float(rows), rows, 0.0))

    def said(self, metric: str, error: float) -> str:
        """The pair in a message: both groups, how far they are apart with bounds, and what is allowed."""
        low, high = self._bounds(error)
        each = " and ".join(f"{_value(one):.4g} in {one.name}" for one in self._both)
        if self.rule.min_ratio is None:
            return f"{metric}: {each} differ by {self.apart:.4g} ({low:.4g} .. {high:.4g}), allowed {self.rule.max_difference:g}"
        return f"{metric}: {each} have the ratio {self.apart:.4g}, at least {self.rule.min_ratio:g} is asked for"

    @property
    def _both(self) -> tuple[Slice, Slice]:
        return self.greater, self.smaller

    def _bounds(self, error: float) -> tuple[float, float]:
        allowed = self.rule.max_difference or 0.0
        return self.lowest(error) + allowed, self.highest(error) + allowed

    def _reach(self, of_greater: float, of_smaller: float) -> float:
        scaled = of_greater * (1.0 if self.rule.min_ratio is None else self.rule.min_ratio)
        return scaled + of_smaller if self.dependent else math.hypot(scaled, of_smaller)


def between_groups(threshold: Threshold, slicing: Slicing, look: int) -> Iterator[Finding]:
    """What speaks against a challenger in the differences between the groups that ``threshold`` names."""
    rule = threshold.fairness
    if rule is None:
        return
    found, lacking = slices_of(threshold, (rule.by,), slicing.by)
    judged, small = apart(threshold, found)
    yield from lacking
    yield from small
    if lacking:
        return
    if len(judged) < 2:
        yield tolerated(threshold, f"{threshold.metric}: fewer than two groups of {rule.by} could be compared")
        return
    pairs = [Pair(greater, smaller, rule, slicing.grouped) for greater, smaller in permutations(judged, 2)]
    yield _worst(threshold, pairs, family_error(threshold, look))


def _worst(threshold: Threshold, pairs: Sequence[Pair], error: float) -> Finding:
    """The finding about the pair that is furthest beyond the rule, among those that are shown to be, else among all."""
    name = threshold.metric
    levels = shown([partial(_violates, pair) for pair in pairs], error)
    if levels:
        place = max(levels, key=lambda one: pairs[one].excess)
        others = len(levels) - 1
        more = f", and {others} pair{'s' if others > 1 else ''} more" if others else ""
        said = f"{pairs[place].said(name, levels[place])}{more}".removeprefix(f"{name}: ")
        return Finding(violation=Violation(threshold, pairs[place].apart, said))
    worst = max(pairs, key=lambda pair: pair.highest(error))
    if threshold.confidence is None or worst.highest(error) <= 0:
        return passed()
    return undecided(f"{worst.said(name, error)}: {advice(rows_to_decide(worst.estimate(), -worst.excess, error))}")


def _violates(pair: Pair, level: float) -> bool:
    return pair.lowest(level) > 0


def _value(one: Slice) -> float:
    return one.measured.value or 0.0


@lru_cache(4096)
def _below(one: Slice, error: float) -> float:
    return math.inf if one.measured.spread is None else one.measured.spread.below(error)


@lru_cache(4096)
def _above(one: Slice, error: float) -> float:
    return math.inf if one.measured.spread is None else one.measured.spread.above(error)
