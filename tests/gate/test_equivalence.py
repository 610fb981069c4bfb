"""As good as the recorded one: shown by the paired interval, within what the recorded measurement left open."""

import pytest

from noa_mlops.gate import answered_alike, equivalent
from noa_mlops.records.spread import Moments, PairedProportion, Proportion
from noa_mlops.records.verdict import Estimate


def sure(error, rows=1000):
    return Moments(error=error, skew=0.0, freedom=rows - 1.0, units=rows, floor=1 / rows)


def area(value, error=0.01):
    return Estimate(value, 1000, spread=sure(error))


@pytest.mark.parametrize(
    ("improvement", "error", "equal"),
    [
        (0.0, 0.001, True),
        (-0.010, 0.001, True),  # proven worse, by less than the measurement left open
        (-0.020, 0.001, False),
        (+0.020, 0.001, False),  # much better is another model too
        (0.0, 0.02, False),  # zero is in the interval, which is wide
    ],
)
def test_the_whole_interval_of_the_difference_must_lie_within_half_the_width_of_the_recorded_one(
    improvement, error, equal
):
    found = equivalent("roc_auc", area(0.8), area(0.8 + improvement), area(improvement, error))
    assert found.equal is equal
    assert found.margin == pytest.approx(1.6464 * 0.01, rel=1e-3)  # Student's t with 999 degrees of freedom, 95 %
    assert (found.lower, found.upper) == (
        pytest.approx(improvement - 1.6464 * error, rel=1e-3),
        pytest.approx(improvement + 1.6464 * error, rel=1e-3),
    )


def test_few_rows_show_no_equality():
    """One row of ten apart: nothing is proven against the new model, and nothing for it."""
    few = equivalent(
        "accuracy",
        Estimate(0.8, 10, spread=Proportion(8, 10)),
        Estimate(0.7, 10, spread=Proportion(7, 10)),
        Estimate(-0.1, 10, spread=PairedProportion(0, 1, 10)),
    )
    assert not few.equal
    assert few.lower < 0 < few.upper


@pytest.mark.parametrize(
    "spread", [PairedProportion(0, 0, 10), Moments(error=0.0, skew=0.0, freedom=9.0, units=10, floor=0.1)]
)
def test_what_moved_on_no_row_is_equal_however_few_there_are(spread):
    recorded = Estimate(0.8, 10, spread=Proportion(8, 10))
    assert equivalent("accuracy", recorded, recorded, Estimate(0.0, 10, spread=spread)).equal
    assert not equivalent("accuracy", recorded, Estimate(0.9, 10), Estimate(0.1, 10, spread=spread)).equal


def test_what_has_a_best_value_in_between_must_not_move_across_it():
    """From 1.1 to 0.9 a calibration slope is as far from 1 as before, and yet another one."""
    same_distance = area(0.0, 0.001)
    assert not equivalent("calibration_slope", area(1.1), area(0.9), same_distance).equal
    assert equivalent("calibration_slope", area(1.1), area(1.1), same_distance).equal


@pytest.mark.parametrize(
    ("recorded", "now", "improvement", "reason"),
    [
        (Estimate(None, 9, "one class"), area(0.8), area(0.0), "when it was recorded, it was not measured: one class"),
        (area(0.8), Estimate(None, 9, "one class"), area(0.0), "now, it was not measured: one class"),
        (Estimate(0.8, 9), area(0.8), area(0.0), "recorded, it has no spread"),
        (area(0.8), area(0.8), None, "cannot be compared row by row"),
        (area(0.8), area(0.8), Estimate(0.0, 9), "the difference has no spread"),
    ],
)
def test_what_cannot_be_bounded_is_not_equal_and_says_why(recorded, now, improvement, reason):
    found = equivalent("roc_auc", recorded, now, improvement)
    assert not found.equal
    assert reason in found.reason


def test_the_same_answers_need_no_interval():
    assert answered_alike("accuracy", Estimate(0.8, 10), Estimate(0.8, 10)).equal
