"""What a plan's own evaluator leaves in its folder, and what is made of it."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation import OwnMetrics, check_own_metrics, improvements, measurable, read_own_metrics
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.versus import VersusChampion

RNG = np.random.default_rng(20261128)
NONE = VersusChampion("none")


def leave(folder, numbers="{}", per_row=None):
    """The files of an evaluator about three rows."""
    folder.joinpath("metrics.json").write_text(numbers if isinstance(numbers, str) else json.dumps(numbers))
    if per_row is not None:
        parquet.write_table(per_row, folder / "per_row.parquet")
    return folder


def test_reads_numbers_and_means_of_rows(tmp_path):
    found = read_own_metrics(leave(tmp_path, {"alarms": 3}, pa.table({"cost": [1.0, 2.0, 6.0]})), 3)
    assert (found.value("alarms"), found.value("cost"), found.value("profit")) == (3.0, 3.0, None)
    estimates = found.estimates()
    assert list(estimates) == ["own.alarms", "own.cost"]
    assert (estimates["own.alarms"].spread, estimates["own.cost"].rows) == (None, 3)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ('{"cost": 1, "cost": 2}', "twice"),
        ('{"cost": NaN}', "not a number"),
        ('{"cost": 1e999}', "out of range"),
        ('{"cost": true}', "not a number"),
        ('{"cost": "3"}', "not a number"),
        ('{"cost": null}', "not a number"),
        ('{"cost": [1]}', "not a number"),
        ('{"cost": {"value": 1}}', "not a number"),
        ('{"Cost": 1}', "must be 1 to 48"),
        ('{"": 1}', "must be 1 to 48"),
        ('{"accuracy": 1}', "is measured anyway"),
        ("[1]", "not a JSON object"),
        ("cost: 1", "not JSON"),
        (json.dumps({f"m{i}": 1 for i in range(51)}), "50 is the most"),
        (" " * 70_000 + "{}", "larger than"),
    ],
)
def test_refuses_numbers_that_are_none(tmp_path, numbers, said):
    with pytest.raises(EvaluationFailed, match=said) as refused:
        read_own_metrics(leave(tmp_path, numbers), 3)
    assert refused.value.cause == "evaluator"


@pytest.mark.parametrize(
    ("per_row", "said"),
    [
        (pa.table({"cost": [1.0, 2.0]}), "2 rows; expected 3"),
        (pa.table({"cost": [1.0, None, 2.0]}), "no value on 1 rows"),
        (pa.table({"cost": [1.0, float("inf"), 2.0]}), "not a finite number on 1 rows"),
        (pa.table({"cost": [1, 2, 3]}), "not of numbers"),
        (pa.table({"cost": ["1", "2", "3"]}), "not of numbers"),
        (pa.table({"cost": [[1.0], [2.0], [3.0]]}), "not of numbers"),
        (pa.table({"f1": [1.0, 2.0, 3.0]}), "is measured anyway"),
        (pa.table({"alarms": [1.0, 2.0, 3.0]}), "'alarms' twice"),
        (pa.table([pa.array([1.0, 2.0, 3.0])] * 2, names=["cost", "cost"]), "a column twice"),
    ],
)
def test_refuses_rows_that_are_none(tmp_path, per_row, said):
    with pytest.raises(EvaluationFailed, match=said):
        read_own_metrics(leave(tmp_path, {"alarms": 3}, per_row), 3)


def test_refuses_a_folder_without_numbers_and_one_whose_files_lead_elsewhere(tmp_path):
    with pytest.raises(EvaluationFailed, match=r"left no metrics\.json"):
        read_own_metrics(tmp_path, 3)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("{}")
    (tmp_path / "metrics.json").symlink_to(elsewhere)
    with pytest.raises(EvaluationFailed, match="link"):
        read_own_metrics(tmp_path, 3)
    (tmp_path / "metrics.json").unlink()
    leave(tmp_path)
    (tmp_path / "per_row.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(EvaluationFailed):
        read_own_metrics(tmp_path, 3)


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (Threshold("own.cost", maximum=1, versus_champion=NONE), None),
        (Threshold("own.cost", maximum=1), "compares it with the champion"),
        (Threshold("own.cost", maximum=1, confidence=0.9, versus_champion=NONE), "asks for a confidence"),
        (Threshold("own.lift", minimum=1), None),
        (Threshold("own.lift", minimum=1, confidence=0.9), None),
        (Threshold("own.gain", minimum=1, versus_champion=NONE), "gave no 'gain'.*it gave cost, lift"),
        (Threshold("accuracy", minimum=0.5), None),
    ],
)
def test_gives_what_the_plan_asks_for_or_is_refused(threshold, said):
    given = OwnMetrics(3, {"cost": 1.0}, {"lift": np.ones(3)})
    if said is None:
        check_own_metrics(given, [threshold])
    else:
        with pytest.raises(EvaluationFailed, match=said):
            check_own_metrics(given, [threshold])


def test_an_improvement_is_positive_whichever_side_the_plan_bounds_and_is_paired():
    hard = RNG.exponential(5, 500)
    old, new = OwnMetrics(500, {}, {"loss": hard + 0.1}), OwnMetrics(500, {}, {"loss": hard + RNG.normal(0, 0.1, 500)})
    for threshold, sign in ((Threshold("own.loss", maximum=9), 1), (Threshold("own.loss", minimum=0), -1)):
        found = improvements(new, old, [threshold, Threshold("own.other", minimum=0)])
        assert list(found) == ["own.loss"]
        assert found["own.loss"].value == pytest.approx(sign * 0.1, abs=0.02)
        assert found["own.loss"].spread.standard_error() < 0.01
    assert improvements(new, old, [Threshold("own.loss", maximum=9, versus_champion=NONE)]) == {}


def test_bounds_of_a_mean_over_rows_miss_the_truth_about_as_often_as_they_say():
    missed, trials = 0, 400
    for _ in range(trials):
        lower, upper = OwnMetrics(200, {}, {"cost": RNG.exponential(3, 200)}).estimates()["own.cost"].bounds(0.05)
        missed += not lower <= 3 <= upper
    assert 0.05 <= missed / trials <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / trials)


def test_is_asked_about_rows_with_a_label_and_not_at_all_when_nothing_can_be_measured():
    labels = pa.chunked_array([[1.0, None, float("nan"), 0.0]])
    answered, silent = pa.table({"prediction": [1.0] * 4}), pa.table({"prediction": [1.0, None, 1.0, 1.0]})
    assert measurable(answered, labels).tolist() == [True, False, False, True]
    assert measurable(silent, labels) is None
    assert measurable(answered, pa.chunked_array([[None] * 4], pa.float64())) is None
