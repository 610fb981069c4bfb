"""What a predictor may not hand in: the evaluation fails and says why; no metric is computed."""

import math

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import evaluate

LABELS = pa.array([0, 1, 0, 1])
HALF = [0.5, 0.5, 0.5, 0.5]


def classify(table, labels=LABELS, **options):
    options = {"classes": [0, 1], **options}
    return evaluate(pa.table(table), labels, task="classification", **options)


def regress(values, labels):
    return evaluate(pa.table({"prediction": values}), labels, task="regression")


@pytest.mark.parametrize("rows", [0, 3, 5])
def test_refuses_another_number_of_rows(rows):
    with pytest.raises(EvaluationFailed, match=f"predictions have {rows} rows; expected 4"):
        classify({"p_0": [0.5] * rows, "p_1": [0.5] * rows})
    with pytest.raises(EvaluationFailed, match=f"predictions have {rows} rows; expected 4"):
        regress(pa.array([0.5] * rows, pa.float64()), LABELS)


@pytest.mark.parametrize(
    "names",
    [
        ["p_0"],
        ["p_1"],
        ["p_0", "p_2"],
        ["p_1", "p_2"],
        ["p_0", "p_1", "p_2"],
        ["p_0", "p_1", "prediction"],
        ["p_0", "p_1", "roc_auc"],
        ["prediction", "accuracy"],
        ["P_0", "P_1"],
        ["p_00", "p_01"],
        ["p0", "p1"],
        ["probability", "class"],
        ["Prediction"],
        ["p_0", "p_1", ""],
    ],
)
def test_refuses_missing_extra_and_misnamed_columns(names):
    with pytest.raises(
        EvaluationFailed, match=r"predictions have the columns .*; expected p_0 \.\. p_1, or prediction"
    ):
        classify(dict.fromkeys(names, HALF))


def test_refuses_a_column_given_twice():
    twice = pa.Table.from_arrays([pa.array(HALF)] * 2, names=["p_0", "p_0"])
    with pytest.raises(EvaluationFailed, match="predictions have the columns 'p_0', 'p_0'"):
        classify(twice)


def test_cuts_and_escapes_what_a_stranger_named_a_column():
    with pytest.raises(EvaluationFailed) as refused:
        classify({"\x1b[31m" + "x" * 5000: HALF, **{f"c{i}": HALF for i in range(300)}})
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("column", [["a", "b", "c", "d"], [True, False, True, False], [[0.5]] * 4, [b"1"] * 4])
def test_refuses_probabilities_that_are_not_numbers(column):
    with pytest.raises(EvaluationFailed, match="predictions in p_1 must be numbers, but are of type"):
        classify({"p_0": HALF, "p_1": column})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_refuses_numbers_that_are_not_finite(bad):
    with pytest.raises(EvaluationFailed, match="predictions in p_0 have 1 values that are not finite numbers, of 4"):
        classify({"p_0": [0.5, bad, 0.5, 0.5], "p_1": HALF})
    with pytest.raises(EvaluationFailed, match="predictions have 1 values that are not finite numbers, of 4"):
        regress([0.5, bad, 0.5, 0.5], LABELS)


@pytest.mark.parametrize("bad", [-0.01, 1.01, -0.00001, 1.00001, 50.0])
def test_refuses_a_probability_outside_of_zero_to_one(bad):
    with pytest.raises(EvaluationFailed, match="predictions have 1 rows with a probability outside of 0 to 1"):
        classify({"p_0": [0.5, 1 - bad, 0.5, 0.5], "p_1": [0.5, bad, 0.5, 0.5]})


@pytest.mark.parametrize("rest", [0.0, 0.4, 0.498, 0.502, 1.0])
def test_refuses_rows_that_do_not_add_up_to_one(rest):
    with pytest.raises(EvaluationFailed, match="predictions have 2 rows whose probabilities do not add up to 1"):
        classify({"p_0": [0.5, rest, rest, 0.5], "p_1": HALF})


@pytest.mark.parametrize(
    ("column", "named"),
    [
        ([0, 1, 2, 1], r"2 \(a number or truth value\); its classes are 0, 1"),
        (["0", "1", "0", "1"], r"'0', '1' \(text\); its classes are 0, 1"),
        ([0.0, 0.7, 0.3, 1.0], r"0\.3, 0\.7 \(a number"),
        ([0.0, math.nan, 0.0, 1.0], r"nan \(a number"),
        (list(range(4, 8)), r"4, 5, 6, 7"),
    ],
)
def test_refuses_predicted_classes_that_the_model_does_not_have(column, named):
    with pytest.raises(EvaluationFailed, match=named):
        classify({"prediction": column})


@pytest.mark.parametrize("column", [[[0]] * 4, [b"0"] * 4, pa.array([0] * 4, pa.timestamp("s")), [{"a": 1}] * 4])
def test_refuses_predicted_classes_of_a_type_that_names_none(column):
    with pytest.raises(EvaluationFailed, match=r"predictions are of type .*, which names no classes"):
        classify({"prediction": column})


@pytest.mark.parametrize("column", [["1.0"] * 4, [True] * 4, pa.array([0] * 4, pa.timestamp("s"))])
def test_refuses_predicted_numbers_that_are_none(column):
    with pytest.raises(EvaluationFailed, match="predictions must be numbers, but are of type"):
        regress(column, LABELS)


@pytest.mark.parametrize("names", [["p_0", "p_1"], ["prediction", "p_0"], ["value"]])
def test_refuses_other_columns_for_a_number(names):
    with pytest.raises(EvaluationFailed, match=r"predictions have the columns .*; expected prediction"):
        evaluate(pa.table(dict.fromkeys(names, HALF)), LABELS, task="regression")


def test_refuses_labels_of_another_kind_than_the_classes():
    with pytest.raises(EvaluationFailed, match="labels are of type string; the classes of the model are 0, 1"):
        classify({"p_0": HALF, "p_1": HALF}, pa.array(["0", "1", "0", "1"]))
    with pytest.raises(EvaluationFailed, match="labels are of type int64; the classes of the model are 'n', 'y'"):
        classify({"p_0": HALF, "p_1": HALF}, classes=["n", "y"])


def test_refuses_labels_that_are_no_finite_numbers():
    with pytest.raises(EvaluationFailed, match="labels have 1 values that are not finite"):
        regress(HALF, pa.array([1.0, math.inf, 2.0, 3.0]))
    with pytest.raises(EvaluationFailed, match="labels must be numbers"):
        regress(HALF, pa.array(["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("classes", "positive", "reason"),
    [
        (None, None, "has no class list"),
        ([], None, "has no class list"),
        ([0, 0], None, "has a class twice"),
        ([0, True], None, "all whole numbers, all truth values or all text"),
        ([0, "1"], None, "all whole numbers, all truth values or all text"),
        ([0.0, 1.0], None, "all whole numbers, all truth values or all text"),
        ([None, 1], None, "all whole numbers, all truth values or all text"),
        ([0, 1], "1", "the positive class '1' is not a class of the model: 0, 1"),
        ([0, 1], 2, "the positive class 2 is not a class"),
    ],
)
def test_refuses_a_class_list_that_is_none(classes, positive, reason):
    with pytest.raises(EvaluationFailed, match=reason):
        classify({"p_0": HALF, "p_1": HALF}, classes=classes, positive=positive)


@pytest.mark.parametrize("decision_threshold", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
def test_refuses_a_decision_threshold_that_is_no_probability(decision_threshold):
    with pytest.raises(EvaluationFailed, match="the decision threshold is"):
        classify({"p_0": HALF, "p_1": HALF}, decision_threshold=decision_threshold)


def test_forgives_the_rounding_of_32_bit_numbers():
    given = np.random.default_rng(0).dirichlet([1.0] * 50, 4).astype(np.float32)
    table = {f"p_{i}": given[:, i] for i in range(50)}
    report = classify(table, classes=list(range(50)))
    assert report.metrics["log_loss"].value is not None
