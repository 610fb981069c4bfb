"""JSON Lines and NumPy archives: strict readers, with the place of every mistake."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from noa_mlops.datasets import DatasetReader
from noa_mlops.errors import DatasetInvalid


def test_joins_members_that_come_and_go(read):
    table = read("a.jsonl", '\ufeff{"a": 1}\r\n\n{"b": "x", "a": 2.5}\n{"c": null}').table
    assert table.to_pydict() == {"a": [1.0, 2.5, None], "b": [None, "x", None], "c": [None, None, None]}


def test_joins_batches_of_which_each_knows_other_types(read):
    rows = ['{"x": null, "n": 1}'] * 70_000 + ['{"x": "a", "n": 1.5}'] + ['{"n": 2}'] * 70_000
    table = read("a.jsonl", "\n".join(rows)).table
    assert table.num_rows == 140_001
    assert table.column("x").drop_null().to_pylist() == ["a"]
    assert table.column("n")[70_000].as_py() == 1.5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2]", "line 2 is not an object"),
        ("{'x': 1}", "line 2, column 2: "),
        ('{"x": 1', "line 2, column 8: "),
        ('{"x": NaN}', "line 2: NaN is not JSON; a missing value is null"),
        ('{"x": -Infinity}', "line 2: -Infinity is not JSON"),
        ('{"x": 1e400}', "line 2: '1e400' is larger than a number of 64 bits can be"),
        ('{"x": ' + "9" * 5000 + "}", "line 2: '9999"),
        ('{"x": 9223372036854775808}', "line 2, column 'x': '9223372036854775808' does not fit 64 bits"),
        ('{"x": 1, "x": 2}', "line 2: a member stands twice in one object"),
        ('{"x": {"y": 1}}', "line 2, column 'x': .* is nested"),
        ('{"x": [1]}', r"line 2, column 'x': '\[1\]' is nested"),
        ('{"x": "1"}', "line 2, column 'x': .* stands where the lines before have a number"),
        ('{"x": true}', "line 2, column 'x': 'true' stands where the lines before have a number"),
        ('{"s": "\\ud800"}', "line 2, column 's': .* no Unicode text"),
        ("[" * 100_000, "line 2 is nested too deeply"),
        ('{"": 1}', "column 2 has an empty name"),
    ],
)
def test_refuses_lines_that_readers_would_understand_differently(read, line, message):
    with pytest.raises(DatasetInvalid, match=message) as refused:
        read("a.jsonl", '{"x": 1}\n' + line + "\n")
    assert len(str(refused.value)) < 250
    assert str(refused.value).isprintable()


def test_refuses_bytes_that_are_not_utf_8(read):
    with pytest.raises(DatasetInvalid, match="line 2: byte 8 is not UTF-8"):
        read("a.jsonl", b'{"x": 1}\n{"x": "\xe9"}\n')


def test_refuses_a_line_longer_than_any_row(read):
    with pytest.raises(DatasetInvalid, match="line 1 is longer than"):
        read("a.jsonl", '{"x": "' + "a" * (1 << 24) + '"}')


@pytest.mark.parametrize("content", ["\n\n", "{}\n"])
def test_refuses_lines_without_columns(read, content):
    with pytest.raises(DatasetInvalid, match="has no columns"):
        read("a.jsonl", content)


def test_names_the_line_of_a_day_that_does_not_exist(read):
    with pytest.raises(DatasetInvalid, match="line 3, column 'd': '2024-02-30' is not a day of the calendar"):
        read("a.jsonl", '{"d": "2024-01-01"}\n\n{"d": "2024-02-30"}\n')


def save(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return DatasetReader(tmp_path).read("a.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([1, "a", None], object)}, "array 'x' holds Python objects, which are never loaded"),
        ({"x": np.array([1 + 2j])}, "array 'x' holds 'complex128'"),
        ({"x": np.array([b"a"])}, "array 'x' holds"),
        ({"x": np.zeros(2, [("a", "i4")])}, "array 'x' holds"),
        ({"x": np.array(5)}, "array 'x' has 0 dimensions"),
        ({"x": np.zeros((2, 2, 2))}, "array 'x' has 3 dimensions"),
        ({"x": np.zeros(2), "y": np.zeros(3)}, "column 'y' has 3 values, 'x' has 2"),
        ({"x": np.zeros(0)}, "has no rows"),
        ({"X": np.zeros((3, 0))}, "has no columns"),
        ({"x": np.array(["\ud800"])}, "array 'x' holds text that is not Unicode"),
        ({"x": np.array([2**63], "u8")}, "column 'x' holds values of 'uint64' that are out of range"),
        ({"X": np.zeros((2, 2)), "X_1": np.zeros(2)}, "more than one column named 'X_1'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_refuses_arrays_that_are_no_columns(tmp_path, arrays, message):
    with pytest.raises(DatasetInvalid, match=message):
        save(tmp_path, **arrays)


def test_reads_the_widest_numbers_as_binary64(tmp_path):
    assert save(tmp_path, x=np.array([0.5, np.nan], np.longdouble)).table.to_pydict() == {"x": [0.5, None]}


def archive(tmp_path, members):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members:
            target.writestr(name, data)
    return DatasetReader(tmp_path)


def header(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(10**12,), (2**40, 2**40), (1, 200_000)])
def test_refuses_an_array_that_claims_more_than_the_file_holds(tmp_path, shape):
    with pytest.raises(DatasetInvalid, match="claims more values than the file has"):
        archive(tmp_path, [("x.npy", header(shape) + b"\0" * 8)]).read("a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_refuses_two_members_of_one_name(tmp_path):
    with pytest.raises(DatasetInvalid, match="more than one column named 'x'"):
        archive(tmp_path, [("x.npy", header((1,)) + b"\0" * 8)] * 2).read("a.npz")


def test_refuses_members_that_are_no_arrays(tmp_path):
    with pytest.raises(DatasetInvalid, match=r"holds 'run\.py', which is not an array"):
        archive(tmp_path, [("run.py", b"1")]).read("a.npz")


def test_refuses_an_array_with_a_damaged_checksum(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as target:
        target.writestr("x.npy", header((4,)) + b"\0" * 32)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[data.index(b"\x93NUMPY") + 130] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DatasetInvalid, match='cannot be read as NPZ: "Bad CRC'):
        DatasetReader(tmp_path).read("a.npz")
