"""The verdict: at the threshold, beside it, and with nothing to hold against it."""

import math
from fractions import Fraction

import numpy as np
import pytest

from noa_mlops.gate import NO_GATE, judge, violation
from noa_mlops.records.plan import Threshold
from noa_mlops.records.verdict import Estimate

ACCURATE = Threshold("accuracy", minimum=0.9, maximum=None)
QUIET = Threshold("log_loss", minimum=None, maximum=0.6)
CALIBRATED = Threshold("calibration_slope", minimum=0.8, maximum=1.25)


def under(value):
    return math.nextafter(value, -math.inf)


def over(value):
    return math.nextafter(value, math.inf)


@pytest.mark.parametrize(
    ("threshold", "value"),
    [(ACCURATE, 0.9), (ACCURATE, over(0.9)), (QUIET, 0.6), (QUIET, under(0.6)), (CALIBRATED, 0.8), (CALIBRATED, 1.25)],
)
def test_passes_a_metric_exactly_at_its_threshold_or_better(threshold, value):
    verdict = judge([threshold], {threshold.metric: value})
    assert (verdict.outcome, verdict.violations, verdict.reasons) == ("pass", (), ())
    assert verdict.promotes


@pytest.mark.parametrize(
    ("threshold", "value"),
    [(ACCURATE, under(0.9)), (QUIET, over(0.6)), (CALIBRATED, under(0.8)), (CALIBRATED, over(1.25))],
)
def test_fails_a_metric_that_is_one_step_beyond_its_threshold(threshold, value):
    verdict = judge([threshold], {threshold.metric: value})
    assert verdict.outcome == "fail"
    assert verdict.violations[0].value == value
    assert repr(value) in verdict.violations[0].reason


@pytest.mark.parametrize("sign", [-0.0, 0.0, 0])
def test_takes_zero_as_one_number_whatever_its_sign_and_type(sign):
    assert judge([Threshold("mcc", minimum=0.0, maximum=None)], {"mcc": sign}).promotes


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({}, "was not measured"),
        ({"accuracy": None}, "was not measured"),
        ({"Accuracy": 1.0, "accuracy ": 1.0}, "was not measured"),
        ({"accuracy": math.nan}, "is nan, not a finite number"),
        ({"accuracy": math.inf}, "is inf, not a finite number"),
        ({"accuracy": -math.inf}, "is -inf, not a finite number"),
        ({"accuracy": True}, "is not a number but bool"),
        ({"accuracy": "0.95"}, "is not a number but str"),
        ({"accuracy": b"1"}, "is not a number but bytes"),
        ({"accuracy": [0.95]}, "is not a number but list"),
        ({"accuracy": Fraction(19, 20)}, "is not a number but Fraction"),
        ({"accuracy": np.float32(0.95)}, "is not a number but float32"),
        ({"accuracy": 10**400}, "is too large for a number"),
        ({"accuracy": 95}, "95.0 is outside of 0 to 1"),
        ({"accuracy": 1.001}, "1.001 is outside of 0 to 1"),
        ({"accuracy": Estimate(None, 0, "no row has a label")}, "was not measured: no row has a label"),
        ({"accuracy": Estimate(0.99, 0)}, "was measured over no rows"),
        ({"accuracy": Estimate(0.99, -1)}, "was measured over no rows"),
    ],
)
def test_fails_a_metric_that_is_absent_or_no_measurement(metrics, reason):
    verdict = judge([ACCURATE], metrics)
    assert verdict.outcome == "fail"
    assert [found.reason for found in verdict.violations] == [reason]


def test_forgives_rounding_at_the_end_of_a_range():
    assert judge([ACCURATE], {"accuracy": over(1.0)}).promotes


def test_ignores_metrics_that_no_threshold_names():
    assert judge([ACCURATE], {"accuracy": 0.95, "log_loss": math.nan, "applause": "loud"}).promotes


def test_reads_an_estimate_as_its_value():
    assert judge([ACCURATE], {"accuracy": Estimate(0.9, 10)}).promotes
    assert not judge([ACCURATE], {"accuracy": Estimate(under(0.9), 10)}).promotes


@pytest.mark.parametrize("metrics", [{}, {"accuracy": 1.0}])
def test_is_inconclusive_without_thresholds(metrics):
    verdict = judge([], metrics)
    assert (verdict.outcome, verdict.violations, verdict.reasons) == ("inconclusive", (), (NO_GATE,))
    assert not verdict.promotes


def test_names_every_threshold_that_is_not_met_in_the_order_of_the_plan():
    found = judge([QUIET, ACCURATE, CALIBRATED], {"log_loss": 0.7, "accuracy": 0.95}).violations
    assert [(v.threshold.metric, v.value) for v in found] == [("log_loss", 0.7), ("calibration_slope", None)]


def test_judges_each_of_two_thresholds_on_one_metric():
    strict = Threshold("accuracy", minimum=0.99, maximum=None)
    assert [v.threshold for v in judge([ACCURATE, strict], {"accuracy": 0.95}).violations] == [strict]


def test_takes_thresholds_from_a_generator_once():
    assert judge((threshold for threshold in [ACCURATE]), {"accuracy": 0.1}).outcome == "fail"


def test_writes_a_violation_as_json_with_the_bound_the_value_and_the_reason():
    found = violation(ACCURATE, 0.5)
    assert found is not None
    assert found.to_document() == {"metric": "accuracy", "min": 0.9, "value": 0.5, "reason": "0.5 is under 0.9"}
    assert str(found) == "accuracy >= 0.9: 0.5 is under 0.9"


def test_writes_a_violation_by_a_value_that_is_not_finite_without_that_value():
    found = violation(CALIBRATED, math.nan)
    assert found is not None
    assert found.to_document() == {
        "metric": "calibration_slope",
        "min": 0.8,
        "max": 1.25,
        "value": None,
        "reason": "is nan, not a finite number",
    }
