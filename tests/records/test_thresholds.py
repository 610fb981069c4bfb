"""Thresholds: read by the table of metrics, met when exactly met."""

from __future__ import annotations

import math
import re

import pytest

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.fairness import Fairness
from noa_mlops.records.thresholds import Threshold, read_thresholds
from noa_mlops.records.versus import VersusChampion


def test_reads_a_bare_number_by_the_direction_of_the_metric():
    assert read_thresholds({"roc_auc": 0.8, "log_loss": 0.6}) == (
        Threshold("roc_auc", minimum=0.8),
        Threshold("log_loss", maximum=0.6),
    )
    assert Threshold.of("rmse", 3) == Threshold("rmse", maximum=3.0)


def test_reads_bounds_as_they_are_named():
    assert read_thresholds({"roc_auc": {"max": 0.99}, "log_loss": {"min": 0, "max": 2}}) == (
        Threshold("roc_auc", maximum=0.99),
        Threshold("log_loss", minimum=0.0, maximum=2.0),
    )


@pytest.mark.parametrize(
    ("threshold", "met", "missed"),
    [
        (Threshold("roc_auc", minimum=0.8), 0.8, math.nextafter(0.8, 0)),
        (Threshold("log_loss", maximum=0.6), 0.6, math.nextafter(0.6, 1)),
        (Threshold("calibration_slope", 0.8, 1.2), 1.2, math.nextafter(1.2, 2)),
        (Threshold("calibration_slope", 0.8, 1.2), 0.8, math.nextafter(0.8, 0)),
    ],
)
def test_is_met_exactly_at_its_bound_and_missed_one_step_beyond(threshold, met, missed):
    assert threshold.clears(met)
    assert not threshold.clears(missed)
    assert not threshold.clears(math.nan)


@pytest.mark.parametrize(
    ("threshold", "text", "document"),
    [
        (Threshold("roc_auc", minimum=0.8), "roc_auc >= 0.8", 0.8),
        (Threshold("roc_auc", maximum=0.8), "roc_auc <= 0.8", {"max": 0.8}),
        (Threshold("log_loss", maximum=1), "log_loss <= 1.0", 1.0),
        (Threshold("log_loss", 0.1, 1), "log_loss >= 0.1 and <= 1.0", {"min": 0.1, "max": 1.0}),
        (Threshold("calibration_slope", minimum=1), "calibration_slope >= 1.0", {"min": 1.0}),
        (Threshold("f1", 0.5, confidence=0.95), "f1 >= 0.5 at 95 %", {"min": 0.5, "confidence": 0.95}),
        (
            Threshold("f1", 0.5, versus_champion=VersusChampion("none")),
            "f1 >= 0.5",
            {"min": 0.5, "versus_champion": "none"},
        ),
        (
            Threshold("f1", 0.5, slices=("season",), min_rows=200, on_small_slice="warn"),
            "f1 >= 0.5",
            {"min": 0.5, "slices": ["season"], "min_rows": 200, "on_small_slice": "warn"},
        ),
        (Threshold("f1", 0.5, slices=("a",), min_rows=30), "f1 >= 0.5", {"min": 0.5, "slices": ["a"]}),
        (
            Threshold("f1", 0.5, fairness=Fairness("sex", max_difference=0.1)),
            "f1 >= 0.5",
            {"min": 0.5, "fairness": {"by": "sex", "max_difference": 0.1}},
        ),
        (
            Threshold("mae", maximum=3, fairness=Fairness("sex", min_ratio=1)),
            "mae <= 3.0",
            {"max": 3.0, "fairness": {"by": "sex", "min_ratio": 1}},
        ),
        (
            Threshold("mae", maximum=3, versus_champion=VersusChampion("min_gain")),
            "mae <= 3.0",
            {"max": 3.0, "versus_champion": {"min_gain": 0.0}},
        ),
    ],
)
def test_is_written_as_people_read_it(threshold, text, document):
    assert str(threshold) == text
    assert threshold.to_document() == document
    assert read_thresholds({threshold.metric: document}) == (threshold,)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"roc_acu": 0.8}, "unknown metric 'roc_acu'; did you mean 'roc_auc'?"),
        ({"AUC": 0.8}, "unknown metric 'AUC'; did you mean 'roc_auc'?"),
        ({"zzz": 0.8}, "unknown metric 'zzz'; the metrics are listed by 'noa schema plan'"),
        ({"roc_auc": True}, "roc_auc must be a number, got true"),
        ({"roc_auc": None}, "roc_auc must be a number, got null"),
        ({"roc_auc": [0.8]}, "roc_auc must be a number, got a list"),
        ({"roc_auc": "0.8"}, 'roc_auc must be a number, got "0.8"; write 0.8 without quotes'),
        ({"roc_auc": 80}, "roc_auc must be from 0 to 1, got 80; did you mean 0.8?"),
        ({"roc_auc": -0.1}, "roc_auc must be from 0 to 1, got -0.1"),
        ({"rmse": -1}, "rmse must be at least 0, got -1"),
        ({"r2": 2}, "r2 must be at most 1, got 2"),
        ({"roc_auc": {}}, "roc_auc must have a min or a max"),
        ({"roc_auc": {"min": "1"}}, 'roc_auc.min must be a number, got "1"; write 1 without quotes'),
        ({"roc_auc": {"min": 0.9, "max": 0.1}}, "roc_auc has its minimum 0.9 above its maximum 0.1"),
        ({"roc_auc": {"minimum": 0.9}}, "unknown field 'roc_auc.minimum'; did you mean 'min'?"),
        ({"roc_auc": {"least": 0.9}}, "unknown field 'roc_auc.least'; use 'min' or 'max'"),
        ({"roc_auc": {"min": 0.9, "slices": "a"}}, 'roc_auc.slices must be a list of columns, got "a"; write [a]'),
        (
            {"roc_auc": {"min": 0.9, "slices": ["a", "", 1, "a"]}},
            (
                "roc_auc.slices[1] must not be empty; roc_auc.slices[2] must be the name of a column, got 1; "
                'put it in quotes to make it text; roc_auc.slices[3] names "a" a second time'
            ),
        ),
        (
            {"roc_auc": {"min": 0.9, "slices": [f"c{n}" for n in range(11)]}},
            "roc_auc.slices must name at most 10 columns, got 11",
        ),
        ({"roc_auc": {"min": 0.9, "slice": ["a"]}}, "unknown field 'roc_auc.slice'; did you mean 'slices'?"),
        (
            {"roc_auc": {"min": 0.9, "slices": ["a"], "min_rows": 0}},
            "roc_auc.min_rows must be from 1 to 9007199254740992, got 0",
        ),
        (
            {"roc_auc": {"min": 0.9, "slices": ["a"], "on_small_slice": "pass"}},
            "roc_auc.on_small_slice must be 'warn' or 'inconclusive', got \"pass\"",
        ),
        (
            {"roc_auc": {"min": 0.9, "min_rows": 20}},
            "roc_auc speaks of small slices, but there is no 'slices' and no 'fairness'",
        ),
        (
            {"max_error": {"max": 9, "slices": ["a"]}},
            "max_error.slices must be absent: max_error hangs on a single row, so it has no interval",
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": "sex"}},
            (
                'roc_auc.fairness must be a mapping, got "sex"; '
                "write {by: COLUMN, max_difference: 0.1} or {by: COLUMN, min_ratio: 0.8}"
            ),
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"by": "sex"}}},
            "roc_auc.fairness must have either 'max_difference' or 'min_ratio'",
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"by": "sex", "max_difference": 0.1, "min_ratio": 0.8}}},
            "roc_auc.fairness must have either 'max_difference' or 'min_ratio'",
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"max_difference": 0.1}}},
            "roc_auc.fairness.by is missing; name the column whose values are the groups",
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"by": "sex", "max_difference": -0.1}}},
            "roc_auc.fairness.max_difference must be a finite number from 0 on, got -0.1",
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"by": "sex", "min_ratio": 1.2}}},
            ("roc_auc.fairness.min_ratio must be over 0 and at most 1, got 1.2; it is smaller over greater value"),
        ),
        (
            {"roc_auc": {"min": 0.9, "fairness": {"by": "sex", "ratio": 0.8}}},
            "unknown field 'roc_auc.fairness.ratio'; use 'by' with 'max_difference' or 'min_ratio'",
        ),
        (
            {"mcc": {"min": 0.3, "fairness": {"by": "sex", "min_ratio": 0.8}}},
            "mcc.fairness.min_ratio must be absent; mcc may be negative: write max_difference",
        ),
        (
            {"roc_auc": {"min": 0.9, "confidence": 95}},
            "roc_auc.confidence must be from 0.5 to less than 1, got 95; did you mean 0.95?",
        ),
        ({"roc_auc": {"min": 0.9, "confidence": 1}}, "roc_auc.confidence must be from 0.5 to less than 1, got 1"),
        ({"roc_auc": {"min": 0.9, "confidence": True}}, "roc_auc.confidence must be a number, got true"),
        ({"roc_auc": {"confidence": 0.9}}, "roc_auc must have a min or a max"),
        (
            {"roc_auc": {"min": 0.9, "versus_champion": {}}},
            "roc_auc.versus_champion must be one rule, got a mapping; write {max_drop: 0.01}, {min_gain: 0.0} or none",
        ),
        (
            {"roc_auc": {"min": 0.9, "versus_champion": {"max_drop": -0.1}}},
            "roc_auc.versus_champion.max_drop must be a finite number from 0 on, got -0.1",
        ),
        (
            {"roc_auc": {"min": 0.9, "versus_champion": {"drop": 0.1}}},
            "unknown field 'roc_auc.versus_champion.drop'; use 'max_drop' or 'min_gain'",
        ),
        (
            {"max_error": {"max": 9, "confidence": 0.9}},
            "max_error.confidence must be absent: max_error hangs on a single row, so it has no interval",
        ),
        (
            {"calibration_slope": 1},
            (
                "calibration_slope must say which side it bounds; calibration_slope is best at 1, inside its range: "
                "write {min: ..., max: ...}"
            ),
        ),
        (
            {"own.cost": 3},
            (
                '["own.cost"] must say which side it bounds; own.cost is your own: '
                "write {min: ...} where more is better, {max: ...} where less is"
            ),
        ),
        (
            {"own.cost": {"min": 1, "max": 3}},
            '["own.cost"].versus_champion must be none: two bounds do not say which way own.cost is better',
        ),
        ({"own.": {"max": 3}}, "'[\"own.\"]' must be 1 to 48 of a-z, 0-9, '_', '-', starting with a letter or digit"),
        ({"own.mae": {"max": 3}}, "'[\"own.mae\"]' is the name of a metric that is measured anyway"),
        (["roc_auc"], "must be a mapping, got a list"),
        ({"roc_auc": 0.8, "rmse": 1}, "'rmse' is a metric of regression, while roc_auc is one of classification"),
    ],
)
def test_refuses_what_bounds_nothing_or_nothing_possible(written, message):
    with pytest.raises(PlanInvalid, match=f"^{re.escape(message)}$"):
        read_thresholds(written)


def test_names_every_fault_at_once():
    with pytest.raises(PlanInvalid) as refused:
        read_thresholds({"f1": "x", "rmse": {"mn": 1}, "nope": 1})
    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "roc_auc"},
        {"metric": "nope", "minimum": 1},
        {"metric": ["roc_auc"], "minimum": 1},
        {"metric": "roc_auc", "minimum": math.nan},
        {"metric": "mae", "maximum": math.inf},
        {"metric": "roc_auc", "minimum": True},
        {"metric": "roc_auc", "minimum": "0.8"},
        {"metric": "roc_auc", "minimum": 1.5},
        {"metric": "roc_auc", "minimum": 0.9, "maximum": 0.8},
    ],
)
def test_refuses_the_same_in_python(fields):
    with pytest.raises(PlanInvalid):
        Threshold(**fields)


@pytest.mark.parametrize(
    ("written", "direction"), [({"min": 3}, "higher"), ({"max": 3}, "lower"), ({"max": 3, "confidence": 0.9}, "lower")]
)
def test_learns_which_way_a_metric_of_the_plans_own_is_better_from_its_side(written, direction):
    (threshold,) = read_thresholds({"own.cost": written})
    assert (threshold.row.direction, threshold.row.task, threshold.compares) == (direction, None, True)
    assert threshold.to_document() == written
    with pytest.raises(PlanInvalid):
        Threshold.of("own.cost", 3)


def test_goes_with_metrics_of_either_task_when_it_is_the_plans_own():
    for ours in ({"roc_auc": 0.8}, {"rmse": 3}):
        assert len(read_thresholds({"own.a": {"min": 1}, **ours, "own.b": {"max": 1}})) == 3


@pytest.mark.parametrize("bound", [math.nan, math.inf, True, "0.8", None, 80])
def test_refuses_a_bare_number_that_is_none(bound):
    with pytest.raises(PlanInvalid):
        Threshold.of("roc_auc", bound)
