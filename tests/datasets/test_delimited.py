"""Delimited text: what is inferred, what is declared, and what is refused with its place."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from noa_mlops.errors import DatasetInvalid


def at(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - a time without a zone is what is tested


GERMAN = """﻿Kunde;Umsatz;Größe;Seit;Art;PLZ
1;1.234,50;;01.02.2024;gold;01067
2;?;1,75;29.02.2024;silber;80331
3;-3;1e3;;gold;?
"""


def test_reads_a_file_of_a_continental_spreadsheet_by_its_definition(read):
    dataset = read(
        "k.dataset.yaml",
        """
files: [k.csv]
format: {delimiter: ";", decimal: ",", thousands: ".", encoding: cp1252, missing: ["", "?"]}
types: {PLZ: text, Art: category, Seit: {time: "%d.%m.%Y"}}
target: Art
""",
        **{"k.csv": GERMAN[1:].encode("cp1252")},
    )
    assert dataset.table.to_pydict() == {
        "Kunde": [1, 2, 3],
        "Umsatz": [1234.5, None, -3.0],
        "Größe": [None, 1.75, 1000.0],
        "Seit": [at(2024, 2, 1), at(2024, 2, 29), None],
        "Art": ["gold", "silber", "gold"],
        "PLZ": ["01067", "80331", None],
    }
    types = {column.name: column.type for column in dataset.identity.columns}
    assert types == {
        "Kunde": "int",
        "Umsatz": "float",
        "Größe": "float",
        "Seit": "time",
        "Art": "category",
        "PLZ": "text",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_skips_a_byte_order_mark(read, encoding):
    declared = f"files: [a.csv]\nformat: {{encoding: {encoding.removesuffix('-sig')}}}\n"
    table = read("a.dataset.yaml", declared, **{"a.csv": "é,y\nü,2\n".encode(encoding)}).table
    assert table.to_pydict() == {"é": ["ü"], "y": [2]}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "2.5", ".5"], [1.0, 2.5, 0.5]),
        (["1e3", "-1E-2", "7."], [1000.0, -0.01, 7.0]),
        (["inf", "-Infinity", "1"], [float("inf"), float("-inf"), 1.0]),
        ([" 1", "2 ", " NA "], [1, 2, None]),
        (["1", "NA", ""], [1, None, None]),
        (["true", "FALSE", "True"], [True, False, True]),
        (["007", "123", "1"], ["007", "123", "1"]),
        (["0", "-0", "10"], [0, 0, 10]),
        (["0x10", "0x11", "0x12"], ["0x10", "0x11", "0x12"]),
        (["9223372036854775808", "1", "2"], ["9223372036854775808", "1", "2"]),
        (["1_000", "2_000", "3_000"], ["1_000", "2_000", "3_000"]),
        (["nan", "NaN", "null"], [None, None, None]),
        (["None", "a", "b"], ["None", "a", "b"]),
        ([" a", "b ", "c"], [" a", "b ", "c"]),
        (["yes", "no", "yes"], ["yes", "no", "yes"]),
        (["2024-01-31", "NA", "1969-12-31"], [at(2024, 1, 31), None, at(1969, 12, 31)]),
        (
            ["2024-01-31T10:30", "2024-01-31 10:30:01", "2024-01-31T10:30:01.1234567"],
            [
                at(2024, 1, 31, 10, 30),
                at(2024, 1, 31, 10, 30, 1),
                at(2024, 1, 31, 10, 30, 1, 123456),
            ],
        ),
        (
            ["2024-01-31T10:30Z", "2024-01-31T10:30+02:00", "2024-01-31 23:30:00-0130"],
            [
                at(2024, 1, 31, 10, 30),
                at(2024, 1, 31, 8, 30),
                at(2024, 2, 1, 1),
            ],
        ),
        (["31.01.2024", "01.02.2024", ""], ["31.01.2024", "01.02.2024", None]),
        (["2024-13-01", "a", "b"], ["2024-13-01", "a", "b"]),
    ],
    ids=lambda cells: cells[0] if isinstance(cells[0], str) else "",
)
def test_infers_the_type_that_all_cells_have(read, cells, expected):
    rows = "".join(f"{cell},1\n" for cell in cells)
    assert read("a.csv", f"x,y\n{rows}").table.column("x").to_pylist() == expected


def test_infers_from_all_rows_and_not_from_the_first_block(read):
    rows = "1,a\n" * 3_000_000
    table = read("a.csv", f"x,y\n{rows}2.5,a\n").table
    assert table.schema.field("x").type == pa.float64()
    assert table.column("x")[3_000_000].as_py() == 2.5


def test_keeps_quoted_line_ends_delimiters_and_doubled_quotes(read):
    table = read("a.csv", 'x,y\r\n"a,\n""b""",1\r\n\r\nc,2\r\n').table
    assert table.to_pydict() == {"x": ['a,\n"b"', "c"], "y": [1, 2]}


def test_takes_a_tab_for_the_delimiter_of_a_tsv(read):
    assert read("a.tsv", "x\ty\n1\t2,5\n").table.to_pydict() == {"x": [1], "y": ["2,5"]}


def test_keeps_an_empty_line_of_a_single_column_as_a_missing_value(read):
    assert read("a.csv", "x\n1\n\n3\n").table.column("x").to_pylist() == [1, None, 3]


def test_replaces_the_default_markers_by_those_declared(read):
    definition = 'files: [a.csv]\nformat: {missing: ["-"]}\n'
    table = read("a.dataset.yaml", definition, **{"a.csv": "x,y\n-,NA\n5,\n"}).table
    assert table.to_pydict() == {"x": [None, 5], "y": ["NA", ""]}


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        ("text", ["1", "NA", " 2"], ["1", None, " 2"]),
        ("category", ["1", "NA", "2"], ["1", None, "2"]),
        ("int", ["007", "+1", ""], [7, 1, None]),
        ("float", ["1", " 2 ", ""], [1.0, 2.0, None]),
        ("bool", ["yes", "0", "T"], [True, False, True]),
        (
            "time",
            ["2024-01-31", "", "2024-02-01"],
            [at(2024, 1, 31), None, at(2024, 2, 1)],
        ),
        ("int", ["", "NA", ""], [None, None, None]),
        ("time", ["", "NA", ""], [None, None, None]),
        (
            '{time: "%m/%d/%y %H:%M"}',
            ["02/29/24 10:30", "", "01/01/70 00:00"],
            [at(2024, 2, 29, 10, 30), None, at(1970, 1, 1)],
        ),
        ('{time: "%d %b %Y %z"}', ["01 Mar 2024 +0100", "", ""], [at(2024, 2, 29, 23), None, None]),
    ],
)
def test_reads_cells_as_the_declared_type(read, kind, cells, expected):
    rows = "".join(f"{cell},1\n" for cell in cells)
    dataset = read("a.dataset.yaml", f"files: [a.csv]\ntypes: {{x: {kind}}}\n", **{"a.csv": f"x,y\n{rows}"})
    assert dataset.table.column("x").to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "cell", "wrong"),
    [
        ("int", "1.5", "is not a whole number"),
        ("int", "9223372036854775808", "does not fit 64 bits"),
        ("float", "1,5", "is not a number"),
        ("float", "-1e400", "is larger than a number of 64 bits can be"),
        ("bool", "maybe", "is not true or false"),
        ("time", "31.01.2024", "is not an ISO 8601 date or time"),
        ('{time: "%d.%m.%Y"}', "31.02.2024", "is not a time written as '%d.%m.%Y'"),
    ],
)
def test_refuses_a_cell_that_is_not_of_the_declared_type_with_its_line(read, kind, cell, wrong):
    good = {"bool": "true", "time": "2024-01-01"}.get(kind, "01.02.2024" if "{" in kind else "1")
    content = f'x,note\n{good},"two\nlines"\n\n"{cell}",z\n'
    with pytest.raises(DatasetInvalid, match="line 5, column 'x'") as refused:
        read("a.dataset.yaml", f"files: [a.csv]\ntypes: {{x: {kind}}}\n", **{"a.csv": content})
    assert str(refused.value) == f"a.csv: line 5, column 'x': '{cell}' {wrong}"
    assert refused.value.hint.startswith("Correct the cell or the declared type")


@pytest.mark.parametrize(
    ("good", "bad"),
    [("1", "?"), ("1.5", "12,5"), ("2024-01-31", "yesterday"), ("2024-01-31", "2024-02-30"), ("1", "1 2")],
)
def test_asks_when_a_few_cells_of_a_column_disagree(read, good, bad):
    rows = f"{good},a\n" * 40 + f'"{bad}",a\n' + f"{good},a\n" * 9
    with pytest.raises(DatasetInvalid, match=f"^a.csv: line 42, column 'x': '{bad}'".replace("?", r"\?")) as refused:
        read("a.csv", f"x,y\n{rows}")
    assert 'types: {"x": text}' in refused.value.hint
    assert f'"NULL", "{bad}"]' in refused.value.hint


def test_names_file_and_line_of_a_bad_cell_in_a_later_file(read):
    files = {"one.csv": "x,y\n" + "1,1\n" * 20, "two.csv": "x,y\n1,1\nbad,1\n"}
    with pytest.raises(
        DatasetInvalid, match=r"(?m)^two\.csv: line 3, column 'x': 'bad' stands where the other cells are numbers$"
    ):
        read("a.dataset.yaml", "files: [one.csv, two.csv]\n", **files)


def test_takes_a_column_of_half_numbers_for_text(read):
    cells = ["A/5 21171", "113803", "373450", "PC 17599", "17463"]
    assert read("a.csv", "t,y\n" + "".join(f"{cell},1\n" for cell in cells)).table.column("t").to_pylist() == cells


def test_refuses_times_of_which_only_some_have_a_zone(read):
    with pytest.raises(DatasetInvalid, match=r"line 4, column 'x'.*with a zone and times without"):
        read("a.csv", "x,y\n2024-01-01T00:00Z,1\n2024-01-01T00:00Z,1\n2024-01-01T00:00,1\n")


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("x;y\n1;2\n", "has one column, and its header contains ';'", 'format: {delimiter: ";"}'),
        ("x\ty\n1\t2\n", r"has one column, and its header contains '\\t'", r'delimiter: "\t"'),
        ("x|y\n1|2\n", "has one column, and its header contains '|'", 'delimiter: "|"'),
        ("", "is empty (0 bytes)", "with a header"),
        (b"\xef\xbb\xbf", "has no columns", "header"),
        ("\n\n", "has no columns", "header"),
        ("x,y\n", "has no rows", "at least one row"),
        ("x,y,x\n1,2,3\n", "more than one column named 'x'", "its own name"),
        ("x, x\n1,2\n", "more than one column named 'x'", "its own name"),
        ("x,,y\n1,2,3\n", "column 2 has an empty name", "a name"),
        ("Sales of May,,\nx,y,z\n1,2,3\n", "column 2 has an empty name", "if a title stands above them, delete it"),
        ("x,y,\n1,2,\n", "column 3 has an empty name", "If each line ends with a delimiter, take that away"),
        ("x,y\n1,2\n3\n4,5\n", "line 3 has 1 cell, the header has 2", "Quote cells"),
        ('x,y\n"a\nb",2\n1,2,3\n', "line 4 has 3 cells, the header has 2", "Quote cells"),
        (b"x,y\n1,ok\n2,caf\xe9\n", "byte 0xe9 at position 14 (line 3) is not utf-8", "encoding: cp1252"),
        (b"x,caf\xe9\n1,2\n", "byte 0xe9 at position 5 (line 1) is not utf-8", "encoding: cp1252"),
        ("x,y\n".encode("utf-16"), "byte 0xff at position 0 (line 1) is not utf-8", "encoding"),
        ("x,y\n1,2\n".encode("utf-16-le"), "holds NUL bytes, so it is not text in utf-8", "encoding: utf-16-le"),
        ('x,y\n1,"a\n2,b\n3,c\n', "cannot be read after line 1", "Close every quoted cell"),
        ("x,y\n1e999,2\n", "'1e999' is larger than a number of 64 bits can be", "text"),
    ],
)
def test_refuses_what_cannot_be_read_and_says_what_to_do(read, content, message, hint):
    with pytest.raises(DatasetInvalid) as refused:
        read("a.csv", content)
    assert message.replace("\\\\", "\\") in str(refused.value)
    assert str(refused.value).startswith("a.csv: ")
    assert hint in refused.value.hint
    assert "\n" not in str(refused.value) + refused.value.hint


def test_finds_an_undecodable_byte_in_a_later_block(read):
    with pytest.raises(DatasetInvalid, match=r"position 3000004 \(line 750002\) is not utf-8"):
        read("a.csv", b"x,y\n" + b"1,2\n" * 750_000 + b"\xff,2\n")


def test_finds_a_character_cut_in_two_by_the_end_of_the_file(read):
    with pytest.raises(DatasetInvalid, match=r"byte 0xc3 at position 6 \(line 2\)"):
        read("a.csv", b"x,y\n1,\xc3")


def test_refuses_a_line_without_end_without_reading_all_of_it(tmp_path, read):
    with (tmp_path / "a.csv").open("wb") as stream:
        stream.truncate(40 << 30)
    with pytest.raises(DatasetInvalid, match="a line is longer than"):
        read("b.dataset.yaml", "files: [a.csv]\n")


def test_keeps_the_delimiter_that_a_definition_names_although_another_is_in_the_header(read):
    table = read("a.dataset.yaml", 'files: [a.csv]\nformat: {delimiter: ","}\n', **{"a.csv": "x;y\n1;2\n"}).table
    assert table.to_pydict() == {"x;y": ["1;2"]}


def test_escapes_what_a_terminal_would_obey(read):
    with pytest.raises(DatasetInvalid) as refused:
        read("a.csv", "\x1b[31mx,y\n" + "1,1\n" * 30 + "\x1b]0;own\x07,1\n")
    assert "\x1b" not in str(refused.value) + refused.value.hint
