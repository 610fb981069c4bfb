"""One model's answers beside the truth, and every metric of them on demand: its value, its spread, what each row adds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from noa_mlops.evaluation import (
    classification,
    label_influence,
    probability,
    quantile,
    queries,
    regression,
    score_influence,
)
from noa_mlops.evaluation.classes import Codes
from noa_mlops.evaluation.classification import Tally
from noa_mlops.evaluation.influence import Influence, moments
from noa_mlops.evaluation.predictions import Floats
from noa_mlops.evaluation.probability import Forecast
from noa_mlops.evaluation.quantile import Quantiles
from noa_mlops.evaluation.regression import Numbers
from noa_mlops.evaluation.undefined import Undefined
from noa_mlops.records.levels import lacking
from noa_mlops.records.metrics import METRICS, Needs, metrics_of
from noa_mlops.records.spread import Proportion, Spread
from noa_mlops.records.verdict import Estimate

Groups: TypeAlias = npt.NDArray[np.int64]
"""The number of each row's group, from 0 on."""

NO_PROBABILITIES = "the predictor gave classes, not probabilities"


@dataclass(frozen=True, slots=True)
class Classified:
    """True and predicted class of each row, at least one; ``forecast`` has the probabilities when the model gave them."""

    truth: Codes
    predicted: Codes
    positive: int | None
    forecast: Forecast | None

    @property
    def rows(self) -> int:
        """How many rows were measured."""
        return self.truth.size

    @property
    def hits(self) -> npt.NDArray[np.bool_]:
        """Which rows are right."""
        return np.asarray(self.truth == self.predicted)

    @property
    def tally(self) -> Tally:
        """The counts that metrics of classes are made of."""
        return Tally.of(self.truth, self.predicted, self.positive)


Subject: TypeAlias = Classified | Numbers | Quantiles
"""What is measured: a classification, a regression, or one that answers quantiles."""


def estimates(
    subject: Subject, groups: Groups | None, names: Collection[str] = METRICS.keys()
) -> Mapping[str, Estimate]:
    """The metrics of the task among ``names``, in the order of the table, each with its spread."""
    asked = {name: measure for name, measure in measures(subject).items() if name in names}
    found = {name: _estimate(subject, measure, groups) for name, measure in asked.items()}
    if isinstance(subject, Classified) and subject.forecast is None:
        nothing = Estimate(None, subject.rows, NO_PROBABILITIES)
        found |= dict.fromkeys((name for name in probability.MEASURES if name in names), nothing)
    if isinstance(subject, Quantiles):
        series: tuple[Needs, ...] = () if subject.scales is None else ("series",)
        wanted = [name for name in metrics_of("regression", "quantiles", *series) if name in names]
        lacks = {name: lacking(name, subject.levels) for name in wanted}
        found |= {name: Estimate(None, subject.rows, lack) for name, lack in lacks.items() if lack is not None}
    return {name: found[name] for name in METRICS if name in found}


def taken(subject: Subject, rows: npt.NDArray[np.int64] | slice) -> Subject:
    """The subject with these rows only, in this order; a slice copies nothing."""
    if isinstance(subject, Numbers):
        asked = None if subject.queries is None else subject.queries[rows]
        return Numbers(subject.truth[rows], subject.predicted[rows], asked, _of(subject.scales, rows))
    if isinstance(subject, Quantiles):
        scales = _of(subject.scales, rows)
        return Quantiles(subject.truth[rows], subject.predicted[rows], subject.levels, scales)
    truth, forecast = subject.truth[rows], subject.forecast
    if forecast is not None:
        forecast = Forecast(truth, forecast.probabilities[rows], forecast.classes)
    return Classified(truth, subject.predicted[rows], subject.positive, forecast)


def _of(each: Floats | None, rows: npt.NDArray[np.int64] | slice) -> Floats | None:
    return None if each is None else each[rows]


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of a subject: ``value`` may raise `Undefined`; the rest is asked only where the value exists.

    ``ideal`` is the best value where the subject itself says which, see `Metric.ideal`.
    """

    value: Callable[[], float]
    influence: Callable[[], Influence] | None
    proportion: tuple[int, int] | None = None
    ideal: float | None = None


def measures(subject: Subject) -> Mapping[str, Measure]:
    """Every metric that can be asked of a subject, not yet computed."""
    if isinstance(subject, Numbers):
        return dict(_of_numbers(subject))
    if isinstance(subject, Quantiles):
        return dict(_of_quantiles(subject))
    return dict(_of_classes(subject)) | dict(_of_forecast(subject.forecast))


def _of_numbers(numbers: Numbers) -> Iterator[tuple[str, Measure]]:
    for name, measure in regression.MEASURES.items():
        if name == "mase" and numbers.scales is None:
            continue
        influence = score_influence.OF_NUMBERS.get(name)
        yield name, Measure(partial(measure, numbers), None if influence is None else partial(influence, numbers))
    for name in queries.OF_QUERIES if numbers.queries is not None else ():
        yield name, Measure(partial(queries.measure, name, numbers), partial(queries.influence, name, numbers))


def _of_quantiles(given: Quantiles) -> Iterator[tuple[str, Measure]]:
    if lacking("mae", given.levels) is None:
        point = dict(_of_numbers(given.median))
        yield from ((name, point[name]) for name in point if name not in quantile.LOSSES)
    for name, losses in quantile.LOSSES.items():
        if lacking(name, given.levels) is None:
            value = partial(_mean, losses, given)
            yield name, Measure(value, partial(quantile.influence, name, given))
    for name, share in quantile.SHARES.items():
        if lacking(name, given.levels) is None:
            hits = int(np.count_nonzero(share(given)))
            ideal = given.nominal if name == "interval_coverage" else None
            spread = partial(quantile.influence, name, given)
            yield name, Measure(partial(_share, hits, given.rows), spread, (hits, given.rows), ideal)


def _mean(losses: Callable[[Quantiles], Floats], given: Quantiles) -> float:
    return float(losses(given).mean())


def _share(hits: int, rows: int) -> float:
    return hits / rows


def _of_forecast(forecast: Forecast | None) -> Iterator[tuple[str, Measure]]:
    if forecast is None:
        return
    for name, measure in probability.MEASURES.items():
        yield name, Measure(partial(measure, forecast), partial(score_influence.OF_FORECASTS[name], forecast))


def _of_classes(subject: Classified) -> Iterator[tuple[str, Measure]]:
    tally = subject.tally
    shares = _shares(tally)
    for name, measure in classification.MEASURES.items():
        gradient = label_influence.GRADIENTS[name]
        influence = partial(_label_influence, subject, tally, gradient)
        yield name, Measure(partial(measure, tally), influence, shares.get(name))


def _label_influence(
    subject: Classified, tally: Tally, gradient: Callable[[Tally], label_influence.Gradient]
) -> Influence:
    return gradient(tally).at(subject.truth, subject.predicted)


def _shares(tally: Tally) -> Mapping[str, tuple[int, int]]:
    """The metrics that are a count out of a count: so many hits of so many rows."""
    whole = (int(tally.hits.sum()), tally.rows)
    shares = dict.fromkeys(("accuracy", "precision_micro", "recall_micro", "f1_micro"), whole)
    of_class = ((tally.positive, "recall", "precision"), (tally.negative, "specificity", "npv"))
    for place, of_actual, of_predicted in of_class:
        if place is not None and place < tally.hits.size:
            hits, actual, predicted = (int(part[place]) for part in (tally.hits, tally.actual, tally.predicted))
            shares |= {of_actual: (hits, actual), of_predicted: (hits, predicted)}
    return shares


def _estimate(subject: Subject, measure: Measure, groups: Groups | None) -> Estimate:
    rows = subject.rows
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            estimate = Estimate.of(measure.value(), rows)
    except Undefined as undefined:
        return Estimate(None, rows, str(undefined))
    if estimate.value is None:
        return estimate
    return Estimate(estimate.value, rows, spread=_spread(measure, groups))


def _spread(measure: Measure, groups: Groups | None) -> Spread | None:
    if groups is None and measure.proportion is not None:
        return Proportion(*measure.proportion)
    return None if measure.influence is None else spread_of(measure.influence, groups)


def spread_of(influence: Callable[[], Influence], groups: Groups | None) -> Spread | None:
    """The moments of what each row adds; None when they are no finite numbers."""
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return moments(influence(), groups)
    except (Undefined, ValueError):  # numbers too large to square
        return None
