"""Calibration: do probabilities mean what they say?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation.undefined import Undefined

BINS = 15
"""Bins of the calibration error, each with the same number of rows as far as ties allow."""

_STEPS = 100
_PRECISION = 1e-10

_Floats = npt.NDArray[np.float64]
_Outcomes = npt.NDArray[np.bool_]


def reliability(outcomes: _Outcomes, given: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Of each bin: its rows, the sum of their probabilities, and how many of them are true outcomes.

    Rows are sorted by probability and cut into 15 bins of equal mass (Nixon et al. 2019). Equal probabilities
    fall into one bin, the first of theirs, so the order of the rows does not matter.
    """
    order = np.argsort(given, kind="stable")
    ranked = given[order]
    first_of_equals = np.searchsorted(ranked, ranked, side="left")
    bins = first_of_equals * BINS // ranked.size
    rows, expected, observed = (
        np.asarray(np.bincount(bins, weights=weights, minlength=BINS), dtype=np.float64)
        for weights in (None, ranked, outcomes[order])
    )
    return rows, expected, observed


def expected_calibration_error(outcomes: _Outcomes, given: _Floats) -> float:
    """Mean distance between probability and share of true outcomes over the bins of `reliability`, weighted by their rows."""
    _, expected, observed = reliability(outcomes, given)
    return min(1.0, float(np.abs(expected - observed).sum()) / given.size)


def slope(outcomes: _Outcomes, scores: _Floats) -> float:
    """The slope b of P(outcome) = 1 / (1 + exp(-(a + b * score))) by maximum likelihood (Cox 1958).

    1 says that the log odds ``scores`` are of the right size, less that they are too large. Both outcomes must
    occur. Raises `Undefined` when all scores are equal, or when they part the outcomes without overlap, so that
    no finite slope is the best.
    """
    spread = float(scores.std())
    if spread == 0.0 or scores.min() == scores.max():
        raise Undefined("all rows have the same probability")
    true, false = scores[outcomes], scores[~outcomes]
    if false.max() <= true.min() or true.max() <= false.min():
        raise Undefined("the probabilities part the classes without overlap, so no finite slope fits best")
    centred = (scores - scores.mean()) / spread
    return _fit(outcomes.astype(np.float64), centred) / spread


def intercept(share: float, scores: _Floats) -> float:
    """The number that, added to the log odds ``scores``, makes the mean probability ``share``, above 0 and under 1.

    It is the maximum likelihood estimate of a logistic regression with the scores as offset (Van Calster et al. 2019).
    Newton's method, halving the interval where a step would leave it.
    """
    odds = float(np.log(share / (1 - share)))
    low, high, place = odds - float(scores.max()), odds - float(scores.min()), odds - float(scores.mean())
    for _ in range(_STEPS):
        expected = np.exp(-np.logaddexp(0.0, -(place + scores)))
        missed, weight = share - float(expected.mean()), float((expected * (1 - expected)).mean())
        low, high = (place, high) if missed > 0 else (low, place)
        after = place + missed / weight if weight > 0 else high + 1
        after = after if low <= after <= high else (low + high) / 2
        if abs(after - place) <= _PRECISION * (1 + abs(place)):
            return after
        place = after
    raise Undefined(f"the fit did not settle in {_STEPS} steps")


def _fit(outcomes: _Floats, scores: _Floats) -> float:
    """Newton's method with halved steps; the likelihood is concave, so it climbs to the one maximum."""
    share = float(outcomes.mean())
    place = np.array([np.log(share / (1 - share)), 0.0])
    height = _likelihood(outcomes, scores, place)
    for _ in range(_STEPS):
        step = _newton_step(outcomes, scores, place)
        if float(np.abs(step).max()) <= _PRECISION * (1 + float(np.abs(place).max())):
            return float(place[1] + step[1])
        while (higher := _likelihood(outcomes, scores, place + step)) < height and np.abs(step).max() > _PRECISION:
            step = step / 2
        place, height = place + step, max(height, higher)
    raise Undefined(f"the fit did not settle in {_STEPS} steps")


def _likelihood(outcomes: _Floats, scores: _Floats, place: _Floats) -> float:
    """Mean log likelihood of intercept and slope ``place``."""
    odds = place[0] + place[1] * scores
    return float((outcomes * odds - np.logaddexp(0.0, odds)).mean())


def _newton_step(outcomes: _Floats, scores: _Floats, place: _Floats) -> _Floats:
    expected = np.exp(-np.logaddexp(0.0, -(place[0] + place[1] * scores)))
    weights = expected * (1 - expected)
    missed = outcomes - expected
    gradient = np.array([missed.mean(), (missed * scores).mean()])
    cross = (weights * scores).mean()
    curvature = np.array([[weights.mean(), cross], [cross, (weights * scores * scores).mean()]])
    try:
        return np.linalg.solve(curvature, gradient)
    except np.linalg.LinAlgError as error:
        raise Undefined("the probabilities determine no slope") from error
