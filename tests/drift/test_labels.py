"""Labels decide whether drift hurts: bounds must meet every threshold, or show a drop; else nothing follows."""

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.drift import judge_labels
from noa_mlops.evaluation import evaluate
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion


def measured(rows, *, right, seed=0):
    """The metrics of a classifier that is ``right`` so often."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, rows)
    said = np.where(draw.random(rows) < right, labels, 1 - labels)
    shares = 0.2 + 0.6 * said
    predictions = pa.table({"p_0": 1 - shares, "p_1": shares})
    report = evaluate(predictions, pa.array(labels), task="classification", classes=[0, 1], positive=1)
    return report.metrics


ACCURACY = Threshold("accuracy", minimum=0.75)


@pytest.mark.parametrize(
    ("rows", "right", "then", "finding"),
    [
        (2000, 0.84, 0.85, "clears"),
        (2000, 0.60, 0.85, "hurts"),
        (2000, 0.79, 0.85, "hurts"),
        (40, 0.80, 0.85, "undecided"),
        (2000, 0.76, 0.77, "undecided"),
        (2000, 0.84, None, "clears"),
    ],
)
def test_the_bounds_decide(rows, right, then, finding):
    report = judge_labels([ACCURACY], measured(rows, right=right), {"accuracy": then}, rows)
    assert report.finding == finding


def test_one_metric_that_hurts_is_enough_and_all_must_clear():
    now = measured(2000, right=0.84)
    log_loss = Threshold("log_loss", maximum=0.9)
    then = {"accuracy": 0.84, "log_loss": now["log_loss"].value}
    assert judge_labels([ACCURACY, log_loss], now, then, 2000).finding == "clears"
    assert judge_labels([ACCURACY, log_loss], now, {**then, "log_loss": 0.1}, 2000).finding == "hurts"
    undecided = judge_labels([ACCURACY, Threshold("log_loss", maximum=now["log_loss"].value)], now, then, 2000)
    assert undecided.finding == "undecided"


def test_the_plan_says_how_much_may_be_lost():
    lenient = Threshold("accuracy", minimum=0.75, versus_champion=VersusChampion("max_drop", 0.2))
    report = judge_labels([lenient], measured(2000, right=0.80), {"accuracy": 0.85}, 2000)
    assert (report.finding, report.metrics[0].allowed) == ("clears", 0.2)


def test_what_was_not_measured_clears_nothing():
    silent = {"accuracy": Estimate(None, 10, "no labels")}
    for now in ({}, silent):
        report = judge_labels([ACCURACY], now, {"accuracy": 0.8}, 10)
        assert (report.finding, report.metrics[0].bounds) == ("undecided", None)
    assert judge_labels([], {}, {}, 10).finding == "undecided"
