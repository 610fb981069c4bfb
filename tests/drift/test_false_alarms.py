"""How often drift is wrong, in a small form with fixed seeds; `python -m benchmarks.false_alarms` has the whole table."""

from functools import partial

import numpy as np
import pytest
from benchmarks.draws import autoregressive, counted, days, groups, missing, series, texts, wide
from benchmarks.false_alarms import by_the_law, flagged, found

from noa_mlops.drift import scan


@pytest.mark.parametrize(
    ("draw", "rows", "draws"),
    [
        (wide, (200, 200), 20),
        (wide, (1000, 1000), 20),
        (wide, (10_000, 100), 5),
        (texts, (200, 1000), 10),
        (missing, (1000, 1000), 10),
    ],
)
def test_data_of_one_distribution_hardly_ever_fail(draw, rows, draws):
    assert flagged(f"{draw.__name__} {rows}", draw, rows, draws).hits <= 1


@pytest.mark.parametrize("draw", [partial(series, 0.5), partial(series, 0.8), groups])
def test_rows_that_depend_on_each_other_hardly_ever_fail_where_it_is_declared(draw):
    assert flagged("dependent", draw, (5000, 500), 8).hits <= 1


def test_rows_that_depend_on_each_other_fail_often_where_nobody_said_so():
    """What the declaration is for, and what the draws above could show."""
    windows = days(np.random.default_rng(1), 5000, 500, share=0.8, declared=False)
    reference = next(windows)
    assert sum(scan(reference, next(windows)).outcome == "fail" for _ in range(5)) >= 4


@pytest.mark.parametrize(("rows", "shift", "least"), [(1000, 0.3, 0.95), (10_000, 0.2, 0.99)])
def test_columns_that_moved_are_found(rows, shift, least):
    moved = found("moved", partial(wide, moved=5), (rows, rows), shift, 4, least)
    assert moved.of == 20
    assert moved.hits >= least * moved.of


def test_a_shift_of_a_spread_is_found_among_dependent_rows():
    moved = found("dependent", partial(series, 0.8), (5000, 500), 1.0, 4, 0.9)
    assert moved.hits >= 0.9 * moved.of


def test_a_month_of_daily_scans_blocks_nothing_and_a_move_that_stays_blocks_on_its_second_day():
    random = np.random.default_rng(3)
    windows = days(random, 2000, 1000)
    reference = next(windows)
    reports = [scan(reference, next(windows)) for _ in range(30)]
    reports += [scan(reference, counted({}, autoregressive(random, 1000, 0.0, 16), 0.2)) for _ in range(2)]
    assert list(by_the_law(reports))[-3:] == ["quiet", "suspect", "blocked"]
    assert "blocked" not in list(by_the_law(reports[:30]))
