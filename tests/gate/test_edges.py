"""Exactly at a limit, and exactly how many rows: where one step decides."""

import pytest

from noa_mlops.gate import compares, decide, judge
from noa_mlops.gate.certainty import MORE_WOULD_NOT_HELP, advice, error_at, error_of, rows_to_decide
from noa_mlops.gate.finding import Finding
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.spread import Moments
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate, Verdict
from noa_mlops.records.versus import VersusChampion


def measured(value, error=0.02, rows=1000):
    spread = Moments(error=error, skew=0.0, freedom=rows - 1.0, units=rows, floor=1 / rows)
    return Estimate(value, rows, spread=spread)


def held(threshold, estimate, **options):
    return judge([threshold], {threshold.metric: estimate}, **options)


def beside(rule, improvement):
    threshold = Threshold("roc_auc", 0.5, versus_champion=rule)
    return held(threshold, Estimate(0.8, 1000), comparison=Comparison(3, {"roc_auc": 0.8}, {"roc_auc": improvement}))


def test_a_bound_exactly_at_its_limit_meets_it():
    estimate = measured(0.8)
    lower, upper = estimate.bounds(error_of(0.95, 1))
    assert held(Threshold("roc_auc", minimum=lower, confidence=0.95), estimate).promotes
    assert held(Threshold("roc_auc", maximum=upper, confidence=0.95), estimate).promotes


def test_a_limit_exactly_at_the_far_bound_is_not_yet_missed():
    estimate = measured(1.0)
    lower, upper = estimate.bounds(error_of(0.95, 1))
    for threshold in (Threshold("calibration_slope", upper, 1.5), Threshold("calibration_slope", 0.5, lower)):
        sure = Threshold(threshold.metric, threshold.minimum, threshold.maximum, confidence=0.95)
        assert held(sure, estimate).outcome == "inconclusive"


def test_a_gain_must_be_more_than_the_limit_and_a_drop_beyond_it_to_be_shown():
    better, worse = measured(0.05), measured(-0.01)
    at_the_lower = VersusChampion("min_gain", better.bounds(error_at(1))[0])
    at_the_upper = VersusChampion("min_gain", worse.bounds(error_at(1))[1])
    assert beside(at_the_lower, better).outcome == "inconclusive"
    assert beside(at_the_upper, worse).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("threshold", "value", "distance"),
    [
        (Threshold("roc_auc", minimum=0.8, confidence=0.95), 0.81, 0.81 - 0.8),
        (Threshold("log_loss", maximum=0.6, confidence=0.95), 0.59, 0.6 - 0.59),
        (Threshold("calibration_slope", 0.8, 1.2, confidence=0.95), 0.82, 0.82 - 0.8),
        (Threshold("calibration_slope", 0.8, 1.2, confidence=0.9), 1.19, 1.2 - 1.19),
        (Threshold("mcc", minimum=-0.01, confidence=0.95), 0.0, 0.01),
    ],
)
def test_asks_for_the_rows_that_the_nearest_limit_takes(threshold, value, distance):
    estimate = measured(value)
    rows = rows_to_decide(estimate, distance, error_of(threshold.confidence, 1))
    verdict = held(threshold, estimate)
    assert verdict.outcome == "inconclusive"
    assert f": {value:.4g} (" in verdict.reasons[0]
    assert verdict.reasons[0].endswith(f"about {rows:,} rows would decide")


@pytest.mark.parametrize(
    ("rule", "improvement", "distance"),
    [
        (VersusChampion("max_drop", 0.02), 0.01, 0.02),
        (VersusChampion("max_drop", 0.02), -0.01, 0.02),
        (VersusChampion("max_drop", 0.0), 0.01, 0.01),
        (VersusChampion("min_gain", 0.01), 0.03, 0.02),
    ],
)
def test_asks_for_the_rows_that_show_two_equal_models_where_a_drop_is_allowed_else_the_gain(
    rule, improvement, distance
):
    estimate = measured(improvement)
    verdict = beside(rule, estimate)
    assert verdict.reasons[0].endswith(advice(rows_to_decide(estimate, distance, error_at(1))))


@pytest.mark.parametrize("improvement", [-0.02, -0.03])
def test_no_rows_show_that_a_challenger_at_or_beyond_the_limit_is_within_it(improvement):
    assert beside(VersusChampion("max_drop", 0.02), measured(improvement)).reasons[0].endswith(MORE_WOULD_NOT_HELP)


def test_no_rows_decide_what_lies_exactly_at_its_threshold():
    verdict = held(Threshold("roc_auc", minimum=0.8, confidence=0.95), measured(0.8))
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons[0].endswith(MORE_WOULD_NOT_HELP)


def test_asks_for_two_digits_of_rows_and_for_a_single_one_where_few_are_enough():
    assert rows_to_decide(measured(0.8, rows=5), 0.02, 0.05) == 31
    assert rows_to_decide(measured(0.8, error=0.1, rows=5), 0.08, 0.05) == 49
    assert rows_to_decide(measured(0.8, error=0.1, rows=30), 0.08, 0.05) == 290


def test_asks_for_at_least_one_row_more_than_there_are_and_for_none_beyond_all_measure():
    assert rows_to_decide(measured(0.8), 0.9, 0.05) == 1001
    assert rows_to_decide(measured(0.8), 1e-9, 0.05) is None


def test_says_whether_a_drop_is_allowed_or_a_gain_is_asked_for():
    assert "allowed -0.02" in beside(VersusChampion("max_drop", 0.02), measured(0.0)).reasons[0]
    assert "asked for 0.01" in beside(VersusChampion("min_gain", 0.01), measured(0.0)).reasons[0]


def test_the_first_look_is_meant_where_none_is_named():
    threshold, estimate = Threshold("roc_auc", minimum=0.8, confidence=0.95), measured(0.837)
    assert held(threshold, estimate).promotes
    assert held(threshold, estimate, look=1).promotes
    assert not held(threshold, estimate, look=2).promotes


@pytest.mark.parametrize("value", [0.99, Estimate(0.99, 12)])
def test_a_bare_number_bounds_nothing_and_says_so(value):
    verdict = held(Threshold("accuracy", minimum=0.9, confidence=0.95), value)
    assert (verdict.outcome, verdict.reasons[0].endswith("has no spread")) == ("inconclusive", True)


def test_a_metric_that_misses_its_threshold_is_held_against_the_champion_too_but_not_one_that_is_not_there():
    threshold = Threshold("roc_auc", minimum=0.9)
    worse = Comparison(3, {"roc_auc": 0.9}, {"roc_auc": measured(-0.2, 0.01)})
    both = judge([threshold], {"roc_auc": Estimate(0.7, 1000)}, worse)
    assert [violation.rule for violation in both.violations] == ["threshold", "champion"]
    alone = judge([threshold], {}, worse)
    assert ([violation.rule for violation in alone.violations], alone.reasons) == (["threshold"], ())


def test_the_largest_whole_number_that_is_one_is_taken_as_it_is():
    threshold = Threshold("mae", maximum=9)
    assert held(threshold, 2**1023).violations[0].value == 2.0**1023
    assert held(threshold, 2**1023 + 1).violations[0].reason == "is too large for a number"


@pytest.mark.parametrize(
    ("rules", "asks"),
    [
        ([None], True),
        ([VersusChampion("none")], False),
        ([None, VersusChampion("none")], True),
        ([VersusChampion("max_drop", 0.1)], True),
        ([VersusChampion("none"), VersusChampion("none")], False),
    ],
)
def test_a_plan_asks_for_the_champion_unless_every_metric_of_its_refuses(rules, asks):
    assert compares([Threshold("roc_auc", 0.5, versus_champion=rule) for rule in rules]) is asks


def test_a_challenger_that_passes_beside_a_champion_that_could_not_be_measured_waits_for_somebody():
    decision = decide(Verdict("pass"), gate="declared", compared=False)
    assert (decision.status, decision.reasons) == ("blocked", ("champion", "approval"))


def test_a_failure_names_all_that_it_failed_by_each_once_and_the_data_first():
    low = held(Threshold("roc_auc", minimum=0.9), 0.1).violations
    worse = judge(
        [Threshold("roc_auc", 0.5)],
        {"roc_auc": 0.8},
        Comparison(3, {"roc_auc": 0.9}, {"roc_auc": measured(-0.2, 0.01)}),
    ).violations
    unclean = Verdict("fail", (*low, *low, *worse), unclean="the rows are those of the training")
    assert decide(unclean, gate="declared").reasons == ("hygiene", "threshold", "champion")


def test_what_a_check_found_cannot_be_changed_afterwards():
    found = Finding()
    with pytest.raises(AttributeError):
        found.unsure = "perhaps"
    assert not hasattr(found, "__dict__")


def test_a_single_row_is_a_measurement_and_none_is_not():
    threshold = Threshold("accuracy", minimum=0.9)
    assert held(threshold, Estimate(1.0, 1)).promotes
    assert held(threshold, Estimate(1.0, 0)).violations[0].reason == "was measured over no rows"
