"""Definitions: what they may say, and that they must fit the data."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from pyarrow import parquet

from noa_mlops.datasets import DatasetReader, fingerprint
from noa_mlops.errors import DatasetInvalid, PlanInvalid
from noa_mlops.records.dataset import DatasetDefinition, TextFormat, TimeFormat
from noa_mlops.records.reading import read_document

FULL = b"""
files: [data/a.csv, data/b.csv]
format: {delimiter: ";", decimal: ",", thousands: ".", encoding: cp1252, missing: ["", "?"]}
types: {zip: text, since: {time: "%d.%m.%Y"}, plan: category}
target: y
ignore: [id]
key: id
time: since
group: station
slices: [plan]
ordered: true
"""


def test_reads_every_field():
    assert read_document(FULL, name="a.dataset.yaml", kind=DatasetDefinition) == DatasetDefinition(
        files=("data/a.csv", "data/b.csv"),
        format=TextFormat(delimiter=";", decimal=",", thousands=".", encoding="cp1252", missing=("", "?")),
        types={"zip": "text", "since": TimeFormat("%d.%m.%Y"), "plan": "category"},
        target="y",
        ignore=("id",),
        key="id",
        time="since",
        group="station",
        slices=("plan",),
        ordered=True,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("types: {}", "files is missing"),
        ("files: []", "files must be a list of 1 to 10000 data files"),
        ("files: a.csv", "files must be a list"),
        ("files: [a.csv, a.csv]", 'names "a.csv" a second time'),
        ("files: [../a.csv]", r"files\[0\] must not contain '\.\.'"),
        ("files: [http://h/a.csv]", "must be a file, not an address"),
        ("files: [a.csv]\ntarge: y", "did you mean 'target'"),
        ("files: [a.csv]\ntypes: {zip: txt}", "types.zip must be one of .*\n.*\n.*did you mean 'text'"),
        ("files: [a.csv]\ntypes: {d: {time: soon}}", "types.d.time must be a format such as"),
        ('files: [a.csv]\ntypes: {d: {time: "%Q"}}', "types.d.time must be a format that strptime knows"),
        ("files: [a.csv]\ntypes: {d: {tim: x}}", "types.d must be one of"),
        ("files: [a.csv]\ntypes: {d: [x]}", "types.d must be one of"),
        ("files: [a.csv]\nformat: {delimiter: ab}", "format.delimiter must be one ASCII character"),
        ("files: [a.csv]\nformat: {delimiter: '\"'}", "format.delimiter must be one ASCII character"),
        ("files: [a.csv]\nformat: {encoding: latn-1}", "did you mean 'latin-1'"),
        ("files: [a.csv]\nformat: {encoding: zip}", "format.encoding must be a known encoding"),
        ("files: [a.csv]\nformat: {thousands: x}", "format.thousands must be"),
        ("files: [a.csv]\nformat: {decimal: ',', thousands: ','}", "format.thousands must differ from decimal"),
        ("files: [a.csv]\nformat: {missing: [1]}", r"format.missing\[0\] must be text"),
        ("files: [a.csv]\ntarget: y\nignore: [y]", "target must not be ignored as well"),
        ("files: [a.csv]\ntarget: y\nkey: y", "target must not be the key as well"),
        ("files: [a.csv]\nordered: sometimes", "ordered must be true or false"),
    ],
)
def test_refuses_what_contradicts_itself_with_its_place(text, problem):
    with pytest.raises(PlanInvalid, match=problem) as refused:
        read_document(text.encode(), name="a.dataset.yaml", kind=DatasetDefinition)
    assert str(refused.value).startswith("a.dataset.yaml:")


def test_holds_objects_made_in_python_to_the_same_rules():
    with pytest.raises(PlanInvalid, match=r"types\.x must be one of"):
        DatasetDefinition(files=("a.csv",), types={"x": "number"})  # type: ignore[dict-item]
    with pytest.raises(PlanInvalid, match="delimiter"):
        TextFormat(delimiter="\n")


def test_every_known_encoding_exists():
    from noa_mlops.records.dataset import ENCODINGS

    assert all("a,b".encode(encoding).decode(encoding) == "a,b" for encoding in ENCODINGS)


def test_reads_several_files_as_one_in_the_order_given(tmp_path):
    (tmp_path / "one.csv").write_text("x,y\n1,a\n")
    (tmp_path / "two.csv").write_text("y,x\nb,2.5\n")
    definition = b'{"files": ["two.csv", "one.csv"], "target": "y"}'
    (tmp_path / "a.dataset.json").write_bytes(definition)
    dataset = DatasetReader(tmp_path).read("a.dataset.json")
    assert dataset.table.to_pydict() == {"y": ["b", "a"], "x": [2.5, 1.0]}
    assert [file.path for file in dataset.identity.files] == ["two.csv", "one.csv"]
    assert dataset.identity.target == "y"
    assert dataset.identity.definition == hashlib.sha256(definition).hexdigest()


def test_the_fingerprint_says_nothing_of_how_the_rows_were_split_into_files(tmp_path):
    table = pa.table({"x": [1, 2, 3], "y": ["a", None, "c"]})
    parquet.write_table(table.slice(0, 1), tmp_path / "one.parquet")
    parquet.write_table(table.slice(1), tmp_path / "two.parquet")
    (tmp_path / "a.dataset.yaml").write_text("files: [one.parquet, two.parquet]\n")
    assert DatasetReader(tmp_path).read("a.dataset.yaml").identity.fingerprint == fingerprint(table)


def test_numbers_with_and_without_fraction_may_mix_between_files_of_json_lines(tmp_path):
    (tmp_path / "one.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "two.jsonl").write_text('{"x": 2.5}\n')
    (tmp_path / "a.dataset.yaml").write_text("files: [one.jsonl, two.jsonl]\n")
    assert DatasetReader(tmp_path).read("a.dataset.yaml").table.to_pydict() == {"x": [1.0, 2.5]}


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"x": [1], "z": [1]},
            r"(?m)^two\.parquet: has not the columns of 'one\.parquet': it lacks 'y' and has 'z' beyond them$",
        ),
        ({"x": [1]}, "(?m)it lacks 'y'$"),
        ({"x": ["1"], "y": [1]}, r"(?m)column 'x' is int in 'one\.parquet', text in 'two\.parquet'$"),
        ({"x": [1.5], "y": [1]}, r"(?m)column 'x' is float in 'two\.parquet', int in 'one\.parquet'$"),
    ],
)
def test_refuses_files_that_have_not_the_same_columns(tmp_path, second, message):
    parquet.write_table(pa.table({"x": [1], "y": [1]}), tmp_path / "one.parquet")
    parquet.write_table(pa.table(second), tmp_path / "two.parquet")
    (tmp_path / "a.dataset.yaml").write_text("files: [one.parquet, two.parquet]\n")
    with pytest.raises(DatasetInvalid, match=message):
        DatasetReader(tmp_path).read("a.dataset.yaml")


def test_a_file_in_which_a_column_has_no_value_fits_every_type(tmp_path):
    parquet.write_table(pa.table({"x": pa.nulls(1)}), tmp_path / "one.parquet")
    parquet.write_table(pa.table({"x": ["a"]}), tmp_path / "two.parquet")
    (tmp_path / "a.dataset.yaml").write_text("files: [one.parquet, two.parquet]\n")
    assert DatasetReader(tmp_path).read("a.dataset.yaml").table.to_pydict() == {"x": [None, "a"]}


def test_refuses_files_of_several_formats(read):
    with pytest.raises(DatasetInvalid, match="several formats: Parquet, delimited text"):
        read("a.dataset.yaml", "files: [a.csv, b.parquet]\n")


@pytest.mark.parametrize("role", ["target: ane", "key: ane", "ignore: [ane]", "types: {ane: text}", "slices: [ane]"])
def test_refuses_a_column_that_is_not_in_the_data_and_suggests_the_nearest(read, role):
    with pytest.raises(DatasetInvalid, match="names the column 'ane', which is not in the data") as refused:
        read("a.dataset.yaml", f"files: [a.csv]\n{role}\n", **{"a.csv": "age,town\n1,x\n"})
    assert refused.value.hint == "Did you mean 'age'?"


def test_lists_the_columns_when_none_is_near(read):
    with pytest.raises(DatasetInvalid) as refused:
        read("a.csv", "age,town\n1,x\n").require_column("rainfall")
    assert refused.value.hint == "The columns are 'age', 'town'."


def test_refuses_a_definition_that_is_too_large(read):
    with pytest.raises(DatasetInvalid, match="larger than 1048576 bytes"):
        read("a.dataset.yaml", "#" * (1 << 20) + "\nfiles: [a.csv]\n")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("text", [1, None], ["1", None]),
        ("category", [1, None], ["1", None]),
        ("float", [1, None], [1.0, None]),
        ("int", [1.0, None], [1, None]),
        ("int", [True, None], [1, None]),
        ("bool", [1, 0, None], [True, False, None]),
        ("int", ["007", None], [7, None]),
        ("text", [None, None], [None, None]),
    ],
)
def test_declared_types_hold_for_typed_files_too(tmp_path, kind, values, expected):
    parquet.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    (tmp_path / "a.dataset.yaml").write_text(f"files: [a.parquet]\ntypes: {{x: {kind}}}\n")
    assert DatasetReader(tmp_path).read("a.dataset.yaml").table.column("x").to_pylist() == expected


@pytest.mark.parametrize(("kind", "values"), [("int", [1.5]), ("bool", [2]), ("time", [1]), ("bool", [0.5])])
def test_refuses_a_declared_type_that_would_change_a_value(tmp_path, kind, values):
    parquet.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    (tmp_path / "a.dataset.yaml").write_text(f"files: [a.parquet]\ntypes: {{x: {kind}}}\n")
    with pytest.raises(DatasetInvalid, match=f"column 'x' is .* in the file and declared {kind}"):
        DatasetReader(tmp_path).read("a.dataset.yaml")


def test_markers_that_are_declared_hold_for_every_format(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": "?"}\n{"x": "a"}\n')
    (tmp_path / "a.dataset.yaml").write_text('files: [a.jsonl]\nformat: {missing: ["?"]}\n')
    assert DatasetReader(tmp_path).read("a.dataset.yaml").table.to_pydict() == {"x": [None, "a"]}


def test_a_data_file_named_directly_has_a_definition_that_names_it(read):
    dataset = read("a.csv", "x,y\n1,2\n")
    assert dataset.definition == DatasetDefinition(files=("a.csv",))
    assert dataset.identity.definition is None
