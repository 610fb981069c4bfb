"""Rows that training has seen: found when they leaked, forgiven when data repeats by nature."""

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.datasets import overlap

DRAW = np.random.default_rng(5)


def census(rows):
    """Few columns of few values, as in a census: nearly half of all new rows have a twin among 17,000."""
    return pa.table(
        {
            "age": pa.array(np.minimum(90, 17 + DRAW.gamma(2, 11, rows).astype(int))),
            "hours": pa.array(DRAW.choice([20, 35, 40, 45, 50, 60], rows, p=[0.05, 0.1, 0.6, 0.1, 0.1, 0.05])),
            "work": pa.array(DRAW.choice(["private", "state", "own", None], rows, p=[0.7, 0.12, 0.1, 0.08])),
            "school": pa.array(DRAW.integers(5, 17, rows)),
            "weight": pa.array(DRAW.choice(6, rows) / 10),
        }
    )


def continuous(rows):
    return pa.table({"x": DRAW.normal(size=rows), "y": DRAW.normal(size=rows)})


def test_data_that_repeat_by_nature_are_no_leak_however_many_rows_are_equal():
    found = overlap(census(17_000), census(6_000))
    assert found.share == pytest.approx(0.47, abs=0.03)
    assert found.expected == pytest.approx(found.share, abs=0.03)
    assert not found.leaks


@pytest.mark.parametrize("make", [census, continuous])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_a_holdout_that_was_trained_on_leaks(make, share):
    train, fresh = make(20_000), make(6_000)
    taken = int(6_000 * share)
    leaked = pa.concat_tables([train.slice(100, taken), fresh.slice(taken)])
    found = overlap(train, leaked)
    assert found.leaks
    assert found.share > 0.099


def test_rows_are_the_same_whatever_their_order_and_the_width_of_their_numbers():
    rows = continuous(1_000).append_column("n", pa.array(np.arange(1_000), pa.int64()))
    narrow = rows.set_column(2, "n", rows.column("n").cast(pa.int16())).take(np.arange(1_000)[::-1].copy())
    assert overlap(rows, narrow).shared == 1_000


def test_missing_values_of_all_kinds_are_equal_and_zero_has_one_sign():
    one = pa.table({"x": pa.array([None, 0.0, 1.0]), "t": pa.array(["a", None, "b"])})
    two = pa.table({"x": pa.array([float("nan"), -0.0, 2.0], from_pandas=False), "t": pa.array(["a", None, "b"])})
    assert overlap(one, two).shared == 2


def test_a_key_tells_rows_apart_and_a_missing_one_is_nobodys():
    train = pa.table({"id": ["a", "b", None], "x": [1, 1, 1]})
    assert not overlap(train, pa.table({"id": ["c", "d", None], "x": [1, 1, 1]}), "id").leaks
    found = overlap(train, pa.table({"id": ["c", "a"], "x": [1, 7]}), "id")
    assert (found.shared, found.leaks) == (1, True)


@pytest.mark.parametrize("rows", [(0, 5), (5, 0), (0, 0)])
def test_nothing_is_shared_with_nothing(rows):
    found = overlap(continuous(rows[0]), continuous(rows[1]))
    assert (found.shared, found.leaks) == (0, False)
