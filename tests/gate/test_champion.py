"""Three verdicts: against a threshold with a confidence, and against the champion."""

import math

import pytest

from noa_mlops.gate import compares, judge
from noa_mlops.gate.certainty import LOOKS, error_at, error_of
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.spread import Moments, PairedProportion, Proportion
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate
from noa_mlops.records.versus import VersusChampion

AREA = Threshold("roc_auc", minimum=0.5)
MEASURED = {"roc_auc": Estimate(0.8, 1000), "mae": Estimate(10.0, 1000), "accuracy": Estimate(0.8, 1000)}


def sure(error, rows=1000):
    return Moments(error=error, skew=0.0, freedom=rows - 1.0, units=rows, floor=1 / rows)


def beside(improvement, error, metric="roc_auc", champion=0.8):
    return Comparison(3, {metric: champion}, {metric: Estimate(improvement, 1000, spread=sure(error))})


@pytest.mark.parametrize(
    ("hits", "of", "outcome"), [(850, 1000, "pass"), (805, 1000, "inconclusive"), (750, 1000, "fail")]
)
def test_with_a_confidence_the_bound_decides(hits, of, outcome):
    threshold = Threshold("accuracy", minimum=0.8, confidence=0.95)
    verdict = judge([threshold], {"accuracy": Estimate(hits / of, of, spread=Proportion(hits, of))})
    assert verdict.outcome == outcome


def test_without_a_confidence_the_point_decides():
    assert judge([Threshold("accuracy", minimum=0.8)], {"accuracy": Estimate(0.8, 5)}).promotes


@pytest.mark.parametrize(("value", "advice"), [(0.81, "rows would decide"), (0.79, "more rows would not help")])
def test_what_cannot_be_known_says_how_many_rows_it_wants(value, advice):
    threshold = Threshold("roc_auc", minimum=0.8, confidence=0.95)
    verdict = judge([threshold], {"roc_auc": Estimate(value, 1000, spread=sure(0.02))})
    assert verdict.outcome == "inconclusive"
    assert advice in verdict.reasons[0]


@pytest.mark.parametrize("spread", [None, Moments(0.01, 0.0, 10.0, 12, 0.1)])
def test_too_few_rows_are_inconclusive_whatever_the_value(spread):
    threshold = Threshold("roc_auc", minimum=0.5, confidence=0.95)
    assert judge([threshold], {"roc_auc": Estimate(1.0, 12, spread=spread)}).outcome == "inconclusive"


@pytest.mark.parametrize(("value", "outcome"), [(1.0, "pass"), (0.82, "inconclusive"), (1.5, "fail")])
def test_a_metric_with_two_limits_must_clear_both(value, outcome):
    threshold = Threshold("calibration_slope", 0.8, 1.2, confidence=0.95)
    measured = {"calibration_slope": Estimate(value, 1000, spread=sure(0.05))}
    assert judge([threshold], measured).outcome == outcome


@pytest.mark.parametrize(
    ("improvement", "error", "outcome"),
    [
        (0.0, 0.005, "pass"),
        (0.03, 0.02, "pass"),
        (0.0, 0.02, "inconclusive"),
        (-0.03, 0.02, "inconclusive"),
        (-0.05, 0.01, "fail"),
    ],
)
def test_a_plan_that_says_nothing_allows_a_drop_of_two_points(improvement, error, outcome):
    verdict = judge([AREA], MEASURED, beside(improvement, error))
    assert verdict.outcome == outcome
    assert all(violation.rule == "champion" for violation in verdict.violations)


@pytest.mark.parametrize(("improvement", "outcome"), [(-0.1, "pass"), (-0.3, "fail")])
def test_a_metric_without_a_scale_may_drop_two_percent_of_the_champions_value(improvement, outcome):
    threshold = Threshold("mae", maximum=100)
    assert judge([threshold], MEASURED, beside(improvement, 0.01, "mae", 10.0)).outcome == outcome


def test_two_percent_of_nothing_is_no_rule():
    verdict = judge([Threshold("mae", maximum=100)], MEASURED, beside(0.0, 0.01, "mae", 0.0))
    assert verdict.outcome == "fail"
    assert "not defined" in verdict.violations[0].reason


@pytest.mark.parametrize(
    ("rule", "outcome"), [(None, "pass"), (VersusChampion("max_drop", 0.1), "fail"), (VersusChampion("none"), "pass")]
)
def test_a_bias_is_compared_only_where_the_plan_says_what_it_may_lose(rule, outcome):
    threshold = Threshold("mean_error", -1, 1, versus_champion=rule)
    worse = beside(-0.5, 0.01, "mean_error", 0.01)
    assert judge([threshold], {"mean_error": Estimate(0.51, 1000)}, worse).outcome == outcome
    assert compares([threshold]) == (outcome == "fail")


@pytest.mark.parametrize(("improvement", "outcome"), [(0.02, "pass"), (0.005, "inconclusive"), (-0.02, "fail")])
def test_a_gain_that_is_asked_for_must_be_shown(improvement, outcome):
    threshold = Threshold("roc_auc", 0.5, versus_champion=VersusChampion("min_gain", 0.0))
    assert judge([threshold], MEASURED, beside(improvement, 0.005)).outcome == outcome


@pytest.mark.parametrize("rows", [30, 300, 300_000])
def test_a_champion_beside_itself_never_shows_a_gain(rows):
    same = Estimate(0.0, rows, spread=PairedProportion(0, 0, rows))
    threshold = Threshold("accuracy", 0.5, versus_champion=VersusChampion("min_gain", 0.0))
    verdict = judge([threshold], MEASURED, Comparison(3, {"accuracy": 0.8}, {"accuracy": same}))
    assert verdict.outcome == "inconclusive"


def test_no_comparison_is_made_where_the_plan_refuses_it_or_a_metric_has_none():
    silent = Comparison(3, {}, {})
    threshold = Threshold("roc_auc", 0.5, versus_champion=VersusChampion("none"))
    assert judge([threshold], MEASURED, silent).promotes
    assert judge([Threshold("max_error", maximum=9)], {"max_error": 3.0}, silent).promotes


def test_a_plan_that_says_nothing_is_compared_and_one_that_refuses_is_not():
    refused = Threshold("accuracy", 0.5, versus_champion=VersusChampion("none"))
    assert compares([AREA])
    assert compares([refused, AREA])
    assert not compares([refused, Threshold("max_error", maximum=9)])
    assert not compares([])


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [(None, "pass"), (VersusChampion("max_drop", 0.0), "pass"), (VersusChampion("min_gain", 0.0), "fail")],
)
def test_the_champion_again_is_no_worse_whatever_the_rows_and_never_better(rule, outcome):
    again = Comparison(3, {"accuracy": 0.8}, {"accuracy": Estimate(0.0, 5)}, identical=True)
    verdict = judge([Threshold("accuracy", 0.5, versus_champion=rule)], MEASURED, again)
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    "comparison",
    [
        Comparison(3, {}, {}),
        Comparison(3, {"roc_auc": None}, {"roc_auc": Estimate(None, 9, "the champion gives no probabilities")}),
        Comparison(3, {"roc_auc": 0.8}, {"roc_auc": Estimate(0.0, 9)}),
    ],
)
def test_what_cannot_be_compared_is_inconclusive_and_never_passes(comparison):
    assert judge([AREA], MEASURED, comparison).outcome == "inconclusive"


def test_any_failure_fails_whatever_else_is_unknown():
    thresholds = [Threshold("roc_auc", minimum=0.9), Threshold("accuracy", minimum=0.5)]
    verdict = judge(thresholds, MEASURED, beside(0.0, 0.5))
    assert verdict.outcome == "fail"
    assert verdict.reasons


def test_any_number_of_looks_shares_one_error():
    assert error_at(1) == 0.05
    assert math.fsum(error_at(look) for look in range(1, 100_000)) < LOOKS
    assert error_of(0.9, 1) == pytest.approx(0.1)


def test_a_later_look_asks_for_more():
    """1.8 standard errors clear the limit at the first look and at no later one."""
    just_enough = beside(-0.02 + 0.018, 0.01)
    assert judge([AREA], MEASURED, just_enough, look=1).outcome == "pass"
    assert judge([AREA], MEASURED, just_enough, look=2).outcome == "inconclusive"


@pytest.mark.parametrize("look", [0, -1, True, 1.5])
def test_what_is_no_look_is_refused(look):
    with pytest.raises(ValueError, match="is no look"):
        error_at(look)


def test_the_rows_asked_for_decide_four_times_in_five_by_the_formula():
    """Paired accuracy, 10 % discordant, a drop of 0.02 allowed: n = ((1.645 + 0.842) / 0.02)^2 * 0.1."""
    same = Estimate(0.0, 300, spread=PairedProportion(15, 15, 300))
    verdict = judge([Threshold("accuracy", 0.5)], MEASURED, Comparison(3, {"accuracy": 0.8}, {"accuracy": same}))
    assert "about 1,600 rows would decide" in verdict.reasons[0]


def test_a_drop_in_relation_to_a_champion_at_zero_is_not_defined_and_fails():
    threshold = Threshold("mae", maximum=100.0)
    verdict = judge([threshold], MEASURED, beside(-1.0, 0.1, metric="mae", champion=0.0))
    assert verdict.outcome == "fail"
    assert "in relation to a champion at 0 is not defined" in verdict.violations[0].reason
