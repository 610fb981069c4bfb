"""What a model's own probabilities let expect of it, where labels are not there yet.

A calibrated probability says how often a row like this one turns out positive, so the counts that metrics are made of can
be expected row by row, without a label. It is blind to a changed meaning of the labels: where rows
look as before and turn out otherwise, it sees nothing. So it explains, and never clears.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.answers import chosen_classes, predicted_quantiles, predicted_values
from noa_mlops.evaluation.classes import ClassList, missing, plain
from noa_mlops.evaluation.predictions import Floats, gives_probabilities, missing_rows, probabilities
from noa_mlops.evaluation.probability import EPSILON
from noa_mlops.records.calibration import BINS, Calibration

FEWEST = 100
"""Rows with a label under which nothing is said of how probabilities come true."""

_Weights = npt.NDArray[np.float64]


def positive_scores(predictions: pa.Table, classes: ClassList) -> Floats | None:
    """The probability of the positive class of each row; None for models of other kinds, and where an answer is missing."""
    if classes.positive is None or missing_rows(predictions) or not gives_probabilities(predictions, 2):
        return None
    return np.asarray(probabilities(predictions, 2)[:, classes.positive])


def calibrate(predictions: pa.Table, labels: pa.ChunkedArray, classes: ClassList) -> Calibration | None:
    """How the probabilities of the positive class came true; None where nothing can be said.

    Rows are sorted by probability and cut into `BINS` bins of equal mass; equal probabilities fall into one bin. Raises
    `EvaluationFailed` for predictions that are not such.
    """
    scores = positive_scores(predictions, classes)
    known = ~missing(labels)
    if scores is None or np.count_nonzero(known) < FEWEST:
        return None
    truth = classes.codes(plain(labels.filter(pa.array(known)), name="labels"))[0] == classes.positive
    order = np.argsort(scores[known], kind="stable")
    ranked, came_true = scores[known][order], truth[order]
    bins = np.searchsorted(ranked, ranked, side="left") * BINS // ranked.size
    rows, sums, positives = (np.bincount(bins, weights, BINS) for weights in (None, ranked, came_true.astype(float)))
    kept = rows > 0
    means = [float(f"{mean:.9g}") for mean in (sums[kept] / rows[kept]).tolist()]
    if len(set(means)) < len(means):
        return None
    return Calibration(
        tuple(means), tuple(rows[kept].astype(int).tolist()), tuple(positives[kept].astype(int).tolist())
    )


def expected(
    predictions: pa.Table, classes: ClassList, calibration: Calibration, decision_threshold: float
) -> Mapping[str, float]:
    """The metrics that the model's answers let expect, by name; empty where it gives no probabilities of two classes.

    Raises `EvaluationFailed` for predictions that are not such.
    """
    scores = positive_scores(predictions, classes)
    if scores is None or not scores.size:
        return {}
    weights = came_true(calibration, scores)
    found = {**_of_classes(weights, scores >= decision_threshold), **_of_scores(weights, scores)}
    area = _area(weights, scores)
    return found if area is None else {**found, "roc_auc": area}


def came_true(calibration: Calibration, scores: Floats) -> _Weights:
    """The calibrated probability of each score: shares made to rise (Ayer et al. 1955), with straight lines between bins."""
    shares: list[list[float]] = []
    for rows, positives in zip(calibration.rows, calibration.positives, strict=True):
        shares.append([float(positives), float(rows), 1.0])
        while len(shares) > 1 and shares[-2][0] / shares[-2][1] >= shares[-1][0] / shares[-1][1]:
            last = shares.pop()
            shares[-1] = [before + more for before, more in zip(shares[-1], last, strict=True)]
    rising = [positives / rows for positives, rows, bins in shares for _ in range(int(bins))]
    return np.asarray(np.interp(scores, calibration.means, rising))


def _of_classes(weights: _Weights, chosen: npt.NDArray[np.bool_]) -> dict[str, float]:
    hits, misses = float(weights[chosen].sum()), float(weights[~chosen].sum())
    false, quiet = float((1 - weights[chosen]).sum()), float((1 - weights[~chosen]).sum())
    found = {"accuracy": (hits + quiet) / weights.size}
    shares = {
        "precision": (hits, hits + false),
        "recall": (hits, hits + misses),
        "f1": (2 * hits, 2 * hits + false + misses),
    }
    found |= {name: part / whole for name, (part, whole) in shares.items() if whole > 0}
    if hits + misses > 0 and false + quiet > 0:
        found["balanced_accuracy"] = (hits / (hits + misses) + quiet / (false + quiet)) / 2
    return found


def _of_scores(weights: _Weights, scores: Floats) -> dict[str, float]:
    clipped = np.clip(scores, EPSILON, 1 - EPSILON)
    loss = -(weights * np.log(clipped) + (1 - weights) * np.log1p(-clipped))
    brier = weights * (1 - scores) ** 2 + (1 - weights) * scores**2
    return {"log_loss": float(loss.mean()), "brier": float(brier.mean())}


def _area(weights: _Weights, scores: Floats) -> float | None:
    """The area under the ROC curve when each row is a positive one as often as its weight says; no row pairs with itself."""
    _, places = np.unique(scores, return_inverse=True)
    positive, negative = np.bincount(places, weights), np.bincount(places, 1 - weights)
    below = np.concatenate(([0.0], np.cumsum(negative)[:-1]))
    with_itself = float((weights * (1 - weights)).sum())
    pairs = float(positive.sum() * negative.sum()) - with_itself
    if pairs <= 0:
        return None
    won = float((positive * (below + negative / 2)).sum()) - with_itself / 2
    return min(1.0, max(0.0, won / pairs))


def answer_column(predictions: pa.Table, classes: ClassList | None, levels: tuple[float, ...] = ()) -> pa.Array:
    """What a model says of each row, as one column that can be counted.

    Of two classes the probability of the positive one, of more the class that is said or is most probable, of quantiles the
    middle one, else the number. Raises `EvaluationFailed` for predictions that are not such.
    """
    if classes is None:
        if not levels:
            return predicted_values(predictions).column(0)
        return predicted_quantiles(predictions, levels).column(len(levels) // 2)
    scores = positive_scores(predictions, classes)
    if scores is not None:
        return pa.array(scores)
    if missing_rows(predictions):
        raise EvaluationFailed(f"{missing_rows(predictions)} of {predictions.num_rows} predictions are missing")
    return chosen_classes(predictions, classes.values).column(0).cast(pa.string())
