"""A file that nobody has described: its form, its types from all rows, what its columns are for, what is in doubt."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noa_mlops.datasets import DatasetReader, Sources
from noa_mlops.datasets.inference import definition_text, examine, portraits, roles
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import DatasetDefinition, TextFormat, TimeFormat
from noa_mlops.records.reading import read_document
from noa_mlops.records.yaml_text import scalar


@pytest.fixture
def look(tmp_path):
    """Write a file and examine it."""

    def look_at(content, name="a.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return examine(Sources(tmp_path), name)

    return look_at


def kinds(examined):
    return {column.name: column.type for column in examined.dataset.identity.columns}


def values(examined, name):
    return examined.dataset.table.column(name).to_pylist()


def test_finds_semicolons_decimal_commas_thousands_and_the_encoding(look):
    found = look("name;price\nMüller;1.234,50\nJäger;12,25\n".encode("cp1252"))
    style = found.dataset.definition.format
    assert (style.delimiter, style.decimal, style.thousands, style.encoding) == (";", ",", ".", "cp1252")
    assert values(found, "price") == [1234.5, 12.25]
    assert values(found, "name") == ["Müller", "Jäger"]
    assert [remark.text for remark in found.remarks] == [
        "it is not UTF-8; if 'Müller' looks wrong, name another encoding"
    ]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"\xef\xbb\xbfa,b\n1,x\n", {"a": "int", "b": "text"}),
        ("a;b\n1;ä\n".encode("utf-16"), {"a": "int", "b": "text"}),
        ("a\tb\n1\t2.5\n", {"a": "int", "b": "float"}),
        ("a|b\n1|true\n", {"a": "int", "b": "bool"}),
        ("a\n1\n2\n", {"a": "int"}),
        ('a,b\n"1,234",x\n"2,345,678",y\n', {"a": "int", "b": "text"}),
        ("a;b\n1'234.5;x\n12.5;y\n", {"a": "float", "b": "text"}),
        ("a,b\n007,x\n123,y\n", {"a": "text", "b": "text"}),
        ("a,b\n2026-01-02,x\n2026-01-03,y\n", {"a": "time", "b": "text"}),
        ("a,b\n,x\nNA,y\n", {"a": "float", "b": "text"}),
    ],
)
def test_finds_the_types_that_all_rows_have(look, content, wanted):
    assert kinds(look(content)) == wanted


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (["03.01.2026", "31.12.2025"], "%d.%m.%Y"),
        (["01/31/2026", "02/01/2026"], "%m/%d/%Y"),
        (["31/01/2026", "01/02/2026"], "%d/%m/%Y"),
        (["3 Jan 2026", "14 Feb 2026"], "%d %b %Y"),
        (["January 3, 2026", "May 14, 2026"], "%B %d, %Y"),
        (["2026/01/03 10:15", "2026/01/04 23:59"], "%Y/%m/%d %H:%M"),
        (["01/31/2026 10:15:01 PM", "02/01/2026 01:00:00 AM"], "%m/%d/%Y %I:%M:%S %p"),
        (["31.01.26", "01.02.26"], "%d.%m.%y"),
    ],
)
def test_finds_how_dates_are_written(look, cells, written):
    found = look("day|n\n" + "".join(f"{cell}|1\n" for cell in cells))
    assert found.dataset.definition.types["day"] == TimeFormat(written)
    assert kinds(found)["day"] == "time"


def test_says_when_no_cell_tells_the_day_from_the_month(look):
    (remark,) = look("day,n\n01/02/2026,1\n03/04/2026,2\n").remarks
    assert (remark.column, remark.doubtful) == ("day", True)
    assert "%d/%m/%Y" in remark.text


def test_leaves_dates_in_several_formats_as_text_and_names_them(look):
    found = look("day,n\n2026-01-02,1\n03.01.2026,2\n01/31/2026,3\n")
    assert kinds(found)["day"] == "text"
    assert (
        "several formats: '2026-01-02' is ISO 8601; '03.01.2026' is %d.%m.%Y; '01/31/2026' is" in found.remarks[0].text
    )


def test_names_the_day_that_no_calendar_has(look):
    found = look("day,n\n" + "".join(f"{day}.01.2026,1\n" for day in range(10, 25)) + "31.02.2026,2\n")
    assert kinds(found)["day"] == "text"
    assert found.remarks[0].text.startswith("times written %d.%m.%Y but for '31.02.2026'")


def test_says_when_numbers_look_like_dates(look):
    (remark,) = look("day,n\n20260131,1\n20260201,2\n").remarks
    assert remark.text == 'these look like dates: {time: "%Y%m%d"} would make them times'


def test_asks_whether_a_first_line_of_numbers_is_data(look):
    (remark,) = look("1,2.5\n3,4.5\n").remarks
    assert remark.text == "the first line, '1', '2.5', is taken for names: is it data?"


def test_asks_whether_blanks_divide_columns(look):
    (remark,) = look("Chins Situps\n5 x\n2 y\n").remarks
    assert "if blanks divide columns" in remark.text


def test_names_every_column_of_times(look):
    days = [f"2026-01-{day:02}" for day in range(1, 29)]
    table = pa.table({"a": pa.array(days).cast(pa.timestamp("us")), "b": pa.array(days).cast(pa.timestamp("us"))})
    found = roles(table.append_column("y", pa.array([day % 2 for day in range(28)])), "y")
    assert found.time == "a"
    assert [(r.column, r.doubtful) for r in found.remarks if r.about == "time"] == [("a", False), ("b", True)]


def test_takes_the_usual_signs_for_no_value(look):
    found = look("a,day\n" + "".join(f"{row},{row % 9 + 1}.1.2026\n" for row in range(20)) + "?,-\nn/a,-\n")
    assert kinds(found) == {"a": "int", "day": "time"}
    assert values(found, "a")[-2:] == [None, None]
    assert set(found.dataset.definition.format.missing or ()) >= {"?", "-", "n/a", "", "NA"}
    assert found.remarks[0].about == "missing"


def test_leaves_a_column_as_text_when_a_few_cells_are_no_numbers_and_says_where(look):
    found = look("a,b\n" + "".join(f"{row},x\n" for row in range(50)) + "many,y\n")
    assert kinds(found)["a"] == "text"
    assert "all but 1 of 51 cells are numbers; the first other one is 'many' in row 51" in found.remarks[0].text


def test_a_column_of_numbers_and_one_word_says_how_it_would_be_numbers(look):
    found = look("a,b\n" + "".join(f"{row},{'refused' if row % 3 else row / 7:.4}\n" for row in range(90)))
    assert not [remark for remark in found.remarks if remark.column == "b"]
    found = look("a,b\n" + "".join(f"{row},{row / 7:.4}\n" if row % 3 else f"{row},refused\n" for row in range(90)))
    assert [remark.text for remark in found.remarks] == [
        "60 of 90 cells are numbers, the others 'refused'. Add those to missing to make this float"
    ]


def test_says_when_one_word_is_written_in_several_ways(look):
    found = look("a,b\n" + "".join(f"{row},{('yes', 'Yes', 'no ', 'no')[row % 4]}\n" for row in range(40)))
    assert found.dataset.table.column("b").unique().to_pylist() == ["yes", "Yes", "no ", "no"]
    assert "'Yes', 'yes' differ only in capitals or blanks" in found.remarks[0].text
    assert found.remarks[0].doubtful


def test_says_when_a_comma_may_mean_either(look):
    (remark,) = look("a;b\n1,234;x\n2,345;y\n").remarks
    assert (remark.about, remark.doubtful) == ("numbers", True)
    assert "decimal: '.', thousands: ','" in remark.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2,3\n1,2\n", "line 3 has 2 cells, the header has 3"),
        (",b\n1,2\n", "column 1 has an empty name"),
        ("a,b,a\n1,2,3\n", "has more than one column named 'a'"),
        ("a,b\n", "has no rows"),
        ("", "is empty"),
        ("a,b\n1,2\n".encode("utf-16-le"), "holds NUL bytes"),
    ],
)
def test_refuses_what_cannot_be_used_with_the_next_step(look, content, message):
    with pytest.raises(DatasetInvalid, match=message) as refused:
        look(content)
    assert refused.value.hint


def test_a_definition_says_what_was_found_and_reads_the_file_so(tmp_path, look):
    rows = "".join(f"{row};0{row};{row % 28 + 1}.{row % 12 + 1}.2026;{row},5;?\n" for row in range(1, 40))
    found = look("id;zip;day;price;odd name: #1\n" + rows.replace("?\n", "3\n", 30))
    text = definition_text(found.dataset.definition, found.dataset.table.num_rows, found.remarks)
    (tmp_path / "a.dataset.yaml").write_text(text)
    again = DatasetReader(tmp_path).read("a.dataset.yaml")
    assert again.definition == found.dataset.definition
    assert again.identity.fingerprint == found.dataset.identity.fingerprint
    assert "'?': no value" in text


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=12
)


@given(
    st.lists(TEXTS, min_size=1, max_size=5, unique=True), st.sampled_from([None, ("", "?", "null", "0x1", "~", "#")])
)
@settings(max_examples=150, deadline=None)
def test_every_definition_that_is_written_reads_back(names, missing):
    kinds = dict.fromkeys(names, "text") | {names[0]: TimeFormat("%d.%m.%Y: %H")}
    made = DatasetDefinition(
        files=("data/a b.csv",),
        types=kinds,
        target=names[0],
        ignore=tuple(names[1:]),
        format=TextFormat(missing=missing),
    )
    assert read_document(definition_text(made, 3, ()).encode(), name="a.dataset.yaml", kind=DatasetDefinition) == made


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "1", "1e5", "a: b", "a #b", "-", "", "é", "a\nb", '"', "\\", "😀"]
)
def test_a_word_that_yaml_would_take_otherwise_is_quoted(word):
    assert scalar(word).startswith('"')


def churn(rows=200):
    draw = random.Random(3)
    labels = [draw.random() < 0.3 for _ in range(rows)]
    return {
        "customer_id": [1000 + row for row in range(rows)],
        "age": [draw.randint(18, 80) for _ in range(rows)],
        "region": [draw.choice("nsew") for _ in range(rows)],
        "churned": ["yes" if label else "no" for label in labels],
        "copy": ["ja" if label else "nein" for label in labels],
        "last_bill": [50.0 + draw.random() if label else draw.random() for label in labels],
        "left_on": ["2026-01-01" if label else None for label in labels],
        "empty": [None] * rows,
    }


def test_names_features_that_give_the_answer_away():
    told = {remark.column: remark.text for remark in roles(pa.table(churn()), "churned").remarks}
    assert told["copy"] == "determines churned"
    assert told["last_bill"] == "separates without overlap the classes of churned"
    assert told["left_on"] == "has a value for exactly one class of churned"
    assert told["empty"] == "has no value in any row"
    assert set(roles(pa.table(churn()), "churned").ignore) == {"copy", "last_bill", "left_on", "empty"}


def test_does_not_suspect_what_chance_explains():
    draw = random.Random(5)
    table = pa.table(
        {f"x{column}": [draw.random() for _ in range(12)] for column in range(3000)} | {"y": [0] * 6 + [1] * 6}
    )
    assert not roles(table, "y").ignore


def test_names_a_number_that_is_the_target_on_another_scale():
    draw = random.Random(6)
    price = [draw.random() * 100 for _ in range(50)]
    table = pa.table({"price": price, "with_tax": [round(x * 1.19, 2) for x in price], "size": [x // 9 for x in price]})
    assert {remark.column: remark.text for remark in roles(table, "price").remarks} == {
        "with_tax": "is price on another scale"
    }


def test_finds_the_key_and_hides_it():
    found = roles(pa.table(churn()), "churned")
    assert (found.key, found.group, found.classes) == ("customer_id", None, True)


def test_finds_whom_rows_belong_to():
    table = churn() | {"row_id": list(range(200)), "customer_id": [f"c{row % 40}" for row in range(200)]}
    found = roles(pa.table(table), "churned")
    assert (found.key, found.group) == ("row_id", "customer_id")
    assert "customer_id" in found.ignore


def test_a_portrait_has_ranges_levels_and_missing_values(look):
    found = look("n,day,kind\n3,2026-01-02,a\n1,2026-01-01,b\n,2026-01-05,a\n")
    n, day, kind = portraits(found.dataset)
    assert (n.missing, n.least, n.middle, n.greatest) == (1, 1, 1, 3)
    assert (day.least, day.greatest) == ("2026-01-01", "2026-01-05")
    assert kind.levels == (("a", 2), ("b", 1))
