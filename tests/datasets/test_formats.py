"""One content, five formats, one fingerprint."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from noa_mlops.datasets import DatasetReader, fingerprint, write_csv
from noa_mlops.errors import DatasetInvalid


def at(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - a time without a zone is what is tested


DAY = at(2024, 2, 29, 13, 5, 7, 250000)


@pytest.fixture
def table():
    return pa.table(
        {
            "age": pa.array([41, -7, None, 2**62], pa.int64()),
            "height": pa.array([1.5, None, 1e-300, -0.1], pa.float64()),
            "member": pa.array([True, False, None, True], pa.bool_()),
            "town": pa.array(["Orléans", 'say "hi", twice', None, "a\nb"], pa.string()),
            "since": pa.array([DAY, None, at(1969, 12, 31), DAY], pa.timestamp("us")),
        }
    )


def write_all(table, folder):
    parquet.write_table(table, folder / "a.parquet")
    feather.write_feather(table, folder / "a.feather", compression="zstd")
    with ipc.new_stream(folder / "a.arrow", table.schema) as stream:
        stream.write_table(table)
    write_csv(table, folder / "a.csv")
    rows = [json.dumps({k: v for k, v in row.items() if v is not None}, default=str) for row in table.to_pylist()]
    (folder / "a.jsonl").write_text("\n".join(rows) + "\n\n")


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow", "a.csv", "a.jsonl"])
def test_gives_the_same_table_and_fingerprint_from_every_format(tmp_path, table, name):
    write_all(table, tmp_path)
    dataset = DatasetReader(tmp_path).read(name)
    assert dataset.table.equals(table)
    assert dataset.identity.fingerprint == fingerprint(table)


def test_gives_the_same_fingerprint_from_arrays_of_numpy(tmp_path):
    since = np.array(["2024-02-29T13:05:07.25", "NaT"], "M8[ns]")
    np.savez_compressed(
        tmp_path / "a.npz",
        age=np.array([41, -7], ">i2"),
        height=np.array([1.5, np.nan]),
        member=np.array([True, False]),
        town=np.array(["Orléans", ""]),
        since=since,
    )
    (tmp_path / "a.jsonl").write_text(
        '{"age":41,"height":1.5,"member":true,"town":"Orléans","since":"2024-02-29T13:05:07.25"}\n'
        '{"age":-7,"height":null,"member":false,"town":"","since":null}\n'
    )
    reader = DatasetReader(tmp_path)
    assert reader.read("a.npz").identity.fingerprint == reader.read("a.jsonl").identity.fingerprint


def test_names_an_array_of_two_dimensions_by_its_columns(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.asfortranarray(np.arange(6.0).reshape(3, 2)), y=np.array([0, 1, 0]))
    assert DatasetReader(tmp_path).read("a.npz").table.to_pydict() == {
        "X_0": [0.0, 2.0, 4.0],
        "X_1": [1.0, 3.0, 5.0],
        "y": [0, 1, 0],
    }


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None], pa.int8(), pa.array([1, None], pa.int64())),
        ([200, None], pa.uint64(), pa.array([200, None], pa.int64())),
        ([1.5, None], pa.float16(), pa.array([1.5, None], pa.float64())),
        ([1.5, float("nan")], pa.float32(), pa.array([1.5, None], pa.float64())),
        ([None, None], pa.null(), pa.array([None, None], pa.float64())),
        (["a", None], pa.large_string(), pa.array(["a", None], pa.string())),
        (["a", None], pa.string_view(), pa.array(["a", None], pa.string())),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), pa.array(["a", None], pa.string())),
        ([DAY.date(), None], pa.date32(), pa.array([at(2024, 2, 29), None], pa.timestamp("us"))),
        ([1_999, None], pa.timestamp("ns"), pa.array([1, None], pa.timestamp("us"))),
        ([7, None], pa.timestamp("s", "America/New_York"), pa.array([7_000_000, None], pa.timestamp("us"))),
    ],
)
def test_normalises_the_types_that_files_use_for_one_content(tmp_path, values, kind, expected):
    feather.write_feather(pa.table({"x": pa.array(values, kind)}), tmp_path / "a.feather")
    assert DatasetReader(tmp_path).read("a.feather").table.column("x").combine_chunks().equals(expected)


def test_normalises_decimals_and_repeated_runs(tmp_path):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    decimals = pa.array([1, 2, None]).cast(pa.decimal128(30, 3))
    with ipc.new_file(tmp_path / "a.arrow", pa.schema({"r": runs.type, "d": decimals.type})) as stream:
        stream.write_table(pa.table({"r": runs, "d": decimals}))
    assert DatasetReader(tmp_path).read("a.arrow").table.to_pydict() == {"r": ["a", "a", "b"], "d": [1.0, 2.0, None]}


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1], None]),
        pa.array([{"a": 1}, None]),
        pa.array([b"x", None]),
        pa.array([dt.time(1), None]),
        pa.array([dt.timedelta(1), None]),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array([[1], [2]])),
    ],
    ids=lambda values: str(values.type)[:12],
)
def test_refuses_types_that_are_no_features_and_names_the_column(tmp_path, values):
    feather.write_feather(pa.table({"ok": [1, 2], "odd one": values}), tmp_path / "a.feather")
    with pytest.raises(DatasetInvalid, match=r"a\.feather: column 'odd one' holds"):
        DatasetReader(tmp_path).read("a.feather")


def test_refuses_whole_numbers_beyond_64_bits(tmp_path):
    parquet.write_table(pa.table({"id": pa.array([2**63], pa.uint64())}), tmp_path / "a.parquet")
    with pytest.raises(DatasetInvalid, match="column 'id' holds values of 'uint64' that are out of range"):
        DatasetReader(tmp_path).read("a.parquet")


def test_identifies_the_data_without_holding_any(tmp_path):
    content = b"name,rain\nsecret person,1\n"
    (tmp_path / "a.csv").write_bytes(content)
    document = DatasetReader(tmp_path).read("a.csv").identity.to_document()
    assert document == {
        "path": "a.csv",
        "fingerprint": fingerprint(pa.table({"name": ["secret person"], "rain": [1]})),
        "rows": 1,
        "columns": [{"name": "name", "type": "text"}, {"name": "rain", "type": "int"}],
        "files": [{"path": "a.csv", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}],
    }


def test_reads_parquet_of_many_row_groups_in_order(tmp_path):
    table = pa.table({"x": list(range(1000))})
    parquet.write_table(table, tmp_path / "a.PARQUET", row_group_size=7)
    assert DatasetReader(tmp_path).read("a.PARQUET").table.equals(table)
