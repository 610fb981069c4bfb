"""What calibrated probabilities let expect is what labels show, as long as they mean what they meant."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.isotonic import IsotonicRegression

from noa_mlops.evaluation import ClassList, answer_column, calibrate, evaluate, expected
from noa_mlops.evaluation.expected import came_true
from noa_mlops.records.calibration import Calibration

CLASSES = ClassList.of([0, 1], 1)


def draw(seed, rows, *, a=2.0, b=2.0, overconfident=1.0):
    """Scores of a model, and labels that come true as its odds say, or less often where it is overconfident."""
    random = np.random.default_rng(seed)
    truth = random.beta(a, b, rows)
    labels = (random.random(rows) < truth).astype(int)
    odds = overconfident * np.log(truth / (1 - truth))
    scores = 1 / (1 + np.exp(-odds))
    return pa.table({"p_0": 1 - scores, "p_1": scores}), pa.chunked_array([labels])


@pytest.mark.parametrize("overconfident", [1.0, 3.0])
@pytest.mark.parametrize("now", [{}, {"a": 4.0}, {"a": 1.6, "b": 1.6}])
def test_metrics_are_expected_without_a_label_and_come_out_so(overconfident, now):
    calibration = calibrate(*draw(1, 20_000, overconfident=overconfident), CLASSES)
    predictions, labels = draw(2, 20_000, overconfident=overconfident, **now)
    said = expected(predictions, CLASSES, calibration, 0.5)
    measured = evaluate(predictions, labels, task="classification", classes=[0, 1], positive=1).metrics
    assert set(said) >= {"accuracy", "roc_auc", "precision", "recall", "f1", "balanced_accuracy", "log_loss", "brier"}
    for name, value in said.items():
        assert value == pytest.approx(measured[name].value, rel=0.06, abs=0.03), name


def test_a_changed_meaning_of_the_labels_is_not_seen():
    calibration = calibrate(*draw(1, 20_000), CLASSES)
    predictions, labels = draw(2, 20_000)
    turned = pa.chunked_array([1 - labels.to_numpy()])
    said = expected(predictions, CLASSES, calibration, 0.5)
    measured = evaluate(predictions, turned, task="classification", classes=[0, 1], positive=1).metrics
    assert said["roc_auc"] > 0.7
    assert measured["roc_auc"].value < 0.4


def test_calibrated_shares_are_those_of_isotonic_regression():
    calibration = Calibration((0.1, 0.2, 0.4, 0.6, 0.9), (10, 20, 10, 30, 10), (1, 6, 2, 9, 9))
    shares = np.array(calibration.positives) / calibration.rows
    known = IsotonicRegression().fit_transform(calibration.means, shares, sample_weight=calibration.rows)
    assert came_true(calibration, np.array(calibration.means)) == pytest.approx(known)
    assert came_true(calibration, np.array([0.0, 1.0])) == pytest.approx([known[0], known[-1]])


def test_the_order_of_rows_changes_no_calibration():
    predictions, labels = draw(3, 1000)
    order = np.random.default_rng(0).permutation(1000)
    assert calibrate(predictions, labels, CLASSES) == calibrate(predictions.take(order), labels.take(order), CLASSES)


def test_nothing_is_expected_of_few_rows_or_of_models_that_give_no_probabilities():
    predictions, labels = draw(4, 99)
    assert calibrate(predictions, labels, CLASSES) is None
    said = pa.table({"prediction": labels})
    assert calibrate(said, labels, CLASSES) is None
    assert expected(said, CLASSES, Calibration((0.5,), (10,), (5,)), 0.5) == {}
    silent = pa.table({"p_0": pa.nulls(200, pa.float64()), "p_1": pa.nulls(200, pa.float64())})
    assert calibrate(silent, pa.chunked_array([[0, 1] * 100]), CLASSES) is None


def test_one_probability_for_all_rows_gives_a_calibration_of_one_bin():
    same = pa.table({"p_0": [0.7] * 200, "p_1": [0.3] * 200})
    calibration = calibrate(same, pa.chunked_array([[0, 0, 0, 1] * 50]), CLASSES)
    assert calibration == Calibration((0.3,), (200,), (50,))
    assert expected(same, CLASSES, calibration, 0.5)["roc_auc"] == pytest.approx(0.5)
    assert Calibration.from_document(calibration.to_document()) == calibration


@pytest.mark.parametrize(
    "written",
    [[[0.5, 10, 11]], [[0.5, 0, 0]], [[0.5, 1, 1], [0.4, 1, 1]], [["x", 1, 1]], [[0.5, 1.0, 1]], [[0.5, 1]], []],
)
def test_what_is_no_calibration_is_refused(written):
    with pytest.raises((ValueError, TypeError)):
        Calibration.from_document({"calibration": written})


def test_answers_are_counted_as_one_column():
    probable = pa.table({"p_0": [0.2, 0.9], "p_1": [0.8, 0.1]})
    assert answer_column(probable, CLASSES).to_pylist() == [0.8, 0.1]
    assert answer_column(probable, ClassList.of([0, 1], 0)).to_pylist() == [0.2, 0.9]
    three = pa.table({"p_0": [0.2, 0.9], "p_1": [0.7, 0.1], "p_2": [0.1, 0.0]})
    assert answer_column(three, ClassList.of(["a", "b", "c"], None)).to_pylist() == ["b", "a"]
    assert answer_column(pa.table({"prediction": [1.5, 2.5]}), None).to_pylist() == [1.5, 2.5]
    quantiles = pa.table({"q_5": [1.0], "q_50": [2.0], "q_95": [3.0]})
    assert answer_column(quantiles, None, (0.05, 0.5, 0.95)).to_pylist() == [2.0]
