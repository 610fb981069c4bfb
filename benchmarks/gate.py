"""How long it takes to be sure: two models compared on 100,000 rows, and rows that training has seen found again.

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
from noa_mlops.evaluation.influence import moments, of_mean
from noa_mlops.evaluation.score_influence import area

ROWS = 100_000
COLUMNS, LONG = 50, 1_000_000
RESAMPLES, BLOCKS = 2_000, 2_000


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
