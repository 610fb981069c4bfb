"""One dataset in two parts: by time, by group, by class; the same parts for the same data, and nothing in both."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noa_mlops.datasets import Dataset, fingerprint, split
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import DatasetDefinition, DatasetIdentity
from noa_mlops.records.split import Split

START = datetime(2026, 1, 1)  # noqa: DTZ001 - times without zone, as they are read


def dataset(columns, **definition):
    table = pa.table(columns)
    identity = DatasetIdentity("a.csv", fingerprint(table), table.num_rows, (), ())
    return Dataset(DatasetDefinition(files=("a.csv",), **definition), table, identity)


def numbered(rows, **columns):
    return dataset({"row": list(range(rows)), "label": ["no"] * rows, **columns})


def held(parts):
    return set(parts.evaluation.table.column("row").to_pylist())


def test_parts_hold_every_row_once_in_the_order_of_the_file():
    whole = numbered(50)
    parts = split(whole, Split(share=0.3, seed=7), "label")
    train, evaluation = (part.table.column("row").to_pylist() for part in parts)
    assert sorted(train + evaluation) == list(range(50))
    assert (train, evaluation) == (sorted(train), sorted(evaluation))
    assert len(evaluation) == 15


def test_parts_have_their_own_fingerprints_and_name_the_whole():
    whole = numbered(10)
    for part in split(whole, Split(share=0.3), "label"):
        assert part.identity.fingerprint == fingerprint(part.table)
        assert part.identity.rows == part.table.num_rows
        assert part.identity.to_document()["whole"] == whole.identity.fingerprint


def test_which_rows_are_held_back_never_changes():
    groups = [f"g{row % 13}" for row in range(60)]
    labels = ["ab"[row % 3 == 0] for row in range(60)]
    whole = dataset({"row": list(range(60)), "label": labels, "group": groups})
    assert sorted(held(split(whole, Split(share=0.1, seed=7), "label"))) == DRAWN
    chosen = split(whole, Split(by_group="group", share=0.2, seed=7), "label").evaluation.table.column("group")
    assert sorted(set(chosen.to_pylist())) == CHOSEN


DRAWN = [3, 13, 34, 41, 51, 55]
CHOSEN = ["g11", "g2", "g9"]


def test_another_seed_holds_back_other_rows():
    whole = numbered(100)
    assert held(split(whole, Split(share=0.3, seed=1), "label")) != held(
        split(whole, Split(share=0.3, seed=2), "label")
    )


def test_every_class_has_its_share_of_both_parts():
    labels = random.Random(1).sample(["a"] * 700 + ["b"] * 250 + ["c"] * 50, 1000)
    parts = split(dataset({"label": labels}), Split(share=0.2, seed=7), "label")
    found = Counter(parts.evaluation.table.column("label").to_pylist())
    assert [abs(found[name] - wanted) <= 1 for name, wanted in (("a", 140), ("b", 50), ("c", 10))] == [True] * 3


def test_rows_without_a_label_are_divided_too():
    parts = split(dataset({"label": ["a", None] * 50}), Split(share=0.2), "label")
    assert Counter(parts.evaluation.table.column("label").to_pylist()) == {"a": 10, None: 10}


def test_the_latest_rows_are_held_back_whatever_their_order():
    days = [START + timedelta(days=day) for day in (5, 1, 9, 3, 7, 2, 8, 4, 6, 0)]
    parts = split(numbered(10, when=pa.array(days, pa.timestamp("us"))), Split(by="when", last=0.3), "label")
    assert sorted(parts.evaluation.table.column("when").to_pylist()) == [
        START + timedelta(days=day) for day in (7, 8, 9)
    ]


def test_rows_of_one_moment_are_never_divided():
    parts = split(
        numbered(8, year=[2020, 2020, 2021, 2021, 2021, 2021, 2021, 2021]), Split(by="year", last=0.2), "label"
    )
    assert set(parts.train.table.column("year").to_pylist()) == {2020}
    parts = split(numbered(4, year=[2020, 2020, 2020, 2021]), Split(by="year", last=0.5), "label")
    assert held(parts) == {3}


@given(st.lists(st.integers(0, 9) | st.none(), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_no_group_is_in_both_parts(groups, share, seed):
    whole = numbered(len(groups), group=pa.array(groups, pa.int64()))
    if len(set(groups)) < 2:
        with pytest.raises(DatasetInvalid, match="one group"):
            split(whole, Split(by_group="group", share=share, seed=seed), "label")
        return
    parts = split(whole, Split(by_group="group", share=share, seed=seed), "label")
    train, evaluation = (set(part.table.column("group").to_pylist()) for part in parts)
    assert train
    assert evaluation
    assert not train & evaluation


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.floats(0.01, 0.99))
@settings(max_examples=200, deadline=None)
def test_nothing_learnt_from_is_as_late_as_what_is_held_back(times, last):
    whole = numbered(len(times), at=times)
    if len(set(times)) == 1:
        with pytest.raises(DatasetInvalid, match="the same 'at'"):
            split(whole, Split(by="at", last=last), "label")
        return
    parts = split(whole, Split(by="at", last=last), "label")
    train, evaluation = (part.table.column("at").to_pylist() for part in parts)
    assert max(train) < min(evaluation)


def test_groups_come_near_the_share():
    groups = [f"customer {row % 100}" for row in range(1000)]
    parts = split(numbered(1000, group=groups), Split(by_group="group", share=0.2, seed=7), "label")
    assert parts.evaluation.table.num_rows == 200


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (Split(by="when", last=0.2), "evaluation.split.by names the column 'when', which is not in the data"),
        (Split(by="label", last=0.2), "neither times nor numbers"),
        (Split(by="gap", last=0.2), "1 of 4 rows have no 'gap'"),
        (Split(by_group="gruop", share=0.2), "evaluation.split.by_group names the column 'gruop'"),
    ],
)
def test_refuses_columns_that_cannot_divide(by, message):
    with pytest.raises(DatasetInvalid, match=message) as refused:
        split(numbered(4, gap=pa.array([1, 2, None, 3])), by, "label")
    assert refused.value.hint


def test_refuses_to_divide_rows_that_depend_on_each_other():
    whole = dataset({"label": ["a"] * 9, "home": [1, 2, 3] * 3}, group="home")
    with pytest.raises(DatasetInvalid, match="must stay together") as refused:
        split(whole, Split(share=0.25), "label")
    assert "by_group: home, share: 25%" in str(refused.value.hint)


def test_refuses_one_row():
    with pytest.raises(DatasetInvalid, match="one row"):
        split(numbered(1), Split(share=0.2), "label")
