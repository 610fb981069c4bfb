"""``python -m benchmarks.promotions``: how often truly worse models are promoted, by this gate and by comparing two numbers.

Challengers whose truth is known are measured beside a champion on rows drawn anew, and judged. Two metrics: accuracy, where
10 % of rows are answered rightly by one of the two alone; and the area under the ROC curve of normal scores, whose true value is
known (0.85 for the champion, 30 % positive rows, noise that the models share three quarters of). Then slices and groups whose
true recall is known, against the rule that compares the numbers. Same seed, same
figures. `benchmarks.retrains` asks the same of real models on real rows.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from statistics import NormalDist

import numpy as np

from noa_mlops.evaluation.influence import moments
from noa_mlops.evaluation.score_influence import area
from noa_mlops.gate import judge
from noa_mlops.gate.certainty import POWER, error_at, rows_to_decide
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.fairness import Fairness
from noa_mlops.records.slices import Sliced, Slicing
from noa_mlops.records.spread import PairedProportion, Proportion
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

RETRAINS = 400
AT_THE_MARGIN = 4_000
"""More, because the share promoted there is what the gate states: its standard error is 0.35 % then."""

SIZES = (300, 1_000, 5_000)
LOOKS = 20
NIGHTS = {300: 4_000, 1_000: 2_000, 5_000: 1_000}
"""How many challengers are tried for 20 nights, by the rows of a night."""

MARGIN = -0.02
TRUTHS = {"worse (-0.04)": -0.04, "at the margin (-0.02)": MARGIN, "equal": 0.0, "better (+0.02)": 0.02}
"""How much better the challenger truly is; the default allows a drop of 0.02."""

MIX = (-0.06, MARGIN)
"""Between these the truth of the mix of worse challengers is drawn, each value as likely."""

Measure = Callable[[np.random.Generator, int, float], Estimate]
"""Draws rows and gives the measured improvement of a challenger with this truth."""


def accuracy(draw: np.random.Generator, rows: int, truth: float) -> Estimate:
    """Improvement in accuracy: a tenth of the rows tells the models apart."""
    gained, lost, _ = draw.multinomial(rows, [0.05 + truth / 2, 0.05 - truth / 2, 0.9]).tolist()
    return Estimate((gained - lost) / rows, rows, spread=PairedProportion(gained, lost, rows))


def roc_auc(draw: np.random.Generator, rows: int, truth: float) -> Estimate:
    """Improvement in the area under the ROC curve: normal scores, so that the area is Phi(distance / root 2)."""
    positive = draw.random(rows) < 0.3
    shared = draw.normal(size=rows)
    scores = []
    for value in (0.85 + truth, 0.85):
        noise = math.sqrt(0.75) * shared + math.sqrt(0.25) * draw.normal(size=rows)
        scores.append(noise + positive * math.sqrt(2) * NormalDist().inv_cdf(value))
    influence = area(positive, scores[0]) - area(positive, scores[1])
    values = [value_of(positive, given) for given in scores]
    return Estimate(values[0] - values[1], rows, spread=moments(influence))


def value_of(positive: np.ndarray, given: np.ndarray) -> float:
    """The area under the ROC curve; continuous scores have no ties."""
    ranks = np.argsort(np.argsort(given)) + 1.0
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (positive.size - count)))


MEASURES: dict[str, Measure] = {"accuracy": accuracy, "roc_auc": roc_auc}


@lru_cache(maxsize=1 << 16)
def promoted(metric: str, improvement: Estimate, look: int = 1, rule: VersusChampion | None = None) -> bool:
    """Whether the gate lets it pass, by the default unless ``rule`` is another."""
    threshold = Threshold(metric, minimum=0.0, versus_champion=rule)
    beside = Comparison(1, {metric: 0.85}, {metric: improvement})
    return judge([threshold], {metric: Estimate(0.85, improvement.rows)}, beside, look=look).promotes


def table() -> Iterator[str]:
    """One row for each metric, truth and size: our default, and the rule that compares two numbers."""
    yield "| metric | challenger | rows | this gate, default | `candidate > champion` |"
    yield "|---|---|---|---|---|"
    for name, measure in MEASURES.items():
        for what, truth in TRUTHS.items():
            for rows in SIZES:
                draw = np.random.default_rng([rows, round(1000 * (truth + 1)), len(name)])
                count = AT_THE_MARGIN if truth == MARGIN else RETRAINS
                yield _line(name, what, [measure(draw, rows, truth) for _ in range(count)])
        for rows in SIZES:
            draw = np.random.default_rng([rows, len(name), 1])
            found = [measure(draw, rows, truth) for truth in draw.uniform(*MIX, AT_THE_MARGIN)]
            yield _line(name, f"worse, the mix ({MIX[0]} .. {MIX[1]})", found)


def _line(name: str, what: str, found: list[Estimate]) -> str:
    ours = sum(promoted(name, one) for one in found) / len(found)
    point = sum((one.value or 0.0) > 0 for one in found) / len(found)
    return f"| {name} | {what} | {found[0].rows:,} | {ours:.1%} | {point:.1%} |"


def retried() -> Iterator[str]:
    """How often a challenger at the margin, and one that is equal, is promoted at all within 20 nightly looks."""
    yield f"| metric | rows each night | at the margin, within {LOOKS} looks | the same without counting looks | equal |"
    yield "|---|---|---|---|---|"
    for name, measure in MEASURES.items():
        for rows in SIZES:
            draw = np.random.default_rng([rows, LOOKS, len(name)])
            ours, plain = _tried(name, [_nights(measure, draw, rows, MARGIN) for _ in range(NIGHTS[rows])])
            equal, _ = _tried(name, [_nights(measure, draw, rows, 0.0) for _ in range(RETRAINS)])
            yield f"| {name} | {rows:,} | {ours:.1%} | {plain:.1%} | {equal:.1%} |"


def _nights(measure: Measure, draw: np.random.Generator, rows: int, truth: float) -> list[Estimate]:
    return [measure(draw, rows, truth) for _ in range(LOOKS)]


def _tried(name: str, nights: list[list[Estimate]]) -> tuple[float, float]:
    """The share promoted within all looks, with looks counted and without."""
    ours = sum(any(promoted(name, one, look) for look, one in enumerate(each, 1)) for each in nights)
    plain = sum(any(promoted(name, one) for one in each) for each in nights)
    return ours / len(nights), plain / len(nights)


def costs() -> Iterator[str]:
    """Rows of one night that an equal challenger needs to be promoted four times in five, and how often it then is."""
    yield f"| metric | look | error | rows for {POWER:.0%} | promoted with them |"
    yield "|---|---|---|---|---|"
    for name, measure in MEASURES.items():
        draw = np.random.default_rng([LOOKS, len(name)])
        usual = median([measure(draw, 1_000, 0.0) for _ in range(101)])
        for look in (1, 2, 5, 10, LOOKS):
            rows = rows_to_decide(usual, -MARGIN, error_at(look)) or 0
            found = [measure(draw, rows, 0.0) for _ in range(RETRAINS)]
            share = sum(promoted(name, one, look) for one in found) / RETRAINS
            yield f"| {name} | {look} | {error_at(look):.2%} | {rows:,} | {share:.1%} |"


def median(found: list[Estimate]) -> Estimate:
    """The measurement with the median standard error."""
    errors = [math.inf if one.spread is None else one.spread.standard_error() for one in found]
    return found[errors.index(sorted(errors)[len(errors) // 2])]


def apart() -> Iterator[str]:
    """How often a model fails by its slices, or by the difference between groups, and how often it clears their bounds."""
    least, between = Threshold("recall", 0.6, slices=("by",)), Fairness("by", max_difference=0.1)
    fair = Threshold("recall", 0.1, fairness=between)
    cases = {
        "50 slices, all at the minimum of 0.60": (least, [0.6] * 50),
        "50 slices at 0.70, one at 0.50": (least, [0.7] * 49 + [0.5]),
        "50 slices, all at 0.70": (least, [0.7] * 50),
        "5 groups, apart by exactly the 0.10 allowed": (fair, [0.7, 0.6, 0.6, 0.6, 0.6]),
        "5 groups, one of them apart by 0.20": (fair, [0.7, 0.5, 0.7, 0.7, 0.7]),
        "5 equal groups": (fair, [0.7] * 5),
    }
    yield "| truth | rows of each | fails | clears with `confidence: 0.95` | fails by comparing the numbers |"
    yield "|---|---|---|---|---|"
    for what, (threshold, truths) in cases.items():
        for rows in (200, 1_000, 5_000):
            draw = np.random.default_rng([rows, len(what)])
            drawn = draw.binomial(rows, truths, (RETRAINS, len(truths)))
            fails = sum(_judged(threshold, hits, rows) == "fail" for hits in drawn) / RETRAINS
            clears = (
                sum(_judged(replace(threshold, confidence=0.95), hits, rows) == "pass" for hits in drawn) / RETRAINS
            )
            shares = drawn / rows
            beyond = shares.min(axis=1) < 0.6 if threshold is least else np.ptp(shares, axis=1) > 0.1
            yield f"| {what} | {rows:,} | {fails:.1%} | {clears:.1%} | {beyond.mean():.1%} |"


def _judged(threshold: Threshold, hits: np.ndarray, rows: int) -> str:
    found = tuple(Estimate(int(each) / rows, rows, spread=Proportion(int(each), rows)) for each in hits)
    sliced = Sliced(tuple(range(len(found))), (rows,) * len(found), {"recall": found})
    whole = {"recall": Estimate(0.7, 10_000_000, spread=Proportion(7_000_000, 10_000_000))}
    return judge([threshold], whole, slicing=Slicing({"by": sliced})).outcome


def main() -> int:
    """Print all tables."""
    for line in chain(table(), [""], retried(), [""], costs(), [""], apart()):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
