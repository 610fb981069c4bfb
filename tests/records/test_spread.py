"""Bounds from a few recorded numbers, against figures published elsewhere."""

import itertools
import math

import pytest
from scipy import stats

from noa_mlops.records.quantiles import normal_quantile, student_quantile
from noa_mlops.records.spread import Moments, PairedProportion, Proportion, read_spread
from noa_mlops.records.verdict import Estimate

EVEN = Moments(error=0.01, skew=0.0, freedom=999.0, units=1000, floor=0.001)


@pytest.mark.parametrize("error", [0.4, 0.1, 0.05, 0.0167, 0.001, 0.0001])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5.5, 10, 29, 100, 1e4, 1e6])
def test_quantiles_are_those_of_scipy(error, freedom):
    assert normal_quantile(error) == pytest.approx(stats.norm.isf(error), rel=1e-12)
    assert student_quantile(error, freedom) == pytest.approx(stats.t.isf(error, freedom), rel=1e-3)


@pytest.mark.parametrize("error", [0.0, -0.1, 0.6, math.nan])
def test_an_error_is_a_probability_up_to_a_half(error):
    with pytest.raises(ValueError, match="no probability"):
        normal_quantile(error)


@pytest.mark.parametrize(
    ("hits", "of", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_proportions_have_the_score_intervals_of_newcombe_1998_table_1(hits, of, lower, upper):
    bounds = Estimate(hits / of, of, spread=Proportion(hits, of)).bounds(0.025)
    assert bounds == pytest.approx((lower, upper), abs=5e-5)


def test_paired_proportions_have_the_score_interval_of_fagerland_2014():
    """Airway hyper-responsiveness before and after stem cell transplantation, 21 children (Stat Med 33, table II)."""
    bounds = Estimate(-6 / 21, 21, spread=PairedProportion(1, 7, 21)).bounds(0.025)
    assert bounds == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("gained", "lost"), [(0, 1), (3, 3), (10, 2), (25, 25), (40, 13)])
def test_the_paired_bound_leaves_zero_out_exactly_when_mcnemar_does(gained, lost):
    """At a difference of zero Tango's statistic is that of McNemar without correction."""
    statistic = (gained - lost) / math.sqrt(gained + lost)
    spread = PairedProportion(gained, lost, 200)
    lower = (gained - lost) / 200 - spread.below(0.05)
    assert (lower > 0) == (statistic > normal_quantile(0.05))


def test_the_approval_of_a_prime_minister_has_mcnemars_statistic_and_the_error_of_agresti():
    """1,600 Britons asked twice, 150 turned away and 86 came round (Categorical Data Analysis, 2nd edition, table 10.1).

    McNemar's statistic is 17.36 there, and the standard error of the difference 0.0095.
    """
    spread = PairedProportion(86, 150, 1600)
    assert spread.standard_error() == pytest.approx(0.0095, abs=5e-5)
    for statistic, leaves_zero_out in ((17.35, True), (17.37, False)):
        error = stats.norm.sf(math.sqrt(statistic))
        assert (-64 / 1600 + spread.above(error) < 0) is leaves_zero_out


@pytest.mark.parametrize("error", [0.05, 0.0167, 0.001])
def test_the_same_answers_on_every_row_still_leave_the_rule_of_three(error):
    for rows in (30, 300, 3000):
        assert PairedProportion(0, 0, rows).below(error) >= -math.log(error) / rows
        assert Proportion(rows, rows).below(error) > 0
        assert Moments(0.0, 0.0, 0.0, rows, 1 / rows).below(error) == pytest.approx(-math.log(error) / rows)


SPREADS = [
    Proportion(0, 40),
    Proportion(33, 40),
    PairedProportion(0, 0, 40),
    PairedProportion(5, 2, 40),
    EVEN,
    Moments(0.01, 0.3, 12.5, 40, 0.1),
    Moments(0.01, -2.0, 4.0, 40, 0.1),
]


@pytest.mark.parametrize("spread", SPREADS)
def test_a_smaller_error_gives_a_wider_bound_and_none_has_no_width(spread):
    errors = [0.5 * 0.9**power for power in range(1, 100)]
    for side in (spread.below, spread.above):
        reaches = [side(error) for error in errors]
        assert all(near <= far + 1e-12 for near, far in itertools.pairwise(reaches))
        assert reaches[-1] > 0 or isinstance(spread, Proportion)


@pytest.mark.parametrize("spread", SPREADS)
def test_a_spread_survives_its_document(spread):
    assert read_spread(spread.to_document()) == spread


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "proportion", "hits": 3},
        {"kind": "proportion", "hits": 3.0, "of": 5},
        {"kind": "proportion", "hits": True, "of": 5},
        {"kind": "proportion", "hits": 6, "of": 5},
        {"kind": "paired", "gained": 3, "lost": 3, "of": 5},
        {"kind": "paired", "gained": -1, "lost": 3, "of": 5},
        {"kind": "guess", "error": 0.1},
        EVEN.to_document() | {"error": -0.1},
        EVEN.to_document() | {"skew": math.nan},
        EVEN.to_document() | {"error": "0.1"},
        EVEN.to_document() | {"more": 1},
    ],
)
def test_what_is_no_spread_is_refused(document):
    with pytest.raises(ValueError, match=r"spread|proportion|pairs"):
        read_spread(document)


def test_a_long_tail_stretches_the_bound_on_its_side_and_shortens_none():
    skewed = Moments(error=0.01, skew=-0.3, freedom=999.0, units=1000, floor=0.001)
    assert skewed.below(0.05) > EVEN.below(0.05)
    assert skewed.above(0.05) == EVEN.above(0.05)


@pytest.mark.parametrize(
    "spread",
    [
        Moments(0.01, 0.0, 28.0, 29, 0.1),
        Moments(0.01, 0.0, 2.0, 1000, 0.1),
        Moments(0.0, 0.0, 0.0, 1000, 0.0),
        None,
    ],
)
def test_too_few_rows_or_groups_have_no_bounds_but_a_reason(spread):
    estimate = Estimate(0.8, 1000, spread=spread)
    assert estimate.bounds(0.05) is None
    assert estimate.unbounded
