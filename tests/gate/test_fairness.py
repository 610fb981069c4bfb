"""How far a metric may differ between groups."""

import numpy as np
import pytest

from noa_mlops.gate import judge
from noa_mlops.gate.fairness import Pair
from noa_mlops.gate.slices import Slice
from noa_mlops.records.fairness import Fairness
from noa_mlops.records.slices import Sliced, Slicing
from noa_mlops.records.spread import Moments, Proportion
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate

WHOLE = {"recall": Estimate(0.8, 5000, spread=Proportion(4000, 5000))}
APART = Fairness("sex", max_difference=0.1)
RATIO = Fairness("sex", min_ratio=0.8)


def share(hits, of):
    return Estimate(hits / of, of, spread=Proportion(hits, of))


def by(grouped=False, **estimates):
    found = tuple(estimates.values())
    sliced = Sliced(tuple(estimates), tuple(one.rows for one in found), {"recall": found})
    return Slicing({"sex": sliced}, grouped=grouped)


def judged(rule, slicing, confidence=None, **more):
    threshold = Threshold("recall", 0.1, confidence=confidence, fairness=rule, **more)
    return judge([threshold], WHOLE, slicing=slicing)


@pytest.mark.parametrize(
    ("first", "second", "lower", "upper"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_the_interval_of_a_difference_is_that_of_newcombe_1998_table_ii_method_10(first, second, lower, upper):
    pair = Pair(Slice("sex", "a", share(*first)), Slice("sex", "b", share(*second)), Fairness("sex", 0.0), False)
    assert pair.lowest(0.025) == pytest.approx(lower, abs=5e-5)
    assert pair.highest(0.025) == pytest.approx(upper, abs=5e-5)


@pytest.mark.parametrize(
    ("rule", "men", "plain", "sure"),
    [
        (APART, 800, "pass", "pass"),
        (APART, 730, "pass", "inconclusive"),
        (APART, 690, "pass", "inconclusive"),
        (APART, 600, "fail", "fail"),
        (RATIO, 760, "pass", "pass"),
        (RATIO, 650, "pass", "inconclusive"),
        (RATIO, 630, "pass", "inconclusive"),
        (RATIO, 550, "fail", "fail"),
    ],
)
def test_groups_fail_when_they_are_shown_too_far_apart_and_must_clear_the_bound_where_a_confidence_is_asked_for(
    rule, men, plain, sure
):
    for slices in (by(f=share(800, 1000), m=share(men, 1000)), by(m=share(men, 1000), f=share(800, 1000))):
        assert judged(rule, slices).outcome == plain
        assert judged(rule, slices, confidence=0.95).outcome == sure


def test_the_worst_pair_is_named():
    slices = by(a=share(800, 1000), b=share(600, 1000), c=share(500, 1000))
    (found,) = judged(APART, slices).violations
    assert found.value == pytest.approx(0.3)
    assert found.reason.startswith("0.8 in sex 'a' and 0.5 in sex 'c' differ by 0.3 (0.")
    assert found.reason.endswith("), allowed 0.1, and 1 pair more")
    (found,) = judged(RATIO, slices).violations
    assert found.value == pytest.approx(0.625)
    assert found.reason == ("0.8 in sex 'a' and 0.5 in sex 'c' have the ratio 0.625, at least 0.8 is asked for")


@pytest.mark.parametrize(("men", "advice"), [(720, "rows would decide"), (690, "more rows would not help")])
def test_what_is_undecided_names_the_pair_and_how_many_rows_would_decide(men, advice):
    verdict = judged(APART, by(f=share(800, 1000), m=share(men, 1000)), confidence=0.95)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons[0].startswith("recall: 0.8 in sex 'f'")
    assert advice in verdict.reasons[0]


def test_equal_groups_are_fair_however_little_is_allowed_unless_certainty_is_asked_for():
    slices = by(f=share(800, 1000), m=share(800, 1000))
    assert judged(Fairness("sex", max_difference=0.0), slices).promotes
    assert judged(Fairness("sex", max_difference=0.0), slices, confidence=0.95).outcome == "inconclusive"


@pytest.mark.parametrize("slices", [by(f=share(800, 1000), m=share(3, 29)), by(f=share(800, 1000))])
def test_what_cannot_be_compared_is_inconclusive_unless_the_plan_is_content_with_a_note(slices):
    verdict = judged(APART, slices)
    assert verdict.outcome == "inconclusive"
    assert "recall: fewer than two groups of sex could be compared" in verdict.reasons
    content = judged(APART, slices, on_small_slice="warn")
    assert (content.outcome, content.reasons) == ("pass", ())
    assert "recall: fewer than two groups of sex could be compared" in content.notes


def test_a_column_that_was_not_measured_is_not_fair():
    assert judged(APART, Slicing()).reasons == ("recall: was not measured by sex",)


def test_a_model_without_a_single_hit_has_groups_as_bad_as_each_other():
    threshold = Threshold("recall", 0.0, fairness=RATIO)
    assert judge([threshold], WHOLE, slicing=by(f=share(0, 1000), m=share(0, 1000))).promotes


def test_rows_of_one_group_on_both_sides_may_depend_so_the_bounds_are_further_apart():
    slices = {"f": share(800, 1000), "m": share(655, 1000)}
    assert judged(APART, by(**slices)).outcome == "fail"
    assert judged(APART, by(grouped=True, **slices)).outcome == "pass"


def test_metrics_without_counts_are_compared_by_their_moments():
    def loss(value):
        return Estimate(value, 1000, spread=Moments(0.01, 0.0, 999.0, 1000, 0.01))

    def outcome(value, confidence=None):
        found = (loss(0.3), loss(value))
        slicing = Slicing({"sex": Sliced(("f", "m"), (1000, 1000), {"log_loss": found})})
        threshold = Threshold("log_loss", maximum=0.9, confidence=confidence, fairness=APART)
        return judge([threshold], {"log_loss": loss(0.3)}, slicing=slicing).outcome

    assert [outcome(value) for value in (0.35, 0.41, 0.5)] == ["pass", "pass", "fail"]
    assert [outcome(value, 0.95) for value in (0.35, 0.41, 0.5)] == ["pass", "inconclusive", "fail"]


def test_five_equal_groups_exactly_at_the_limit_fail_a_model_in_one_of_twenty_cases_at_most():
    draw = np.random.default_rng(11)
    hits = draw.binomial(500, [0.7, 0.6, 0.6, 0.6, 0.6], (400, 5))
    outcomes = [judged(APART, by(**{f"g{n}": share(int(h), 500) for n, h in enumerate(row)})).outcome for row in hits]
    assert outcomes.count("fail") <= 27  # 5 % of 400, and 1.6 standard errors
