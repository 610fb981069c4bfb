"""What counts as a row, a label, a class and a prediction."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.evaluation import Asked, evaluate
from noa_mlops.records.documents import canonical
from noa_mlops.records.metrics import METRICS

GIVEN = [0.2, 0.9, 0.6, 0.7, 0.1]

SCALED = Asked(scales=np.ones(1))
"""A series whose naive forecast errs by one."""


def classify(labels, table=None, **options):
    options = {"classes": [0, 1], **options}
    if table is None:
        table = {"p_0": 1 - np.array(GIVEN), "p_1": GIVEN}
    return evaluate(pa.table(table), labels, task="classification", **options)


def value(report, name):
    return report.metrics[name].value


def test_measures_every_metric_of_the_task_in_the_order_of_the_table():
    names = [name for name, metric in METRICS.items() if metric.task == "classification"]
    assert list(classify(pa.array([0, 1, 0, 1, 0])).metrics) == names
    assert list(classify(pa.array([0, 1, 0, 1, 0]), {"prediction": [0, 1, 1, 1, 0]}).metrics) == names
    of_numbers = [name for name, metric in METRICS.items() if metric.task == "regression"]
    alone = [name for name in of_numbers if METRICS[name].needs == "values"]
    series = evaluate(pa.table({"prediction": [1.0]}), pa.array([1.0]), task="regression", asked=SCALED)
    assert list(series.metrics) == [name for name in of_numbers if METRICS[name].needs in ("values", "series")]
    assert list(evaluate(pa.table({"prediction": [1.0]}), pa.array([1.0]), task="regression").metrics) == alone
    given = {"q_10": [0.0], "q_50": [1.0], "q_90": [2.0]}
    report = evaluate(pa.table(given), pa.array([1.0]), task="regression", asked=Asked((0.1, 0.5, 0.9)))
    assert list(report.metrics) == [name for name in of_numbers if METRICS[name].needs in ("values", "quantiles")]
    groups = pa.chunked_array([["a"]])
    ranked = evaluate(
        pa.table({"prediction": [1.0]}), pa.array([1.0]), task="regression", asked=Asked(ranks=True), group_by=groups
    )
    assert list(ranked.metrics) == [name for name in of_numbers if METRICS[name].needs in ("values", "groups")]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([0, 1, 0, 1, 0], pa.int8()), [0, 1]),
        (pa.array([0, 1, 0, 1, 0], pa.uint64()), [0, 1]),
        (pa.array([0.0, 1.0, -0.0, 1.0, 0.0]), [0, 1]),
        (pa.array([0, 1, 0, 1, 0], pa.float32()), [0, 1]),
        (pa.array([False, True, False, True, False]), [False, True]),
        (pa.array([False, True, False, True, False]), [0, 1]),
        (pa.array([0, 1, 0, 1, 0]), [False, True]),
        (pa.array(["no", "yes", "no", "yes", "no"]), ["no", "yes"]),
        (pa.array(["no", "yes", "no", "yes", "no"]).dictionary_encode(), ["no", "yes"]),
        (pa.array(["no", "yes", "no", "yes", "no"], pa.large_string()), ["no", "yes"]),
        (pa.array([0, 1, 0, 1, 0]).dictionary_encode(), [0, 1]),
        (pa.chunked_array([pa.array([0, 1]), pa.array([], pa.int64()), pa.array([0, 1, 0])]), [0, 1]),
        (
            pa.chunked_array([pa.array(x).dictionary_encode() for x in (["no"], ["yes", "no", "yes", "no"])]),
            ["no", "yes"],
        ),
    ],
)
def test_finds_the_same_classes_in_labels_of_every_type(labels, classes):
    report = classify(labels, classes=classes)
    assert (value(report, "accuracy"), value(report, "roc_auc"), report.unseen_labels) == (0.8, 1.0, 0)
    assert (report.classes, report.positive) == (tuple(classes), classes[1])


@pytest.mark.parametrize("column", [[0, 1, 1, 1, 0], [0.0, 1.0, 1.0, 1.0, 0.0], [False, True, True, True, False]])
def test_reads_predicted_classes_of_every_type(column):
    assert value(classify(pa.array([0, 1, 0, 1, 0]), {"prediction": column}), "accuracy") == 0.8


def test_reads_columns_in_any_order_by_their_names():
    labels = pa.array([0, 1, 0, 1, 0])
    turned = classify(labels, {"p_1": GIVEN, "p_0": 1 - np.array(GIVEN)})
    assert turned == classify(labels)


def test_predicts_positive_from_the_decision_threshold_on():
    labels = pa.array([0, 1, 0, 1, 0])
    assert value(classify(labels, decision_threshold=0.6), "accuracy") == 0.8
    assert value(classify(labels, decision_threshold=math.nextafter(0.6, 1)), "accuracy") == 1.0
    assert value(classify(labels, decision_threshold=0.0), "recall") == 1.0
    assert classify(labels, decision_threshold=0.6).decision_threshold == 0.6


def test_speaks_of_the_positive_class_that_is_asked_for():
    labels = pa.array([0, 1, 0, 1, 0])
    report = classify(labels, positive=0)
    assert report.positive == 0
    assert (value(report, "precision"), value(report, "recall")) == (1.0, 2 / 3)
    assert value(classify(labels, positive=1), "precision") == 2 / 3


def test_applies_the_decision_threshold_to_the_positive_class_that_is_asked_for():
    report = classify(pa.array([0, 1, 0, 1, 0]), positive=0, decision_threshold=0.4)
    assert value(report, "recall") == 1.0


def test_takes_the_first_of_the_most_probable_classes():
    table = {"p_0": [0.4, 0.2], "p_1": [0.4, 0.4], "p_2": [0.2, 0.4]}
    assert value(classify(pa.array([0, 1]), table, classes=[0, 1, 2]), "accuracy") == 1.0


@pytest.mark.parametrize("absent", [None, math.nan])
def test_leaves_out_rows_without_a_label_and_counts_them(absent):
    report = classify(pa.array([0.0, 1.0, absent, 1.0, 0.0]))
    assert (report.rows, report.missing_labels) == (4, 1)
    assert value(report, "accuracy") == 1.0
    assert report.metrics["accuracy"].rows == 4


@pytest.mark.parametrize("absent", [None, math.nan])
def test_leaves_out_numbers_without_a_label_and_counts_them(absent):
    report = evaluate(pa.table({"prediction": [1.0, 2.0, 9.0]}), pa.array([1.0, 2.0, absent]), task="regression")
    assert (report.rows, report.missing_labels, value(report, "mae")) == (2, 1, 0.0)


@pytest.mark.parametrize("labels", [pa.nulls(5), pa.array([None] * 5, pa.int64()), pa.array([None] * 5, pa.string())])
def test_measures_nothing_when_no_row_has_a_label(labels):
    report = classify(labels)
    assert report.rows == 0
    assert {estimate.reason for estimate in report.metrics.values()} == {"no row has a label"}


@pytest.mark.parametrize("labels", [pa.nulls(2), pa.array([None, None], pa.float64()), pa.array([math.nan] * 2)])
def test_measures_no_numbers_when_no_row_has_a_label(labels):
    report = evaluate(pa.table({"prediction": [1.0, 2.0]}), labels, task="regression")
    assert (report.rows, report.missing_labels) == (0, 2)
    assert {estimate.reason for estimate in report.metrics.values()} == {"no row has a label"}


def test_measures_nothing_on_no_rows():
    none = pa.array([], pa.float64())
    report = classify(pa.array([], pa.int64()), {"p_0": none, "p_1": none})
    assert {(e.value, e.rows, e.reason) for e in report.metrics.values()} == {(None, 0, "no row has a label")}
    report = evaluate(pa.table({"prediction": none}), none, task="regression")
    assert {(e.value, e.rows, e.reason) for e in report.metrics.values()} == {(None, 0, "no row has a label")}


@pytest.mark.parametrize(
    "table",
    [
        {"p_0": [0.5, None, 0.5, None, 0.5], "p_1": [0.5, 0.5, 0.5, None, 0.5]},
        {"prediction": [0, None, 0, None, 1]},
    ],
)
def test_measures_nothing_when_a_prediction_is_missing(table):
    report = classify(pa.array([0, 1, 0, 1, 0]), table)
    assert (report.rows, report.missing_predictions) == (5, 2)
    assert {(e.value, e.reason) for e in report.metrics.values()} == {(None, "2 of 5 predictions are missing")}


def test_measures_nothing_when_a_predicted_number_is_missing():
    report = evaluate(pa.table({"prediction": [1.0, None]}), pa.array([1.0, 2.0]), task="regression")
    assert {(e.value, e.reason) for e in report.metrics.values()} == {(None, "1 of 2 predictions are missing")}


def test_measures_nothing_when_every_prediction_is_missing():
    report = classify(pa.array([0, 1]), {"prediction": pa.nulls(2)})
    assert report.missing_predictions == 2
    assert value(report, "accuracy") is None


def test_counts_labels_that_training_never_saw_as_errors():
    report = classify(pa.array([0, 1, 0, 1, 7]))
    assert report.unseen_labels == 1
    assert value(report, "accuracy") == 0.6
    assert value(report, "recall_macro") == pytest.approx((1 / 2 + 1 + 0) / 3)
    known = -(math.log(0.8) + math.log(0.9) + math.log(0.4) + math.log(0.7))
    assert value(report, "log_loss") == pytest.approx((known - math.log(2.220446049250313e-16)) / 5)


def test_counts_a_label_between_two_classes_as_unseen():
    assert classify(pa.array([0.0, 1.0, 0.0, 1.0, 0.5])).unseen_labels == 1


@pytest.mark.parametrize("label", [0, 1])
def test_gives_a_reason_instead_of_a_metric_that_one_class_cannot_define(label):
    report = classify(pa.array([label] * 5))
    undefined = {name for name, estimate in report.metrics.items() if estimate.value is None}
    always = {"balanced_accuracy", "mcc", "roc_auc", "roc_auc_ovr", "average_precision", "average_precision_macro"}
    always |= {"cohen_kappa", "calibration_slope", "calibration_intercept"}
    assert undefined == always | {"recall" if label == 0 else "specificity"}
    which = "no label is" if label == 0 else "all labels are"
    assert report.metrics["roc_auc"].reason == f"{which} of the positive class"
    assert value(report, "accuracy") == (0.4 if label == 0 else 0.6)


def test_gives_a_reason_when_no_row_is_predicted_positive():
    report = classify(pa.array([0, 1, 0, 1, 0]), decision_threshold=0.95)
    assert report.metrics["precision"].reason == "no row is predicted positive"
    assert (value(report, "recall"), value(report, "f1"), value(report, "mcc")) == (0.0, 0.0, 0.0)


def test_gives_a_reason_when_a_class_of_the_model_has_no_rows():
    table = {"p_0": [0.8, 0.1], "p_1": [0.1, 0.8], "p_2": [0.1, 0.1]}
    report = classify(pa.array(["a", "b"]), table, classes=["a", "b", "c"])
    assert report.metrics["roc_auc_ovr"].reason == "no label is of class 'c'"
    assert value(report, "accuracy") == 1.0


def test_gives_a_reason_for_metrics_of_two_classes_when_there_are_three():
    table = {"p_0": [0.8, 0.1, 0.1], "p_1": [0.1, 0.8, 0.1], "p_2": [0.1, 0.1, 0.8]}
    report = classify(pa.array([0, 1, 2]), table, classes=[0, 1, 2])
    reasons = {name: e.reason for name, e in report.metrics.items() if METRICS[name].binary_only}
    assert reasons == dict.fromkeys(reasons, "is defined for two classes")
    assert (report.positive, report.decision_threshold) == (None, None)


def test_measures_a_model_of_one_class():
    report = classify(pa.array([3, 3]), {"p_0": [1.0, 1.0]}, classes=[3])
    assert (value(report, "accuracy"), value(report, "log_loss"), value(report, "roc_auc")) == (
        1.0,
        pytest.approx(0, abs=1e-12),
        None,
    )


def test_gives_a_reason_for_metrics_of_probabilities_when_only_classes_are_predicted():
    report = classify(pa.array([0, 1, 0, 1, 0]), {"prediction": [0, 1, 1, 1, 0]})
    reasons = {name: e.reason for name, e in report.metrics.items() if METRICS[name].needs == "probabilities"}
    assert reasons == dict.fromkeys(reasons, "the predictor gave classes, not probabilities")
    assert all(e.value is not None for name, e in report.metrics.items() if name not in reasons)
    assert report.decision_threshold is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([0.5] * 5, "all rows have the same probability"),
        ([0.1, 0.9, 0.2, 0.8, 0.3], "part the classes without overlap"),
    ],
)
def test_gives_a_reason_where_no_calibration_slope_fits(given, reason):
    report = classify(pa.array([0, 1, 0, 1, 0]), {"p_0": 1 - np.array(given), "p_1": given})
    assert reason in report.metrics["calibration_slope"].reason


def test_divides_rows_by_a_sum_that_is_nearly_one():
    report = classify(pa.array([1]), {"p_0": [0.5005], "p_1": [0.5]})
    assert value(report, "log_loss") == pytest.approx(-math.log(0.5 / 1.0005), rel=1e-12)
    assert value(report, "accuracy") == 0.0


def test_takes_rows_as_they_are_when_only_rounding_parts_their_sum_from_one():
    report = classify(pa.array([1]), {"p_0": [0.5 + 9e-7], "p_1": [0.5]})
    assert value(report, "accuracy") == 1.0


def test_cuts_probabilities_that_rounding_carried_beyond_one():
    report = classify(pa.array([1, 0]), {"p_0": [-1e-16, 1.0], "p_1": [1 + 2e-16, 0.0]})
    assert value(report, "brier") == 0.0


def test_gives_a_reason_for_a_share_of_zero_and_for_a_variance_that_is_none():
    report = evaluate(pa.table({"prediction": [1.0, 2.0, 3.0]}), pa.array([0, 0, 0]), task="regression")
    assert report.metrics["mape"].reason == "3 labels are zero"
    assert report.metrics["r2"].reason == "all labels are equal"
    assert value(report, "mae") == 2.0


def test_gives_a_reason_for_errors_too_large_for_a_number():
    report = evaluate(pa.table({"prediction": [1e300, -1e300]}), pa.array([-1e300, 1e308]), task="regression")
    assert report.metrics["rmse"].reason == "the result is not a finite number"
    assert value(report, "max_error") == pytest.approx(1e308)


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.float16(), pa.decimal128(5, 2)])
def test_reads_numbers_of_every_type(kind):
    numbers = pa.array([1, 2, 3], pa.int64()).cast(pa.float64()).cast(kind)
    assert value(evaluate(pa.table({"prediction": numbers}), numbers, task="regression"), "mae") == 0.0


def test_writes_a_report_without_values_as_strict_json():
    document = json.loads(canonical(classify(pa.array([1] * 5)).to_document()))
    assert document["metrics"]["roc_auc"] == {
        "value": None,
        "rows": 5,
        "reason": "all labels are of the positive class",
    }
    assert document["metrics"]["accuracy"] == {
        "value": 0.6,
        "rows": 5,
        "spread": {"kind": "proportion", "hits": 3, "of": 5},
    }


def test_gives_the_same_report_for_the_same_rows_in_other_pieces():
    labels, table = pa.array([0, 1, 0, 1, 0]), pa.table({"p_0": 1 - np.array(GIVEN), "p_1": GIVEN})
    pieces = pa.concat_tables([table.slice(0, 2), table.slice(2, 0), table.slice(2)])
    assert classify(labels, pieces) == classify(pa.chunked_array([labels[:3], labels[3:]]), table)
