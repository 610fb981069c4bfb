"""How long it takes to be sure: two models compared on 100,000 rows, rows that training has seen found again, slices judged.

Goals are times, so the goal of each line is that time over the floor of the same run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.measure import Line, medians
from noa_mlops.datasets import overlap
from noa_mlops.evaluation import Answers, SliceColumn, evaluate, measure_slices
from noa_mlops.evaluation.influence import moments, of_mean
from noa_mlops.evaluation.score_influence import area
from noa_mlops.gate import judge
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.slices import Slicing
from noa_mlops.records.thresholds import Threshold

ROWS = 100_000
COLUMNS, LONG = 50, 1_000_000
RESAMPLES, BLOCKS = 2_000, 2_000
SLICES = 50


def lines(rounds: int = 5) -> Iterator[Line]:
    """Paired intervals against resampling and scikit-learn; the overlap check against reading the columns once."""
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(1)
    truth = draw.random(ROWS) < 0.3
    one = draw.normal(size=ROWS) + truth
    two = one + 0.3 * draw.normal(size=ROWS)
    loss, other = (np.logaddexp(0, -np.where(truth, 1, -1) * scores) for scores in (one, two))
    times = medians(
        {
            "moments": lambda: moments(of_mean(loss) - of_mean(other)),
            "resampled": lambda: resampled(loss - other, draw),
            "area": lambda: moments(area(truth, one) - area(truth, two)),
            "scikit-learn": lambda: (roc_auc_score(truth, one), roc_auc_score(truth, two)),
        },
        rounds=rounds,
        clock=time.process_time,
    )
    floor = times["resampled"]
    yield Line("paired loss, 100k rows", f"{RESAMPLES:,} blocked resamples", floor, times["moments"], 500 / floor)
    floor = times["scikit-learn"]
    yield Line("paired ROC area, 100k rows", "two roc_auc_score, no error", floor, times["area"], 100 / floor)
    yield from rows_again(draw)
    yield from in_slices(draw)


def resampled(difference: npt.NDArray[np.float64], draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """The 5 % and 95 % quantiles of the mean difference: sums of random blocks, drawn again many times."""
    order = draw.permutation(difference.size) % BLOCKS
    sums = np.bincount(order, weights=difference, minlength=BLOCKS)
    counts = np.bincount(order, minlength=BLOCKS).astype(np.float64)
    weights = draw.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=RESAMPLES).astype(np.float64)
    return np.asarray(np.quantile((weights @ sums) / (weights @ counts), (0.05, 0.95)))


def rows_again(draw: np.random.Generator) -> Iterator[Line]:
    """A million rows of 50 columns against a million others."""
    names = [f"c{number}" for number in range(COLUMNS)]
    train, evaluation = (pa.table({name: draw.integers(0, 1000, LONG) for name in names}) for _ in range(2))
    times = medians(
        {
            "sum": lambda: [int(column.to_numpy().sum()) for t in (train, evaluation) for column in t.columns],
            "overlap": lambda: overlap(train, evaluation),
        },
        rounds=1,
        warm_up=0,
        clock=time.process_time,
    )
    floor = times["sum"]
    yield Line("rows seen before, 2 x 1M x 50", "the sum of every column", floor, times["overlap"], 10_000 / floor)


def in_slices(draw: np.random.Generator) -> Iterator[Line]:
    """The verdict over 20 metrics in 50 slices of a million rows, each with its bounds, beside a loop over scikit-learn."""
    truth = (draw.random(LONG) < 0.3).astype(np.int64)
    given = np.clip(0.3 * truth + 0.7 * draw.random(LONG), 0.001, 0.999)
    column = draw.integers(0, SLICES, LONG)
    times = medians(
        {
            "scikit-learn": lambda: scikit_learn(truth, given, column),
            "ours": lambda: verdict(truth, given, column),
        },
        rounds=1,
        warm_up=0,
        clock=time.process_time,
    )
    floor = times["scikit-learn"]
    what = f"verdict, 20 metrics x {SLICES} slices, 1M"
    yield Line(what, "scikit-learn in a loop, no bounds", floor, times["ours"], 10_000 / floor)


def verdict(truth: npt.NDArray[np.int64], given: npt.NDArray[np.float64], column: npt.NDArray[np.int64]) -> object:
    """Everything between predictions and verdict: the metrics of all rows, those of the slices, the judgement."""
    answers, labels = Answers(pa.table({"p_0": 1 - given, "p_1": given}), [0, 1]), pa.chunked_array([truth])
    thresholds = [_threshold(name) for name in OF_SCIKIT_LEARN]
    asked = SliceColumn("slice", pa.chunked_array([column]), OF_SCIKIT_LEARN)
    report = evaluate(answers.predictions, labels, task="classification", classes=[0, 1])
    slicing = Slicing(measure_slices(answers, labels, [asked], task="classification"))
    return judge(thresholds, report.metrics, slicing=slicing)


def _threshold(name: str) -> Threshold:
    least, greatest = METRICS[name].limits(0.5)
    return Threshold(name, least, greatest, confidence=0.95, slices=("slice",))


OF_SCIKIT_LEARN = (
    *("accuracy", "balanced_accuracy", "mcc", "roc_auc", "average_precision", "average_precision_macro", "log_loss"),
    *("brier", "precision", "recall", "f1"),
    *(f"{name}_{how}" for name in ("precision", "recall", "f1") for how in ("micro", "macro", "weighted")),
)
"""Twenty metrics that scikit-learn has too."""


def scikit_learn(truth: npt.NDArray[np.int64], given: npt.NDArray[np.float64], column: npt.NDArray[np.int64]) -> object:
    """The same twenty numbers for each slice, as one writes it down: no bounds, nothing checked."""
    from sklearn import metrics

    shares = (metrics.precision_score, metrics.recall_score, metrics.f1_score)
    found = []
    for value in range(SLICES):
        rows = column == value
        labels, certain = truth[rows], given[rows]
        said, known = certain >= 0.5, labels == 1
        found += [
            share(known, said, average=how) for share in shares for how in ("binary", "micro", "macro", "weighted")
        ]
        found += [metrics.accuracy_score(known, said), metrics.balanced_accuracy_score(known, said)]
        found += [metrics.matthews_corrcoef(known, said), metrics.roc_auc_score(known, certain)]
        found += [metrics.average_precision_score(known, certain)]
        found += [(found[-1] + metrics.average_precision_score(~known, 1 - certain)) / 2]
        found += [metrics.log_loss(known, certain), metrics.brier_score_loss(known, certain)]
    return found
