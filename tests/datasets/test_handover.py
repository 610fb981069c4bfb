"""What leaves the room: files for agents, features without labels, evaluation data in the form of training data."""

from __future__ import annotations

import csv
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from noa_mlops.datasets import (
    DatasetReader,
    aligned,
    classes_of,
    conformed,
    inverse,
    permutation,
    write_csv,
    write_parquet,
)
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import Column


@pytest.fixture
def table():
    return pa.table(
        {
            "n": pa.array([1, None], pa.int64()),
            "x": pa.array([0.1, None], pa.float64()),
            "ok": pa.array([True, None], pa.bool_()),
            "s": pa.array(['a,"b"\r\n', None], pa.string()),
            "t": pa.array([1_500_000, None], pa.timestamp("us")),
        }
    )


def test_writes_parquet_with_types_and_in_pieces(tmp_path, table):
    big = pa.concat_tables([table] * 200_000)
    write_parquet(big, tmp_path / "a.parquet")
    assert parquet.read_table(tmp_path / "a.parquet").equals(big)
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2


def test_writes_csv_that_other_readers_understand(tmp_path, table):
    write_csv(table, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream, strict=True)) == [
            ["n", "x", "ok", "s", "t"],
            ["1", "0.1", "true", 'a,"b"\r\n', "1970-01-01T00:00:01.500000"],
            ["", "", "", "", ""],
        ]


def test_tells_an_empty_text_from_a_missing_one_in_csv(tmp_path):
    write_csv(pa.table({"s": ["", None], "n": [1, 2]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == '"s","n"\n"",1\n,2\n'


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_replaces_a_file_whole_and_leaves_nothing_beside_it(tmp_path, table, write):
    target = tmp_path / "a"
    target.write_text("old")
    write(table, target)
    assert os.listdir(tmp_path) == ["a"]
    assert target.read_bytes() != b"old"


def test_leaves_the_old_file_when_the_disk_is_full(tmp_path):
    code = f"""
import pathlib, resource, signal
import numpy as np, pyarrow as pa
from noa_mlops.datasets import write_parquet
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_parquet(pa.table({{"x": np.random.default_rng(0).normal(size=100_000)}}), pathlib.Path({str(tmp_path)!r}, "a.parquet"))
except OSError as error:
    print(error.errno)
"""
    (tmp_path / "a.parquet").write_text("old")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "27\n"
    assert os.listdir(tmp_path) == ["a.parquet"]
    assert (tmp_path / "a.parquet").read_text() == "old"


def test_refuses_a_target_that_is_absent_or_empty():
    table = pa.table({"rain": [1], "empty": pa.array([None], pa.int64())})
    with pytest.raises(DatasetInvalid, match="target names the column 'rian'") as refused:
        classes_of(table, "rian")
    assert refused.value.hint == "Did you mean 'rain'?"
    with pytest.raises(DatasetInvalid, match="target 'empty' has no value in any row"):
        classes_of(table, "empty")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([10, 9, None, 10], [9, 10]),
        ([True, False, True], [False, True]),
        (["b", "a", "Z", None], ["Z", "a", "b"]),
        ([1.0, 0.0, None], [0, 1]),
        (["only"], ["only"]),
    ],
)
def test_lists_the_classes_in_order(values, classes):
    found = classes_of(pa.table({"y": values}), "y")
    assert found == classes
    assert [type(label) for label in found] == [type(label) for label in classes]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([0.5, 1.0]), "has values with fractions"),
        (pa.array([0], pa.timestamp("us")), "is a time"),
        (pa.array(range(1001)), "has 1001 distinct values; at most 1000 can be classes"),
        (pa.array([float("inf")]), "has values with fractions"),
    ],
)
def test_refuses_targets_that_name_no_classes(values, message):
    with pytest.raises(DatasetInvalid, match=message):
        classes_of(pa.table({"y": values}), "y")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 500), st.integers(0, 2**128))
def test_permutes_every_row_once_and_can_be_undone(rows, seed):
    order = permutation(rows, seed)
    assert sorted(order.tolist()) == list(range(rows))
    assert order[inverse(order)].tolist() == list(range(rows)) == inverse(order)[order].tolist()


def test_permutes_the_same_way_for_ever_and_otherwise_for_another_seed():
    assert permutation(6, seed=1).tolist() == [2, 4, 5, 0, 3, 1]
    assert permutation(100, seed=1).tolist() != permutation(100, seed=2).tolist()
    assert permutation(100, seed=1).dtype == np.int64


@pytest.fixture
def datasets(tmp_path):
    def make(train, evaluation, *, ignore="", roles=""):
        parquet.write_table(pa.table(train), tmp_path / "train.parquet")
        parquet.write_table(pa.table(evaluation), tmp_path / "eval.parquet")
        (tmp_path / "train.dataset.yaml").write_text(f"files: [train.parquet]\nignore: [{ignore}]\n{roles}")
        reader = DatasetReader(tmp_path)
        return reader.read("train.dataset.yaml"), reader.read("eval.parquet")

    return make


def test_brings_evaluation_data_into_the_form_of_the_training_data(datasets):
    train, evaluation = datasets(
        {"id": [1], "x": [1.5], "n": [1], "s": ["a"], "y": [1]},
        {"y": [0.0, None], "s": pa.nulls(2), "n": [1.0, 2.0], "x": [1, 2], "id": ["left", "out"]},
        ignore="id",
    )
    same = aligned(evaluation, train)
    assert same.table.schema == train.table.drop_columns(["id"]).schema
    assert same.table.to_pydict() == {"x": [1.0, 2.0], "n": [1, 2], "s": [None, None], "y": [0, None]}
    assert same.identity == evaluation.identity
    assert same.definition.hidden == ()


def test_the_key_of_a_row_is_no_feature(datasets):
    train, evaluation = datasets(
        {"id": [1, 2], "x": [1.5, 2.5], "y": [1, 0]}, {"id": [3], "x": [3.5], "y": [1]}, roles="key: id\n"
    )
    assert train.definition.hidden == ("id",)
    assert aligned(evaluation, train).table.to_pydict() == {"x": [3.5], "y": [1]}


def test_text_in_iso_8601_is_the_time_that_training_had_and_other_text_is_none():
    wanted = [Column("day", "time")]
    times = conformed(pa.table({"day": ["2026-01-02", None]}), wanted).column("day")
    assert times.to_pylist() == [pd.Timestamp("2026-01-02"), None]
    for cells in (["2.1.2026"], ["2026-02-30"], ["2026-01-02", "soon"]):
        with pytest.raises(DatasetInvalid, match="has 'day' as text, not time") as refused:
            conformed(pa.table({"day": cells}), wanted)
        assert "ISO 8601" in refused.value.hint


@pytest.mark.parametrize(
    ("evaluation", "difference"),
    [
        ({"x": [1.5]}, "(?m)it lacks 'y'$"),
        ({"x": [1.5], "y": [1], "z": [1]}, "(?m)it has 'z' beyond them$"),
        ({"x": ["a"], "y": [1.5]}, "(?m)it has 'x' as text, not float; has 'y' as float, not int$"),
        ({"a": [1]}, "(?m)it lacks 'x', 'y'; has 'a' beyond them$"),
        ({"x": [True], "y": [1]}, "(?m)it has 'x' as bool, not float$"),
    ],
)
def test_lists_every_difference_of_evaluation_data(datasets, evaluation, difference):
    train, other = datasets({"x": [1.5], "y": [1]}, evaluation)
    with pytest.raises(DatasetInvalid, match=difference) as refused:
        aligned(other, train)
    assert str(refused.value).startswith(
        "eval.parquet: has not the columns of the training data train.dataset.yaml: it "
    )
