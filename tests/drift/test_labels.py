"""Labels decide whether drift hurts: bounds must meet every threshold, or show a drop; else nothing follows."""

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.drift import Labelled, judge_labels
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


def promoted(**values):
    """The metrics of then, as if they were exact."""
    return {name: Estimate(value, 1) for name, value in values.items()}


def labelled(rows, *, due=None, window=None):
    return Labelled(rows, rows if due is None else due, rows if window is None else window)


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
    before = {} if then is None else promoted(accuracy=then)
    report = judge_labels([ACCURACY], measured(rows, right=right), before, labelled(rows))
    assert report.finding == finding


def test_one_metric_that_hurts_is_enough_and_all_must_clear():
    now = measured(2000, right=0.84)
    log_loss = Threshold("log_loss", maximum=0.9)
    then, rows = promoted(accuracy=0.84, log_loss=now["log_loss"].value), labelled(2000)
    assert judge_labels([ACCURACY, log_loss], now, then, rows).finding == "clears"
    assert judge_labels([ACCURACY, log_loss], now, {**then, **promoted(log_loss=0.1)}, rows).finding == "hurts"
    undecided = judge_labels([ACCURACY, Threshold("log_loss", maximum=now["log_loss"].value)], now, then, rows)
    assert undecided.finding == "undecided"


def test_the_plan_says_how_much_may_be_lost():
    lenient = Threshold("accuracy", minimum=0.75, versus_champion=VersusChampion("max_drop", 0.2))
    report = judge_labels([lenient], measured(2000, right=0.80), promoted(accuracy=0.85), labelled(2000))
    assert (report.finding, report.metrics[0].allowed) == ("clears", 0.2)


def test_what_was_not_measured_clears_nothing():
    silent = {"accuracy": Estimate(None, 10, "no labels")}
    for now in ({}, silent):
        report = judge_labels([ACCURACY], now, promoted(accuracy=0.8), labelled(10))
        assert (report.finding, report.metrics[0].bounds) == ("undecided", None)
    assert judge_labels([], {}, {}, labelled(10)).finding == "undecided"


def test_a_threshold_over_slices_is_not_cleared_by_the_whole():
    sliced = Threshold("accuracy", minimum=0.75, slices=("season",))
    now, then = measured(2000, right=0.84), promoted(accuracy=0.84)
    assert judge_labels([sliced], now, then, labelled(2000)).finding == "undecided"
    assert judge_labels([sliced], measured(2000, right=0.6), then, labelled(2000)).finding == "hurts"


def test_a_drop_beyond_doubt_blocks_at_once_and_a_likely_one_must_be_seen_again():
    then = measured(20_000, right=0.85, seed=2)
    wild = judge_labels([ACCURACY], measured(2000, right=0.60), then, labelled(2000))
    odd = judge_labels([ACCURACY], measured(1000, right=0.80), then, labelled(1000))
    assert (wild.finding, wild.is_certain) == ("hurts", True)
    assert (odd.finding, odd.is_certain) == ("hurts", False)


def test_a_value_of_the_promotion_that_nobody_can_bound_is_not_enough_to_block_at_once():
    report = judge_labels([ACCURACY], measured(2000, right=0.60), promoted(accuracy=0.85), labelled(2000))
    assert (report.finding, report.is_certain) == ("hurts", False)


def test_a_value_measured_on_few_rows_when_it_was_promoted_shows_no_drop():
    now, few = measured(2000, right=0.79), measured(60, right=0.86, seed=4)
    exact = promoted(accuracy=few["accuracy"].value)
    assert judge_labels([ACCURACY], now, exact, labelled(2000)).finding == "hurts"
    assert judge_labels([ACCURACY], now, few, labelled(2000)).metrics[0].finding == "clears"


@pytest.mark.parametrize(
    ("rows", "due", "window", "right", "finding"),
    [
        (2000, 2000, 2000, 0.84, "clears"),
        (2000, 2000, 2100, 0.84, "clears"),
        (2000, 2000, 3000, 0.84, "undecided"),  # a third is too young
        (2000, 3000, 3000, 0.84, "undecided"),  # a third has no label although it is old enough
        (2000, 2000, 3000, 0.60, "hurts"),
        (2000, 3000, 3000, 0.60, "undecided"),  # those that have one may be the hard ones
    ],
)
def test_labels_decide_only_where_enough_rows_have_one(rows, due, window, right, finding):
    now = measured(rows, right=right)
    report = judge_labels([ACCURACY], now, promoted(accuracy=0.85), labelled(rows, due=due, window=window))
    assert report.finding == finding
