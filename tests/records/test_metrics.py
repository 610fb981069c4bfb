"""The table of metrics."""

import math

import pytest

from noa_mlops.records.metrics import METRICS, metric, metrics_for
from noa_mlops.records.names import name_problem


def test_names_every_metric_by_the_pattern_of_names():
    assert {name: name_problem(name) for name in METRICS} == dict.fromkeys(METRICS)


def test_keeps_every_metric_under_its_own_name():
    assert [row.name for row in METRICS.values()] == list(METRICS)


@pytest.mark.parametrize(
    ("names", "direction"),
    [
        ("accuracy balanced_accuracy precision recall specificity npv f1 f1_macro mcc cohen_kappa r2", "higher"),
        ("roc_auc average_precision ndcg ndcg_at_10 mrr map", "higher"),
        ("log_loss brier ece mae rmse rmsle median_ae mape max_error pinball_10 pinball_50 pinball_90", "lower"),
        ("smape wape mase", "lower"),
        ("pinball_5 pinball_mean interval_width interval_score quantile_crossing", "lower"),
        ("calibration_slope calibration_intercept mean_error interval_coverage", "nearest"),
    ],
)
def test_states_which_way_is_better(names, direction):
    assert {metric(name).direction for name in names.split()} == {direction}


def test_has_an_ideal_inside_the_range_only_where_nearer_is_better():
    for row in METRICS.values():
        assert (row.ideal is not None) == (row.direction == "nearest" and row.name != "interval_coverage"), row.name
        assert row.range[0] < row.range[1]


def test_refuses_a_metric_that_is_not_in_the_table():
    with pytest.raises(KeyError):
        metric("Accuracy")


def test_cannot_be_changed_by_its_readers():
    with pytest.raises(TypeError):
        METRICS["accuracy"] = METRICS["mae"]


def test_reads_a_bare_number_by_the_direction():
    assert metric("roc_auc").limits(0.8) == (0.8, None)
    assert metric("log_loss").limits(0.6) == (None, 0.6)


def test_refuses_a_bare_number_where_the_best_value_lies_inside_the_range():
    with pytest.raises(ValueError, match=r"best at 1, .* write \{min: \.\.\., max: \.\.\.\}"):
        metric("calibration_slope").limits(1.0)
    with pytest.raises(ValueError, match="best at its nominal value"):
        metric("interval_coverage").limits(0.9)


@pytest.mark.parametrize(
    ("name", "value"), [("accuracy", 0), ("accuracy", 1), ("mcc", -1.0), ("rmse", 1e300), ("r2", -50)]
)
def test_holds_values_of_the_range_possible(name, value):
    assert metric(name).possible(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", -0.001),
        ("accuracy", 80),
        ("r2", 1.1),
        ("rmse", -1),
        ("mae", math.inf),
        ("r2", -math.inf),
        ("mcc", math.nan),
    ],
)
def test_holds_values_outside_of_the_range_impossible(name, value):
    assert not metric(name).possible(value)


def test_lists_the_metrics_of_a_task():
    two, more = metrics_for("classification", binary=True), metrics_for("classification", binary=False)
    assert {row.name for row in two} - {row.name for row in more} == {
        "precision",
        "recall",
        "specificity",
        "npv",
        "f1",
        "roc_auc",
        "average_precision",
        "calibration_slope",
        "calibration_intercept",
    }
    assert set(more) < set(two)
    assert {row.name for row in metrics_for("regression", binary=False)} == {
        row.name for row in METRICS.values() if row.needs in ("values", "quantiles", "groups", "series")
    }
