"""Every metric of the table against a direct call of the function it names."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression

from noa_mlops.evaluation import Asked, evaluate
from noa_mlops.records.metrics import METRICS, metrics_for, metrics_of

AVERAGES = ("micro", "macro", "weighted")
PARTS = {
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "f1": reference.f1_score,
}


def of_classes(labels, predicted):
    found = {
        "accuracy": reference.accuracy_score(labels, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
        "mcc": reference.matthews_corrcoef(labels, predicted),
        "cohen_kappa": reference.cohen_kappa_score(labels, predicted),
    }
    for name, part in PARTS.items():
        for average in AVERAGES:
            found[f"{name}_{average}"] = part(labels, predicted, average=average, zero_division=0)
    return found


def values(report):
    return {name: estimate.value for name, estimate in report.metrics.items() if estimate.value is not None}


@pytest.fixture(params=range(5))
def random(request):
    return np.random.default_rng(request.param)


def forecast(random, rows, classes):
    probabilities = random.dirichlet(np.full(classes, 0.7), rows)
    labels = np.array([random.choice(classes, p=row) for row in probabilities])
    labels[:classes] = np.arange(classes)
    return probabilities, labels


def as_table(probabilities):
    return pa.table({f"p_{i}": probabilities[:, i] for i in range(probabilities.shape[1])})


@pytest.mark.parametrize("decision_threshold", [0.5, 0.3])
def test_agrees_on_two_classes(random, decision_threshold):
    probabilities, labels = forecast(random, 500, 2)
    given = np.round(probabilities[:, 1], 2)  # ties
    probabilities = np.column_stack([1 - given, given])
    report = evaluate(
        as_table(probabilities),
        pa.array(labels),
        task="classification",
        classes=[0, 1],
        decision_threshold=decision_threshold,
    )
    predicted = (given >= decision_threshold).astype(int)
    clipped = np.clip(given, 2.220446049250313e-16, 1 - 2.220446049250313e-16)
    scores = np.log(clipped / (1 - clipped))
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(scores[:, np.newaxis], labels)
    expected = of_classes(labels, predicted) | {
        "precision": reference.precision_score(labels, predicted),
        "recall": reference.recall_score(labels, predicted),
        "specificity": reference.recall_score(labels, predicted, pos_label=0),
        "npv": reference.precision_score(labels, predicted, pos_label=0),
        "f1": reference.f1_score(labels, predicted),
        "roc_auc": reference.roc_auc_score(labels, given),
        "roc_auc_ovr": reference.roc_auc_score(labels, given),
        "average_precision": reference.average_precision_score(labels, given),
        "average_precision_macro": np.mean(
            [
                reference.average_precision_score(labels, given),
                reference.average_precision_score(1 - labels, 1 - given),
            ]
        ),
        "log_loss": reference.log_loss(labels, probabilities),
        "brier": reference.brier_score_loss(labels, given),
        "calibration_slope": fit.coef_[0, 0],
        "calibration_intercept": brentq(
            lambda moved: expit(scores + moved).mean() - labels.mean(), -50, 50, xtol=1e-12
        ),
        "ece": report.metrics["ece"].value,
    }
    assert values(report) == pytest.approx(expected, rel=1e-6)
    assert set(expected) == {metric.name for metric in metrics_for("classification", binary=True)}


@pytest.mark.parametrize("classes", [3, 7])
def test_agrees_on_many_classes(random, classes):
    probabilities, labels = forecast(random, 400, classes)
    report = evaluate(as_table(probabilities), pa.array(labels), task="classification", classes=list(range(classes)))
    truth = np.eye(classes)[labels]
    expected = of_classes(labels, probabilities.argmax(axis=1)) | {
        "roc_auc_ovr": reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
        "average_precision_macro": reference.average_precision_score(labels, probabilities, average="macro"),
        "log_loss": reference.log_loss(labels, probabilities),
        "brier": np.mean(np.sum((probabilities - truth) ** 2, axis=1)) / 2,
        "ece": report.metrics["ece"].value,
    }
    assert values(report) == pytest.approx(expected, rel=1e-9)
    assert set(expected) == {metric.name for metric in metrics_for("classification", binary=False)}


def test_agrees_on_classes_that_the_model_never_predicts_or_never_saw(random):
    names = np.array(["a", "b", "c", "d", "e"])
    labels, predicted = names[random.integers(0, 5, 200)], names[random.integers(0, 3, 200)]
    report = evaluate(
        pa.table({"prediction": predicted}), pa.array(labels), task="classification", classes=["a", "b", "c", "d"]
    )
    assert values(report) == pytest.approx(of_classes(labels, predicted), rel=1e-12)
    assert report.unseen_labels == np.count_nonzero(labels == "e")


def test_agrees_on_numbers(random):
    labels = random.normal(3, 2, 300)
    predicted = labels + random.standard_t(3, 300)
    report = evaluate(pa.table({"prediction": predicted}), pa.array(labels), task="regression")
    expected = {
        "mae": reference.mean_absolute_error(labels, predicted),
        "rmse": reference.root_mean_squared_error(labels, predicted),
        "mean_error": np.mean(predicted - labels),
        "smape": np.mean(2 * np.abs(predicted - labels) / (np.abs(predicted) + np.abs(labels))),
        "wape": np.abs(predicted - labels).sum() / np.abs(labels).sum(),
        "rmsle": None,
        "median_ae": reference.median_absolute_error(labels, predicted),
        "mape": reference.mean_absolute_percentage_error(labels, predicted),
        "r2": reference.r2_score(labels, predicted),
        "max_error": reference.max_error(labels, predicted),
        "pinball_10": reference.mean_pinball_loss(labels, predicted, alpha=0.1),
        "pinball_50": reference.mean_pinball_loss(labels, predicted, alpha=0.5),
        "pinball_90": reference.mean_pinball_loss(labels, predicted, alpha=0.9),
    }
    assert {name: estimate.value for name, estimate in report.metrics.items()} == pytest.approx(expected)
    assert set(expected) == set(metrics_of("regression"))
    assert "negative" in report.metrics["rmsle"].reason


def test_agrees_on_the_logarithms_of_numbers_from_0_on(random):
    labels, predicted = random.exponential(3, 300), random.exponential(3, 300)
    labels[0] = predicted[1] = 0.0
    report = evaluate(pa.table({"prediction": predicted}), pa.array(labels), task="regression")
    assert report.metrics["rmsle"].value == pytest.approx(reference.root_mean_squared_log_error(labels, predicted))


def test_agrees_on_quantiles(random):
    levels = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    labels = random.gamma(2, 3, 300)
    given = np.sort(random.gamma(2, 3, (300, 7)), axis=1)
    given[:20, 3] -= 4  # some cross
    table = pa.table({f"q_{100 * level:g}": given[:, place] for place, level in enumerate(levels)})
    report = evaluate(table, pa.array(labels), task="regression", asked=Asked(levels))
    losses = [reference.mean_pinball_loss(labels, given[:, i], alpha=level) for i, level in enumerate(levels)]
    low, high = given[:, 0], given[:, -1]
    alpha = 0.1
    outside = (low - labels) * (labels < low) + (labels - high) * (labels > high)
    expected = {
        **{f"pinball_{100 * level:g}": loss for level, loss in zip(levels, losses, strict=True)},
        "pinball_mean": np.mean(losses),
        "interval_coverage": np.mean((labels >= low) & (labels <= high)),
        "interval_width": np.mean(high - low),
        "interval_score": np.mean(high - low + 2 / alpha * outside),
        "quantile_crossing": np.mean(np.diff(given).min(axis=1) < 0),
        "mae": reference.mean_absolute_error(labels, given[:, 3]),
        "rmse": reference.root_mean_squared_error(labels, given[:, 3]),
        "rmsle": report.metrics["rmsle"].value,
        "mape": reference.mean_absolute_percentage_error(labels, given[:, 3]),
        "median_ae": reference.median_absolute_error(labels, given[:, 3]),
        "mean_error": np.mean(given[:, 3] - labels),
        "smape": np.mean(2 * np.abs(given[:, 3] - labels) / (np.abs(given[:, 3]) + np.abs(labels))),
        "wape": np.abs(given[:, 3] - labels).sum() / np.abs(labels).sum(),
        "r2": reference.r2_score(labels, given[:, 3]),
        "max_error": reference.max_error(labels, given[:, 3]),
    }
    assert {name: estimate.value for name, estimate in report.metrics.items()} == pytest.approx(expected)
    assert set(expected) == set(metrics_of("regression", "quantiles"))
    # the interval score is the sum of the pinball losses of both ends, scaled (Gneiting and Raftery 2007)
    assert expected["interval_score"] == pytest.approx(2 / alpha * (losses[0] + losses[-1]))


def test_stays_within_the_range_of_every_metric(random):
    probabilities, labels = forecast(random, 60, 2)
    report = evaluate(as_table(probabilities), pa.array(labels), task="classification", classes=[0, 1])
    for name, value in values(report).items():
        assert METRICS[name].possible(value), name
