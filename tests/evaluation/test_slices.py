"""Metrics in slices are those of the rows of each slice."""

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.evaluation import Answers, SliceColumn, evaluate, measure_slices
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.spread import Moments

SEASONS = ["dry", "wet", None]
OF_CLASSES = tuple(name for name, metric in METRICS.items() if metric.task == "classification")
OF_NUMBERS = tuple(name for name, metric in METRICS.items() if metric.needs == "values")


def drawn(rows=3000, seed=1):
    draw = np.random.default_rng(seed)
    truth = draw.random(rows) < 0.4
    given = np.clip(0.3 * truth + 0.7 * draw.random(rows), 0.01, 0.99)
    predictions = pa.table({"p_0": 1 - given, "p_1": given})
    column = pa.chunked_array([pa.array([SEASONS[n] for n in draw.integers(0, 3, rows)], pa.string())])
    labels = pa.chunked_array([pa.array(truth.astype(np.int64), mask=draw.random(rows) < 0.05)])
    groups = pa.chunked_array([pa.array(draw.integers(0, 90, rows))])
    return predictions, labels, column, groups


def same(one, other):
    assert (one.value is None, one.rows, one.reason) == (other.value is None, other.rows, other.reason)
    if one.value is not None:
        assert one.value == pytest.approx(other.value, rel=1e-12)
    if isinstance(one.spread, Moments):
        for name in ("error", "skew", "freedom", "units", "floor"):
            assert getattr(one.spread, name) == pytest.approx(getattr(other.spread, name), rel=1e-6), name
    else:
        assert one.spread == other.spread


@pytest.mark.parametrize("grouped", [False, True])
def test_every_metric_and_its_spread_is_that_of_the_rows_of_the_slice_alone(grouped):
    predictions, labels, column, groups = drawn()
    asked = [SliceColumn("season", column, OF_CLASSES)]
    group_by = groups if grouped else None
    found = measure_slices(Answers(predictions, [0, 1]), labels, asked, task="classification", group_by=group_by)
    sliced = found["season"]
    assert sliced.values == ("dry", "wet", None)
    for place, value in enumerate(sliced.values):
        rows = pa.array([one == value for one in column.to_pylist()])
        part = predictions.filter(rows)
        inside = groups.filter(rows) if grouped else None
        alone = evaluate(part, labels.filter(rows), task="classification", classes=[0, 1], group_by=inside)
        assert sliced.rows[place] == alone.rows
        for name in OF_CLASSES:
            same(sliced.metrics[name][place], alone.metrics[name])


def test_numbers_are_measured_in_slices_too():
    draw = np.random.default_rng(3)
    truth, column = draw.normal(size=400), draw.integers(0, 4, 400)
    predictions = pa.table({"prediction": truth + 0.1 * draw.normal(size=400)})
    labels = pa.chunked_array([truth])
    asked = [SliceColumn("floor", pa.chunked_array([column]), OF_NUMBERS)]
    sliced = measure_slices(Answers(predictions), labels, asked, task="regression")["floor"]
    assert sliced.values == (0, 1, 2, 3)
    for place, value in enumerate(sliced.values):
        rows = pa.array(column == value)
        alone = evaluate(predictions.filter(rows), labels.filter(rows), task="regression")
        for name in OF_NUMBERS:
            same(sliced.metrics[name][place], alone.metrics[name])


def test_a_slice_without_a_positive_row_has_no_recall_but_the_reason():
    predictions = pa.table({"prediction": [1, 0, 0, 1]})
    labels, column = pa.chunked_array([[1, 1, 0, 0]]), pa.chunked_array([[True, True, False, False]])
    asked = [SliceColumn("old", column, ("recall", "roc_auc"))]
    sliced = measure_slices(Answers(predictions, [0, 1]), labels, asked, task="classification")["old"]
    assert sliced.values == (False, True)
    assert [one.reason for one in sliced.metrics["recall"]] == ["no label is positive", None]
    assert {one.reason for one in sliced.metrics["roc_auc"]} == {"the predictor gave classes, not probabilities"}


def test_a_model_that_is_silent_on_some_rows_is_measured_in_no_slice():
    predictions = pa.table({"prediction": [1, None]})
    labels, column = pa.chunked_array([[1, 0]]), pa.chunked_array([["a", "b"]])
    asked = [SliceColumn("town", column, ("accuracy",))]
    assert measure_slices(Answers(predictions, [0, 1]), labels, asked, task="classification") == {}


def test_values_that_only_rows_without_a_label_have_are_no_slice():
    predictions = pa.table({"prediction": [1, 0, 1]})
    labels, column = pa.chunked_array([[1, 0, None]]), pa.chunked_array([["a", "b", "c"]])
    asked = [SliceColumn("town", column, ("accuracy",))]
    sliced = measure_slices(Answers(predictions, [0, 1]), labels, asked, task="classification")["town"]
    assert (sliced.values, sliced.rows) == (("a", "b"), (1, 1))
