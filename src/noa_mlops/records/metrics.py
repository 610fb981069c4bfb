"""The metrics a verifier can compute, in one table: what each means, which way is better, where it comes from.

A direction is never guessed: a threshold written as a bare number is read by this table. A metric that is not
in it cannot be asked for, and one that could not be computed is absent with a reason, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

Task: TypeAlias = Literal["classification", "regression"]
"""What is predicted: one of a few classes, or a number."""

Direction: TypeAlias = Literal["higher", "lower", "nearest"]
"""Which way is better; ``nearest``: the nearer to `Metric.ideal`, on either side; where that is None, to what the model
itself promises."""

Needs: TypeAlias = Literal["labels", "probabilities", "values", "quantiles", "groups", "series", "evaluator"]
"""What the predictor must give: a class per row (probabilities will do), a probability per class, a number (the median
will do), or the quantiles of the plan; a number that orders the rows of each group, the data's ``group_by``; a number, and
a training series in time to scale by; for a metric that is not in the table, an evaluator of the plan's own."""

Interval: TypeAlias = Literal["score", "DeLong", "jackknife"]
"""How an interval is made: of a share of rows by the score test (Wilson 1927), of an area by DeLong, DeLong and
Clarke-Pearson 1988, of anything else by the infinitesimal jackknife (Jaeckel 1972)."""

SLACK = 1e-9
"""How far rounding may carry a value beyond its range."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table; ``task`` is None for a metric of a plan's own evaluator, which may be of any.

    ``range`` is the least and the greatest value that the formula can give; ``source`` names the public
    function that gives the same values, or the paper that defines it. A ``binary_only`` metric is defined for two classes.
    ``interval`` is how its interval is made when rows are independent; None: it hangs on a single row, so nothing can be
    said of how sure it is.
    """

    name: str
    task: Task | None
    direction: Direction
    range: tuple[float, float]
    needs: Needs
    description: str
    source: str
    binary_only: bool = False
    ideal: float | None = None
    interval: Interval | None = "jackknife"

    def limits(self, number: float) -> tuple[float | None, float | None]:
        """The minimum and maximum that a threshold written as a bare number stands for.

        Raises `ValueError` for a metric whose best value lies inside its range: there, a number alone does
        not say which side it bounds.
        """
        match self.direction:
            case "higher":
                return number, None
            case "lower":
                return None, number
            case "nearest":
                raise ValueError(
                    f"{self.name} is best at {self.best}, so a number alone is not a threshold: "
                    "write {min: ..., max: ...}"
                )

    @property
    def best(self) -> str:
        """The best value of a metric whose direction is ``nearest``, in words."""
        return "its nominal value" if self.ideal is None else f"{self.ideal:g}"

    @property
    def compared(self) -> bool:
        """Whether a challenger is compared with the champion in it when the plan says nothing about that.

        Not where the best value is 0: a share of the champion's value, which is the default, says nothing there.
        """
        return self.interval is not None and self.ideal != 0

    def possible(self, value: float) -> bool:
        """Whether the formula can give ``value``; NaN and infinities it cannot."""
        least, greatest = self.range
        return math.isfinite(value) and least - SLACK <= value <= greatest + SLACK


def metric(name: str) -> Metric:
    """The metric of that name. Raises `KeyError`."""
    return METRICS[name]


def metrics_for(task: Task, *, binary: bool) -> tuple[Metric, ...]:
    """The metrics that can be computed for a task; ``binary``: its target has two classes."""
    return tuple(m for m in METRICS.values() if m.task == task and (binary or not m.binary_only))


def metrics_of(task: Task, *given: Needs) -> tuple[str, ...]:
    """The names of the metrics that a model of a task is measured by; of those that need more, where that is ``given``."""
    more = {"quantiles", "groups", "series"} - set(given)
    return tuple(m.name for m in METRICS.values() if m.task == task and m.needs not in more)


_UNIT = (0.0, 1.0)
_LOSS = (0.0, math.inf)


def _label(
    name: str, description: str, source: str, *, bounds: tuple[float, float] = _UNIT, binary: bool = False
) -> Metric:
    """A metric of predicted classes; more is better."""
    return Metric(name, "classification", "higher", bounds, "labels", description, source, binary)


def _share(name: str, description: str, source: str, *, binary: bool = False) -> Metric:
    """A metric of predicted classes that is so many rows out of so many."""
    return replace(_label(name, description, source, binary=binary), interval="score")


def _rank(name: str, description: str, source: str, *, binary: bool = False) -> Metric:
    """A metric of how probabilities order the rows; more is better."""
    return Metric(name, "classification", "higher", _UNIT, "probabilities", description, source, binary)


def _area(name: str, description: str, source: str, *, binary: bool = False) -> Metric:
    """An area under the ROC curve."""
    return replace(_rank(name, description, source, binary=binary), interval="DeLong")


def _score(name: str, description: str, source: str, *, bounds: tuple[float, float] = _UNIT) -> Metric:
    """A metric of how far probabilities are from the truth; less is better."""
    return Metric(name, "classification", "lower", bounds, "probabilities", description, source)


def _calibration(name: str, description: str, source: str, *, ideal: float) -> Metric:
    """A metric of whether probabilities mean what they say, best at a number inside of its range."""
    whole = (-math.inf, math.inf)
    return Metric(
        name, "classification", "nearest", whole, "probabilities", description, source, binary_only=True, ideal=ideal
    )


def _error(name: str, description: str, source: str) -> Metric:
    """A metric of how far predicted numbers are from the truth; less is better."""
    return Metric(name, "regression", "lower", _LOSS, "values", description, source)


def _quantile(name: str, description: str, source: str) -> Metric:
    """A metric of predicted quantiles; less is better."""
    return Metric(name, "regression", "lower", _LOSS, "quantiles", description, source)


def _ranking(name: str, description: str, source: str) -> Metric:
    """A metric of how numbers order the rows of each group; more is better."""
    return Metric(name, "regression", "higher", _UNIT, "groups", description, source)


PINBALL: Mapping[str, float] = MappingProxyType({f"pinball_{p}": p / 100 for p in (10, 50, 90, 5, 25, 75, 95)})
"""The quantiles whose pinball loss has a name."""

OF_ONE_NUMBER = ("pinball_10", "pinball_50", "pinball_90")
"""Those that a model which answers one number is measured by too."""

_AVERAGES = {
    "micro": "over all rows and classes together",
    "macro": "mean over the classes, each with the same weight",
    "weighted": "mean over the classes, weighted by their rows",
}

_OF_CLASSES = (
    ("precision", "share of the rows predicted as a class that are of it"),
    ("recall", "share of the rows of a class that are found"),
    ("f1", "harmonic mean of precision and recall"),
)

_TABLE = (
    _share("accuracy", "share of rows whose class is predicted", "sklearn.metrics.accuracy_score"),
    _label("balanced_accuracy", "mean over the classes of recall", "sklearn.metrics.balanced_accuracy_score"),
    _share(
        "precision",
        "share of the rows predicted positive that are positive; positive predictive value",
        "sklearn.metrics.precision_score",
        binary=True,
    ),
    _share(
        "recall",
        "share of the positive rows that are predicted positive; sensitivity, true positive rate",
        "sklearn.metrics.recall_score",
        binary=True,
    ),
    _share(
        "specificity",
        "share of the negative rows that are predicted negative; true negative rate",
        "sklearn.metrics.recall_score(pos_label=negative)",
        binary=True,
    ),
    _share(
        "npv",
        "share of the rows predicted negative that are negative; negative predictive value",
        "sklearn.metrics.precision_score(pos_label=negative)",
        binary=True,
    ),
    _label(
        "f1", "harmonic mean of precision and recall of the positive class", "sklearn.metrics.f1_score", binary=True
    ),
    *(
        (_share if average == "micro" else _label)(
            f"{name}_{average}", f"{meaning}; {how}", f"sklearn.metrics.{name}_score(average='{average}')"
        )
        for name, meaning in _OF_CLASSES
        for average, how in _AVERAGES.items()
    ),
    _label(
        "mcc",
        "correlation between predicted and true class; 0 when one class is predicted for every row",
        "sklearn.metrics.matthews_corrcoef",
        bounds=(-1.0, 1.0),
    ),
    _label(
        "cohen_kappa",
        "agreement of predicted and true class beyond what their shares give by chance",
        "sklearn.metrics.cohen_kappa_score",
        bounds=(-1.0, 1.0),
    ),
    _area(
        "roc_auc",
        "chance that a positive row has a higher probability than a negative one, ties half",
        "sklearn.metrics.roc_auc_score",
        binary=True,
    ),
    _area(
        "roc_auc_ovr", "mean over the classes of roc_auc, each class against the rest", "sklearn.metrics.roc_auc_score"
    ),
    _rank(
        "average_precision",
        "precision averaged over the steps of recall, positive class",
        "sklearn.metrics.average_precision_score",
        binary=True,
    ),
    _rank(
        "average_precision_macro",
        "mean over the classes of average_precision, each class against the rest",
        "sklearn.metrics.average_precision_score",
    ),
    _score(
        "log_loss",
        "mean negative logarithm of the probability of the true class, clipped at 2.2e-16 (36.04 at most)",
        "sklearn.metrics.log_loss",
        bounds=_LOSS,
    ),
    _score(
        "brier",
        "half the mean squared distance between probabilities and truth; for two classes the usual Brier score",
        "sklearn.metrics.brier_score_loss(scale_by_half=True)",
    ),
    _score(
        "ece",
        "expected calibration error over 15 bins of equal mass: of the positive class; "
        "of the most probable class when there are more than two",
        "Nixon et al. 2019, Measuring Calibration in Deep Learning; Guo et al. 2017",
    ),
    _calibration(
        "calibration_slope",
        "slope of a logistic regression of the truth on the logit of the probability: under 1 overconfident, over 1 timid",
        "Cox 1958, Two further applications of a model for binary regression",
        ideal=1.0,
    ),
    _calibration(
        "calibration_intercept",
        "what must be added to every logit for the mean probability to be the share of positive rows: "
        "under 0 the probabilities are too high, over 0 too low; calibration in the large",
        "Van Calster et al. 2019, Calibration: the Achilles heel of predictive analytics",
        ideal=0.0,
    ),
    _error("mae", "mean absolute error, in the target's unit", "sklearn.metrics.mean_absolute_error"),
    _error("rmse", "root of the mean squared error, in the target's unit", "sklearn.metrics.root_mean_squared_error"),
    _error(
        "rmsle",
        "root of the mean squared error of log(1 + value); undefined when a label or prediction is negative",
        "sklearn.metrics.root_mean_squared_log_error",
    ),
    _error("median_ae", "median absolute error, in the target's unit", "sklearn.metrics.median_absolute_error"),
    _error(
        "mape",
        "mean absolute error relative to the label, as a share (0.1 is 10 %); undefined when a label is zero",
        "sklearn.metrics.mean_absolute_percentage_error",
    ),
    replace(
        _error(
            "smape",
            "mean of the absolute error relative to the mean of label and prediction, both absolute; 0 where both are 0",
            "Hyndman and Koehler 2006; sktime.performance_metrics.forecasting.mean_absolute_percentage_error(symmetric=True)",
        ),
        range=(0.0, 2.0),
    ),
    _error(
        "wape",
        "sum of the absolute errors over the sum of the absolute labels; undefined when all labels are zero",
        "Kolassa and Schütz 2007, Advantages of the MAD/mean ratio over the MAPE",
    ),
    replace(
        _error(
            "mase",
            "mean absolute error, each row's over that of the seasonal naive forecast in its training series; under 1 is better",
            "Hyndman and Koehler 2006, Another look at measures of forecast accuracy",
        ),
        needs="series",
    ),
    Metric(
        "mean_error",
        "regression",
        "nearest",
        (-math.inf, math.inf),
        "values",
        "mean of prediction minus label, in the target's unit: under 0 the predictions are too low; bias",
        "numpy.mean(prediction - label)",
        ideal=0.0,
    ),
    Metric(
        "r2",
        "regression",
        "higher",
        (-math.inf, 1.0),
        "values",
        "share of the variance explained; 0 is as good as predicting the mean",
        "sklearn.metrics.r2_score",
    ),
    replace(
        _error("max_error", "greatest absolute error, in the target's unit", "sklearn.metrics.max_error"),
        interval=None,
    ),
    *(
        _error(
            name,
            f"mean pinball loss, the prediction taken as the {100 * level:g} % quantile",
            f"sklearn.metrics.mean_pinball_loss(alpha={level:g})",
        )
        for name, level in PINBALL.items()
        if name in OF_ONE_NUMBER
    ),
    *(
        _quantile(
            name,
            f"mean pinball loss of the {100 * level:g} % quantile",
            f"sklearn.metrics.mean_pinball_loss(alpha={level:g})",
        )
        for name, level in PINBALL.items()
        if name not in OF_ONE_NUMBER
    ),
    _quantile(
        "pinball_mean",
        "mean pinball loss over all quantiles of the plan",
        "mean of sklearn.metrics.mean_pinball_loss",
    ),
    replace(
        _quantile(
            "interval_coverage",
            "share of the labels inside of the interval between the outermost quantiles as far from the median; its "
            "nominal value is the distance of their levels",
            "Gneiting, Balabdaoui and Raftery 2007, Probabilistic forecasts, calibration and sharpness",
        ),
        direction="nearest",
        range=_UNIT,
        interval="score",
    ),
    replace(
        _quantile("interval_width", "mean width of that interval, in the target's unit", "numpy.mean(upper - lower)"),
        range=(-math.inf, math.inf),
    ),
    _quantile(
        "interval_score",
        "mean of its width and, for a label outside, 2 over (1 - nominal coverage) times the distance to it",
        "Winkler 1972; Gneiting and Raftery 2007, Strictly proper scoring rules, equation 43",
    ),
    replace(
        _quantile(
            "quantile_crossing",
            "share of the rows where a quantile lies under one of a lower level",
            "numpy.mean(numpy.any(numpy.diff(quantiles) < 0))",
        ),
        range=_UNIT,
        interval="score",
    ),
    _ranking(
        "ndcg",
        "mean over the groups of the discounted cumulative gain over the greatest there could be; the label is the gain, "
        "the discount log2(rank + 1)",
        "sklearn.metrics.ndcg_score",
    ),
    _ranking("ndcg_at_10", "the same down to rank 10", "sklearn.metrics.ndcg_score(k=10)"),
    _ranking(
        "mrr",
        "mean over the groups of one over the rank of the first relevant row, a label above 0",
        "Voorhees 1999, The TREC-8 question answering track report",
    ),
    _ranking(
        "map",
        "mean over the groups of average precision: over its relevant rows, the share of relevant ones down to each",
        "sklearn.metrics.label_ranking_average_precision_score",
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _TABLE})
"""Every metric by its name, in the order in which reports show them."""
