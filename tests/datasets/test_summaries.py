"""A summary says the same whatever the order of rows and batches was, in little memory, and sees dependent rows."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from noa_mlops.datasets import Counting, DatasetReader, summarise, summarise_table, write_parquet
from noa_mlops.datasets.bins import keys_of_numbers
from noa_mlops.drift.numbers import numbers_of_keys
from noa_mlops.records.dataset import Column, DatasetDefinition
from noa_mlops.records.summary import MAX_BINS, MAX_CATEGORIES, DatasetSummary


def mixed(rows: int, seed: int = 0) -> pa.Table:
    """A table with every kind of column, some values missing."""
    draw = np.random.default_rng(seed)
    absent = draw.random(rows) < 0.1
    return pa.table(
        {
            "number": pa.array(draw.normal(size=rows), mask=absent),
            "offset": draw.normal(size=rows) + 1e6,
            "count": draw.poisson(3, rows),
            "level": pa.array(draw.integers(0, 12, rows).astype(str), mask=draw.random(rows) < 0.05),
            "name": pa.array([f"{value:x}" for value in draw.integers(0, 10**9, rows)]),
            "flag": draw.random(rows) < 0.3,
            "when": pa.array(draw.integers(0, 10**15, rows), pa.timestamp("us")),
        }
    )


@pytest.fixture(scope="module")
def table():
    return mixed(20_000)


@pytest.fixture(scope="module")
def summary(table):
    return summarise_table(table)


def test_is_the_same_to_the_byte_whatever_the_order_of_rows_and_the_batches(table, summary):
    order = np.random.default_rng(1).permutation(table.num_rows)
    shuffled = table.take(order)
    pieces = pa.concat_tables([shuffled.slice(start, 777) for start in range(0, table.num_rows, 777)])
    assert summarise_table(pieces).to_bytes() == summary.to_bytes()


def test_parts_merge_into_the_summary_of_the_whole(table, summary):
    columns = [Column(column.name, column.type) for column in summary.columns]
    parts = []
    for piece in (table.slice(0, 500), table.slice(500, 15_000), table.slice(15_500)):
        part = Counting(columns, DatasetDefinition(files=("part.arrow",)))
        for batch in piece.to_batches():
            part.add(batch)
        parts.append(part)
    first, second, third = parts
    third.merge(first)
    third.merge(second)
    assert third.summary().to_bytes() == summary.to_bytes()


def test_its_document_gives_it_back_and_names_it(summary):
    again = DatasetSummary.from_document(json.loads(summary.to_bytes()))
    assert again.to_bytes() == summary.to_bytes()
    assert again.digest == summary.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda column: column.update(missing=-1),
        lambda column: column.update(missing=5),
        lambda column: column.update(dependence=0.5),
        lambda column: column["numbers"].update(level=64),
        lambda column: column["numbers"].update(keys=column["numbers"]["keys"] + " 1"),
        lambda column: column["numbers"].update(keys="x"),
        lambda column: column["numbers"]["counts"].__setitem__(0, 0),
        lambda column: column.pop("numbers"),
        lambda column: column.update(type="complex"),
    ],
)
def test_a_document_that_cannot_be_true_is_refused(change):
    document = json.loads(summarise_table(pa.table({"x": [1.0, 2.0, 2.0, None]})).to_bytes())
    change(document["columns"][0])
    with pytest.raises(ValueError, match=r"\w"):
        DatasetSummary.from_document(document)


def test_few_values_are_counted_exactly(summary):
    column = summarise_table(pa.table({"x": [3, 1, 2, 2, None]})).columns[0]
    assert numbers_of_keys(np.array(column.numbers.keys, np.uint64)).tolist() == [1.0, 2.0, 3.0]
    assert (column.numbers.level, column.numbers.counts, column.missing) == (0, (1, 2, 1), 1)
    texts = summarise_table(pa.table({"x": ["b", "a", "b", None]})).columns[0]
    assert texts.categories.named == (("a", 1), ("b", 2))


def test_many_values_are_counted_in_few_bins_even_far_from_zero(summary):
    for name in ("number", "offset", "when"):
        numbers = summary.column(name).numbers
        assert MAX_BINS / 4 < len(numbers.keys) <= MAX_BINS
        assert max(numbers.counts) / numbers.total < 0.005
    assert len(summary.column("name").categories.hashed.keys) <= MAX_CATEGORIES


def test_keys_have_the_order_of_numbers_and_give_them_back():
    numbers = np.array([-math.inf, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1.0, 1e300, math.inf])
    keys = keys_of_numbers(numbers)
    assert np.all(keys[1:] > keys[:-1])
    assert np.array_equal(numbers_of_keys(keys), numbers)


@pytest.mark.parametrize("values", [[None, None], [1.0, 1.0], [math.inf, -math.inf, 0.0]])
def test_columns_without_values_without_spread_or_without_end_are_counted(values):
    column = summarise_table(pa.table({"x": pa.array(values, pa.float64())})).columns[0]
    assert column.numbers.total == column.present == sum(value is not None for value in values)


def test_summarises_what_agents_see_and_the_target(tmp_path):
    rows = 50
    table = pa.table({"id": range(rows), "x": range(rows), "note": ["n"] * rows, "y": [0, 1] * (rows // 2)})
    write_parquet(table, tmp_path / "a.parquet")
    tmp_path.joinpath("a.dataset.yaml").write_text("files: [a.parquet]\nkey: id\nignore: [note]\ntarget: y\n")
    summary = summarise(DatasetReader(tmp_path).read("a.dataset.yaml"))
    assert [column.name for column in summary.columns] == ["x", "y"]
    assert (summary.target, summary.blocks, summary.rows) == ("y", None, rows)


def dependent(tmp_path, table, definition):
    write_parquet(table, tmp_path / "a.parquet")
    tmp_path.joinpath("a.dataset.yaml").write_text(f"files: [a.parquet]\n{definition}\n")
    return summarise(DatasetReader(tmp_path).read("a.dataset.yaml"))


def autoregressive(draw, rows, share):
    """A series in which each value keeps a ``share`` of the one before."""
    noise = draw.normal(size=rows) * math.sqrt(1 - share**2)
    values = np.empty(rows)
    values[0] = draw.normal()
    for row in range(1, rows):
        values[row] = share * values[row - 1] + noise[row]
    return values


def test_rows_near_in_time_count_for_fewer(tmp_path):
    draw = np.random.default_rng(5)
    rows = 20_000
    series = autoregressive(draw, rows, 0.8)
    table = pa.table(
        {
            "t": pa.array(np.arange(rows) * 86_400_000_000 + int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()), "i8"),
            "series": series,
            "noise": draw.normal(size=rows),
            "warm": np.where(series > 0.5, "yes", "no"),
        }
    ).take(draw.permutation(rows))
    summary = dependent(tmp_path, table, "time: t")
    assert (summary.blocks.role, summary.blocks.column) == ("time", "t")
    assert 40 <= summary.blocks.count <= 64
    assert summary.column("t") is None
    assert 5 < summary.column("series").dependence < 14
    assert 3 < summary.column("warm").dependence < 12
    assert summary.column("noise").dependence < 1.6


def test_rows_of_one_group_count_for_fewer(tmp_path):
    draw = np.random.default_rng(6)
    groups = np.repeat(np.arange(2000), 20)
    values = draw.normal(size=2000)[groups] * math.sqrt(0.2) + draw.normal(size=len(groups)) * math.sqrt(0.8)
    absent = draw.random(2000)[groups] < 0.2
    table = pa.table({"who": [f"c{group}" for group in groups], "x": pa.array(values, mask=absent)})
    summary = dependent(tmp_path, table, "group: who")
    assert 3.5 < summary.column("x").dependence < 6
    assert 15 < summary.column("x").missing_dependence < 25


def test_fewer_than_thirty_blocks_say_nothing_and_are_counted(tmp_path):
    table = pa.table({"who": ["a", "b"] * 50, "x": [0.0, 1.0] * 50})
    summary = dependent(tmp_path, table, "group: who")
    assert summary.blocks.count == 2
    assert summary.column("x").dependence == 1.0
