"""The statistics are the right ones: known answers, and SciPy on draws."""

import numpy as np
import pytest
from scipy import stats

from drift.data import normal, summary
from noa_mlops.drift.numbers import in_tenths, movement, paired
from noa_mlops.drift.shares import Cells, chi_squared, jensen_shannon, novelty, stability_index, total_variation
from noa_mlops.drift.tails import (
    chi_squared_tail,
    false_discovery,
    ks_tail,
    normal_quantile,
    normal_tail,
    proportion_tail,
    unseen_tail,
)
from noa_mlops.records.drift import ColumnOverride, DriftSettings, Margins


def pair_of(reference, current):
    first, second = summary(x=reference), summary(x=current)
    return paired(first.columns[0].numbers, second.columns[0].numbers)


def cells(reference, current):
    names = tuple(str(place) for place in range(len(reference)))
    return Cells(names, np.array(reference), np.array(current))


def test_five_numbers_against_five_moved_by_two():
    pair = pair_of([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])
    assert np.abs(pair.gap).max() == pytest.approx(0.4)
    assert ks_tail(0.4, 5, 5) == pytest.approx(0.873016, abs=1e-6)


def test_a_thousand_numbers_moved_by_a_tenth():
    steps = np.arange(1000) / 1000
    pair = pair_of(steps, steps + 0.1)
    moved = movement(pair)
    assert moved.distance == pytest.approx(0.1, abs=0.0011)
    assert ks_tail(0.101, 1000, 1000) == pytest.approx(6.81e-5, rel=1e-3)
    assert (np.abs(pair.gap[:-1]) * np.diff(pair.values)).sum() == pytest.approx(0.1)
    # What passes the end of the reference moved no further than to it.
    assert moved.moved * moved.spread == pytest.approx(0.1 - 0.1**2 / 2, abs=0.001)
    assert moved.shifted == pytest.approx(moved.moved)


def test_three_categories():
    found = cells([50, 30, 20], [40, 35, 25])
    assert stability_index(found.reference, found.current) == pytest.approx(0.04117907, abs=1e-8)
    assert jensen_shannon(found.reference, found.current) == pytest.approx(0.08609435, abs=1e-8)
    assert total_variation(found) == pytest.approx(0.1)


def test_categories_that_have_nothing_in_common():
    found = cells([10, 0], [0, 10])
    assert jensen_shannon(found.reference, found.current) == pytest.approx(1.0)
    assert np.isfinite(stability_index(found.reference, found.current))


def test_the_reference_is_a_sample_and_not_the_truth():
    statistic, freedom, chance = chi_squared(cells([130, 370], [240, 260]))
    assert statistic == pytest.approx(51.909052, abs=1e-6)
    assert freedom == 1
    assert chance == pytest.approx(5.81e-13, rel=1e-3)
    assert (statistic / 1000) ** 0.5 == pytest.approx(0.227836, abs=1e-6)


def test_false_discoveries_are_adjusted_as_benjamini_and_hochberg_say():
    assert false_discovery([0.01, 0.04, 0.03, 0.005, 0.5]) == pytest.approx([0.025, 0.05, 0.05, 0.025, 0.5])
    assert false_discovery([]) == []


@pytest.mark.parametrize(
    ("shift", "distance", "index", "divergence"),
    [
        (0.1, 0.03988, 0.00959, 0.04156),
        (0.2, 0.07966, 0.03831, 0.08297),
        (0.3, 0.11924, 0.08606, 0.12405),
        (0.5, 0.19741, 0.23775, 0.20468),
    ],
)
def test_a_shifted_normal_distribution(shift, distance, index, divergence):
    shares = (np.arange(100_000) + 0.5) / 100_000
    quantiles = stats.norm.ppf(shares)
    pair = pair_of(quantiles, quantiles + shift)
    moved = movement(pair)
    assert moved.moved == pytest.approx(shift, rel=0.01)
    assert moved.distance == pytest.approx(distance, abs=0.0005)
    assert stability_index(*in_tenths(pair)[:2]) == pytest.approx(index, rel=0.02)
    assert jensen_shannon(*in_tenths(pair)[:2]) == pytest.approx(divergence, rel=0.02)


@pytest.mark.parametrize(
    ("rows", "critical"), [(1000, 0.060736), (10_000, 0.019206), (100_000, 0.0060736), (1_000_000, 0.0019206)]
)
def test_the_distance_that_chance_reaches_once_in_twenty(rows, critical):
    assert ks_tail(critical, rows, rows) == pytest.approx(0.05, rel=0.05)


def test_small_samples_are_counted_as_scipy_counts_them():
    draw = np.random.default_rng(1)
    for first, second in ((7, 9), (30, 40), (100, 100)):
        one, two = draw.normal(size=first), draw.normal(size=second) + 0.3
        known = stats.ks_2samp(one, two, method="exact")
        assert ks_tail(float(known.statistic), first, second) == pytest.approx(known.pvalue, rel=1e-9)


@pytest.mark.parametrize(("first", "second"), [(200, 1000), (1000, 1000), (10_000, 100), (100_000, 3000)])
@pytest.mark.parametrize("deviations", [0.5, 1.0, 1.6, 2.4])
def test_larger_samples_come_near_to_scipy(first, second, deviations):
    joint = first * second / (first + second)
    distance = deviations / joint**0.5
    assert ks_tail(distance, first, second) == pytest.approx(stats.kstwo.sf(distance, round(joint)), rel=0.01)


@pytest.mark.parametrize("freedom", [1, 2, 9, 99, 1023])
@pytest.mark.parametrize("factor", [0.2, 1.0, 1.7, 5.0])
def test_chi_squared_is_that_of_scipy(freedom, factor):
    statistic = factor * freedom
    assert chi_squared_tail(statistic, freedom) == pytest.approx(stats.chi2.sf(statistic, freedom), rel=1e-8)


@pytest.mark.parametrize("hits", [(5, 20), (0, 4), (40, 40), (99, 1), (3, 3)])
@pytest.mark.parametrize("rows", [(100, 110), (10_000, 100), (200, 1000)])
def test_shares_are_compared_exactly_even_when_the_sizes_differ(hits, rows):
    up = stats.hypergeom.sf(hits[1] - 1, sum(rows), sum(hits), rows[1])
    down = stats.hypergeom.cdf(hits[1], sum(rows), sum(hits), rows[1])
    assert proportion_tail(hits, rows) == pytest.approx(min(1, 2 * min(up, down)), rel=1e-7)


def test_the_normal_distribution_is_that_of_scipy():
    for deviations in (-3.0, 0.0, 1.0, 6.0):
        assert normal_tail(deviations) == pytest.approx(stats.norm.sf(deviations), rel=1e-9)
    assert normal_quantile(1e-4) == pytest.approx(stats.norm.isf(1e-4), abs=1e-6)


def test_the_way_of_the_mass_is_that_of_scipy():
    reference, current = normal(5000, seed=3), normal(4000, 0.4, seed=4) * 1.3
    moved = movement(pair_of(reference, current))
    low, high = np.quantile(reference, [0.001, 0.999])
    clipped = [np.clip(values, low, high) for values in (reference, current)]
    assert moved.moved * moved.spread == pytest.approx(stats.wasserstein_distance(*clipped), rel=0.01)


def test_one_category_that_nobody_saw_is_as_unlikely_as_drawing_none_of_its_rows():
    for rows, new in ((200, 3), (1000, 7), (50, 40)):
        exact = stats.hypergeom.pmf(0, rows + 300 + new, new, rows)
        unseen = np.array([False, True])
        assert unseen_tail(np.array([rows + 300.0, new]), unseen, rows) == pytest.approx(exact, rel=1e-9)
    assert unseen_tail(np.array([500.0, 3.0]), np.array([False, False]), 250) == 1.0


@pytest.mark.parametrize(
    ("levels", "first", "second"), [(50, 200, 1000), (50, 1000, 200), (100, 200, 200), (10_000, 400, 400)]
)
def test_categories_that_few_rows_did_not_show_are_never_surer_than_they_are_new(levels, first, second):
    draw = np.random.default_rng(levels)
    chances = []
    for _ in range(300):
        sides = [np.bincount(draw.integers(0, levels, rows), minlength=levels) for rows in (first, second)]
        some = sum(sides) > 0
        chances.append(novelty(Cells(tuple(map(str, np.flatnonzero(some))), *(side[some] for side in sides))).chance)
    assert np.mean(np.array(chances) < 0.1) <= 0.1
    assert min(chances) > 1e-3


def test_a_new_category_is_found_among_many():
    draw = np.random.default_rng(1)
    sides = [np.bincount(draw.integers(0, 50, rows), minlength=51) for rows in (2000, 500)]
    sides[1][50] = 15
    found = novelty(Cells(tuple(map(str, range(51))), *sides))
    assert found.names[0] == "50"
    assert found.chance < 1e-6


def test_rare_cells_are_pooled():
    statistic, freedom, _ = chi_squared(cells([500, 3, 2, 1, 1], [500, 1, 2, 3, 1]))
    assert freedom == 1
    assert statistic < 1


def test_settings_come_back_from_their_document():
    settings = DriftSettings(0.05, Margins(numeric=0.2), {"a": ColumnOverride(gate=False)})
    assert DriftSettings.from_document(settings.to_document()) == settings
