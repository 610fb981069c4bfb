"""The scale that a naive forecast sets in training, and the blocks in which the errors of one series depend."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from noa_mlops.datasets import DatasetReader
from noa_mlops.errors import PlanInvalid
from noa_mlops.evaluation import Asked, evaluate
from noa_mlops.lifecycle.forecasting import blocks, forecast
from noa_mlops.records.plan import EvaluationPlan, Threshold, TrainingPlan

SKTIME = [5, 0.5, 4, 6, 3, 5, 2]
DAY = dt.date(2026, 1, 1)


def plan(*metrics):
    asked = tuple(Threshold(metric, maximum=1) for metric in metrics)
    return TrainingPlan("sales", "python", "train", evaluation=EvaluationPlan("eval", metric_thresholds=asked))


@pytest.fixture
def dataset(tmp_path):
    """Writes columns and a definition, and reads them as a project does."""

    def make(name, columns, **definition):
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        lines = [f"files: [{name}.parquet]", *(f"{key}: {value}" for key, value in definition.items())]
        (tmp_path / f"{name}.dataset.yaml").write_text("\n".join(lines))
        return DatasetReader(tmp_path).read(f"{name}.dataset.yaml")

    return make


def days(count):
    return [DAY + dt.timedelta(days=step) for step in range(count)]


def ahead(count, **more):
    """Evaluation rows, one for each day, up to three days ahead."""
    return {"day": days(count), "h": [1 + step % 3 for step in range(count)], "y": [1.0] * count, **more}


def test_the_scale_is_the_mean_error_of_the_naive_forecast(dataset):
    train = dataset("train", {"day": days(7), "y": SKTIME}, time="day")
    evaluation = dataset("eval", ahead(5), time="day", horizon="h")
    found = forecast(plan(), train, evaluation, "y")
    assert found.scales.tolist() == [3.0] * 5
    assert found.to_document() == {"season": 1, "series": 1, "scale": 3.0}


def test_the_order_of_the_rows_says_nothing_and_a_time_counts_once(dataset):
    order = [4, 2, 6, 0, 5, 1, 3]
    shuffled = {"day": [days(7)[i] for i in order], "y": [SKTIME[i] for i in order]}
    twice = {name: values + values for name, values in shuffled.items()}
    evaluation = dataset("eval", ahead(2), time="day", horizon="h")
    for name, columns in (("once", shuffled), ("twice", twice)):
        assert forecast(plan(), dataset(name, columns, time="day"), evaluation, "y").scales[0] == 3.0


def test_a_season_looks_back_a_season_and_each_series_has_its_own(dataset):
    one, two = [1.0, 5.0, 2.0, 7.0, 4.0, 5.0], [10.0, 10.0, 20.0, 30.0, 20.0, 20.0]
    columns = {"day": days(6) * 2, "y": one + two, "shop": ["a"] * 6 + ["b"] * 6}
    train = dataset("train", columns, time="day", group="shop", season=2)
    evaluation = dataset("eval", ahead(4, shop=["b", "a", "c", "b"]), time="day", horizon="h", group="shop", season=2)
    scales = forecast(plan(), train, evaluation, "y").scales
    a = np.mean([1, 2, 2, 2])
    b = np.mean([10, 20, 0, 10])
    assert scales.tolist()[:2] == [b, a]
    assert math.isnan(scales[2])
    assert scales[3] == b


def test_a_gap_in_the_values_is_no_step_and_a_series_of_one_value_has_no_scale(dataset):
    train = dataset("train", {"day": days(4), "y": [1.0, None, 2.0, 4.0]}, time="day")
    evaluation = dataset("eval", ahead(1), time="day", horizon="h")
    assert forecast(plan(), train, evaluation, "y").scales.tolist() == [2.0]
    short = dataset("short", {"day": days(1), "y": [1.0]}, time="day")
    assert math.isnan(forecast(plan(), short, evaluation, "y").scales[0])


def test_is_no_forecast_without_a_horizon_unless_a_threshold_asks(dataset):
    train = dataset("train", {"day": days(7), "y": SKTIME}, time="day")
    plain = dataset("eval", ahead(5), time="day")
    assert forecast(plan("mae"), train, plain, "y") is None
    assert forecast(plan("mase"), train, plain, "y").scales[0] == 3.0
    timeless = dataset("timeless", {"day": days(7), "y": SKTIME})
    with pytest.raises(PlanInvalid, match="mase needs a training series"):
        forecast(plan("mase"), timeless, plain, "y")


def test_the_blocks_are_as_long_as_the_horizon_the_season_or_the_cube_root_of_the_times(dataset):
    for count, season, length in ((60, 1, 4), (60, 7, 7), (1000, 1, 10)):
        evaluation = dataset("eval", ahead(count), time="day", horizon="h", season=season)
        assert blocks(evaluation).to_pylist() == [step // length for step in range(count)]
    assert blocks(dataset("plain", ahead(60), time="day")) is None


def test_bounds_over_blocks_miss_the_truth_of_dependent_errors_about_as_often_as_they_say(dataset):
    """Errors of three steps ahead share two thirds of their surprises with the step before."""
    rng, trials, rows = np.random.default_rng(4), 200, 300
    groups = blocks(dataset("eval", ahead(rows), time="day", horizon="h"))

    def errors(count):
        surprises = rng.normal(size=count + 2)
        return surprises[:-2] + surprises[1:-1] + surprises[2:]

    truth, missed = 3**0.5 * (2 / math.pi) ** 0.5, {"blocks": 0, "rows": 0}
    for _ in range(trials):
        labels, given = pa.array(np.zeros(rows)), pa.table({"prediction": errors(rows)})
        asked = Asked(scales=np.ones(rows))
        for name, group_by in (("blocks", groups), ("rows", None)):
            metrics = evaluate(given, labels, task="regression", asked=asked, group_by=group_by).metrics
            lower, upper = metrics["mase"].bounds(0.05)
            missed[name] += not lower <= truth <= upper
    assert missed["blocks"] / trials <= 0.10 + 3 * (0.1 * 0.9 / trials) ** 0.5
    assert missed["rows"] > missed["blocks"] + 10


def test_a_definition_that_names_a_horizon_without_a_time_is_refused(dataset):
    with pytest.raises(PlanInvalid, match="horizon needs 'time'"):
        dataset("eval", ahead(5), horizon="h")
    with pytest.raises(PlanInvalid, match="season needs 'time'"):
        dataset("eval", ahead(5), season=4)
