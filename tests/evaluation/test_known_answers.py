"""Values that stand in the documentation of scikit-learn, or that can be worked out by hand."""

import math

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.evaluation import Asked, evaluate
from noa_mlops.evaluation.calibration import expected_calibration_error, slope


def binary(labels, positive_probabilities, **options):
    given = np.asarray(positive_probabilities, dtype=float)
    table = pa.table({"p_0": 1 - given, "p_1": given})
    return evaluate(table, pa.array(labels), task="classification", classes=[0, 1], **options).metrics


def regression(labels, predictions):
    table = pa.table({"prediction": predictions})
    return evaluate(table, pa.array(labels), task="regression").metrics


def test_gives_the_documented_area_and_average_precision():
    metrics = binary([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert metrics["roc_auc"].value == 0.75
    assert metrics["average_precision"].value == pytest.approx(0.83333, abs=1e-5)


def test_gives_the_documented_brier_score():
    assert binary([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3])["brier"].value == pytest.approx(0.0375, abs=1e-15)


def test_gives_the_documented_pinball_loss():
    assert regression([1.0, 2.0, 3.0], [0.0, 2.0, 3.0])["pinball_10"].value == pytest.approx(0.033333, abs=1e-6)
    assert regression([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])["pinball_10"].value == pytest.approx(0.3, abs=1e-12)


def labelled(labels, predicted):
    classes = sorted(set(labels) | set(predicted))
    return evaluate(
        pa.table({"prediction": predicted}), pa.array(labels), task="classification", classes=classes
    ).metrics


@pytest.mark.parametrize(
    ("labels", "predicted", "documented"),
    [
        ([0, 1, 2, 3], [0, 2, 1, 3], {"accuracy": 0.5}),
        ([0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1], {"balanced_accuracy": 0.625}),
        ([1, 1, 1, -1], [1, -1, 1, 1], {"mcc": -0.33}),
        (
            [0, 1, 2, 0, 1, 2],
            [0, 2, 1, 0, 0, 1],
            {
                "precision_macro": 0.22,
                "precision_micro": 0.33,
                "precision_weighted": 0.22,
                "recall_macro": 0.33,
                "recall_micro": 0.33,
                "recall_weighted": 0.33,
                "f1_macro": 0.267,
                "f1_micro": 0.33,
                "f1_weighted": 0.267,
            },
        ),
    ],
)
def test_gives_the_documented_metrics_of_classes(labels, predicted, documented):
    metrics = labelled(labels, predicted)
    assert {name: metrics[name].value for name in documented} == pytest.approx(documented, abs=5e-3)


def test_gives_the_documented_log_loss():
    given = [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]
    table = pa.table({"p_0": [row[0] for row in given], "p_1": [row[1] for row in given]})
    labels = pa.array(["spam", "ham", "ham", "spam"])
    metrics = evaluate(table, labels, task="classification", classes=["ham", "spam"]).metrics
    assert metrics["log_loss"].value == pytest.approx(0.21616, abs=5e-6)


def test_gives_the_documented_errors_of_numbers():
    metrics = regression([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    documented = {"mae": 0.5, "rmse": 0.612, "median_ae": 0.5, "mape": 0.3273, "r2": 0.948}
    assert {name: metrics[name].value for name in documented} == pytest.approx(documented, abs=1e-3)
    assert regression([3.0, 2.0, 7.0, 1.0], [9.0, 2.0, 7.0, 1.0])["max_error"].value == 6.0


def test_counts_a_confusion_of_six_rows_as_by_hand():
    metrics = binary([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.2, 0.7, 0.1, 0.3])
    # three hits of the negative and positive class are 2 and 2; one row of each is wrong
    expected = {"accuracy": 4 / 6, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "mcc": 1 / 3}
    assert {name: metrics[name].value for name in expected} == pytest.approx(expected, abs=1e-15)


def test_gives_the_documented_errors_of_a_forecast():
    """The examples of sktime: training 5, 0.5, 4, 6, 3, 5, 2, whose naive forecast errs by 3 in the mean."""
    labels, predicted = [3, -0.5, 2, 7, 2], [2.5, 0.0, 2, 8, 1.25]
    scaled = Asked(scales=np.full(5, 3.0))
    found = evaluate(pa.table({"prediction": predicted}), pa.array(labels), task="regression", asked=scaled).metrics
    assert found["mase"].value == pytest.approx(0.18333333333333335)
    assert found["mape"].value == pytest.approx(0.33690476190476193)
    assert found["smape"].value == pytest.approx(0.5553379953379953)
    assert found["wape"].value == pytest.approx(2.75 / 14.5)


@pytest.mark.parametrize(
    ("labels", "scales", "metric", "said"),
    [
        ([0.0, 0.0], [1.0, 1.0], "wape", "all labels are zero"),
        ([1.0, 2.0], [1.0, math.nan], "mase", "1 rows are of a series without"),
        ([1.0, 2.0], [0.0, 0.0], "mase", "or that never changed"),
    ],
)
def test_a_forecast_without_a_scale_has_a_reason_instead_of_a_value(labels, scales, metric, said):
    asked = Asked(scales=np.array(scales))
    found = evaluate(pa.table({"prediction": [0.0, 1.0]}), pa.array(labels), task="regression", asked=asked).metrics
    assert said in found[metric].reason
    assert found["smape"].value is not None


def test_gives_the_documented_agreement_beyond_chance():
    labels = ["negative", "positive", "negative", "neutral", "positive"]
    predicted = pa.table({"prediction": ["negative", "positive", "negative", "neutral", "negative"]})
    classes = ["negative", "neutral", "positive"]
    report = evaluate(predicted, pa.array(labels), task="classification", classes=classes)
    assert report.metrics["cohen_kappa"].value == 0.6875


def test_finds_the_constant_that_was_taken_off_every_logit():
    odds = np.linspace(-3, 3, 61)
    rows = np.repeat(odds, 1000)
    true = np.concatenate([np.arange(1000) < 1000 / (1 + np.exp(-(one + 0.7))) for one in odds])
    found = binary(true.astype(int), 1 / (1 + np.exp(-rows)))["calibration_intercept"]
    assert found.value == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize("hits", range(101))
def test_gives_a_share_of_rows_to_the_last_bit(hits):
    labels = [1] * 100
    metrics = binary(labels, [0.9] * hits + [0.1] * (100 - hits))
    assert metrics["accuracy"].value == hits / 100


def test_gives_the_regression_errors_of_three_rows_as_by_hand():
    metrics = regression([2.0, -4.0, 10.0], [1.0, -4.0, 14.0])
    expected = {
        "mae": 5 / 3,
        "rmse": math.sqrt(17 / 3),
        "median_ae": 1.0,
        "mape": (0.5 + 0 + 0.4) / 3,
        "max_error": 4.0,
        "r2": 1 - 17 / ((2 - 8 / 3) ** 2 + (-4 - 8 / 3) ** 2 + (10 - 8 / 3) ** 2),
    }
    assert {name: metrics[name].value for name in expected} == pytest.approx(expected)


def test_clips_the_loss_of_a_certain_error_where_the_table_says():
    assert binary([1], [0.0])["log_loss"].value == pytest.approx(-math.log(2.220446049250313e-16))
    assert binary([1], [1.0])["log_loss"].value == pytest.approx(0.0, abs=1e-15)


def test_gives_the_calibration_error_of_thirty_rows_in_fifteen_pairs_as_by_hand():
    given = np.repeat(np.arange(15) / 20 + 0.1, 2) + np.tile([0.0, 0.01], 15)
    outcomes = np.tile([True, False], 15)
    # each pair is one bin: mean probability (its first + 0.005), half of it true
    by_hand = np.abs(np.arange(15) / 20 + 0.105 - 0.5).mean()
    assert expected_calibration_error(outcomes, given) == pytest.approx(by_hand)


def test_keeps_equal_probabilities_in_one_bin_whatever_the_order_of_the_rows():
    outcomes = np.array([True] * 30 + [False] * 70)
    given = np.full(100, 0.3)
    assert expected_calibration_error(outcomes, given) == pytest.approx(0.0, abs=1e-12)
    assert expected_calibration_error(outcomes[::-1], given) == pytest.approx(0.0, abs=1e-12)


def test_gives_the_calibration_error_of_fewer_rows_than_bins():
    assert expected_calibration_error(np.array([True, False]), np.array([0.9, 0.2])) == pytest.approx(0.15)


def test_takes_the_calibration_error_of_many_classes_from_the_most_probable_one():
    table = pa.table({"p_0": [0.6, 0.6], "p_1": [0.3, 0.3], "p_2": [0.1, 0.1]})
    report = evaluate(table, pa.array([0, 1]), task="classification", classes=[0, 1, 2])
    assert report.metrics["ece"].value == pytest.approx(0.1)


@pytest.mark.parametrize(("low", "high"), [((10, 30), (30, 10)), ((5, 95), (60, 40)), ((50, 50), (20, 80))])
def test_gives_the_slope_between_two_scores_as_the_difference_of_their_log_odds(low, high):
    # with two distinct scores the fit goes through both observed log odds
    scores = np.repeat([-1.0, 1.5], [sum(low), sum(high)])
    outcomes = np.array([True] * low[0] + [False] * low[1] + [True] * high[0] + [False] * high[1])
    by_hand = (math.log(high[0] / high[1]) - math.log(low[0] / low[1])) / 2.5
    assert slope(outcomes, scores) == pytest.approx(by_hand, rel=1e-9)


def test_finds_a_slope_of_one_for_odds_that_are_right_and_half_of_it_for_odds_that_are_squared():
    given = np.repeat([0.2, 0.5, 0.8], 10)
    labels = [1] * 2 + [0] * 8 + [1] * 5 + [0] * 5 + [1] * 8 + [0] * 2
    assert binary(labels, given)["calibration_slope"].value == pytest.approx(1.0)
    squared = given**2 / (given**2 + (1 - given) ** 2)
    assert binary(labels, squared)["calibration_slope"].value == pytest.approx(0.5)


def test_settles_on_a_slope_for_scores_that_are_far_apart():
    scores = np.array([-36.0, -36.0, 0.0, 0.1, 0.2, 36.0, 36.0])
    outcomes = np.array([False, True, False, True, False, True, True])
    found = slope(outcomes, scores)
    odds = found * scores
    # at the maximum the residuals are orthogonal to the scores: solve for the intercept and look
    intercept = min(np.linspace(-5, 5, 200001), key=lambda a: abs((outcomes - 1 / (1 + np.exp(-(a + odds)))).sum()))
    assert (scores * (outcomes - 1 / (1 + np.exp(-(intercept + odds))))).sum() == pytest.approx(0.0, abs=1e-3)
