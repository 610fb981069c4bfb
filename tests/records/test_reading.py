"""The reader of documents, for any frozen dataclass: strict types, and every mistake at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.dataset import DatasetDefinition, TextFormat, TimeFormat
from noa_mlops.records.reading import read_document


@dataclass(frozen=True, slots=True)
class Wheel:
    size: int

    def __post_init__(self) -> None:
        if self.size > 100:
            raise ValueError("size is beyond any axle")


@dataclass(frozen=True, slots=True)
class Cart:
    LATER: ClassVar[frozenset[str]] = frozenset({"horse"})

    name: str
    wheels: tuple[Wheel, ...] = ()
    colour: Literal["red", "green"] = "red"
    load: Mapping[str, float | Wheel] = field(default_factory=dict)
    covered: bool = False
    owner: str | None = None


def read(text: str, name: str = "cart.yaml") -> Cart:
    return read_document(text.encode(), name=name, kind=Cart)


def messages(text: str, name: str = "cart.yaml") -> list[tuple[int | None, int | None, str]]:
    with pytest.raises(PlanInvalid) as refused:
        read(text, name)
    return [(problem.line, problem.column, problem.message) for problem in refused.value.problems]


def test_reads_nested_records():
    text = "name: a\nwheels: [{size: 1}, {size: 2}]\nload: {hay: 1.5, spare: {size: 3}}\ncovered: true\n"
    assert read(text) == Cart("a", (Wheel(1), Wheel(2)), load={"hay": 1.5, "spare": Wheel(3)}, covered=True)


def test_shows_all_mistakes_in_the_order_of_the_file():
    text = (
        "nam: a\nwheels:\n  - size: x\n  - sise: 1\n  - size: 101\ncolour: gren\nload: {a: b}\ncovered: yes\nhorse: 1\n"
    )
    assert messages(text) == [
        (1, 1, "name is missing"),
        (1, 1, "unknown field 'nam'"),
        (3, 11, 'wheels[0].size must be a whole number, got "x"'),
        (4, 5, "wheels[1].size is missing"),
        (4, 5, "unknown field 'wheels[1].sise'"),
        (5, 5, "wheels[2] size is beyond any axle"),
        (6, 9, "colour must be 'red' or 'green', got \"gren\""),
        (7, 11, 'load.a must be a number or a mapping, got "b"'),
        (8, 10, 'covered must be true or false, got "yes"'),
        (9, 1, "'horse' is not available in this version"),
    ]


def test_quotes_the_line_with_a_mark_under_the_mistake():
    with pytest.raises(PlanInvalid) as refused:
        read("name: a\n\tcolour: gren\n".replace("\t", "") + "covered:  NO # not YAML 1.1\n")
    assert str(refused.value) == (
        "cart.yaml:2:9  colour must be 'red' or 'green', got \"gren\"\n"
        "  2 | colour: gren\n"
        "    |         ^^^^ did you mean 'green'?\n"
        'cart.yaml:3:11  covered must be true or false, got "NO"\n'
        "  3 | covered:  NO # not YAML 1.1\n"
        "    |           ^^ write false\n"
        "2 errors, nothing was run"
    )


def test_says_what_is_wrong_inside_the_branch_of_a_union_that_fits():
    assert messages("name: a\nload: {spare: {sise: 1}}\n") == [
        (2, 16, "load.spare.size is missing"),
        (2, 16, "unknown field 'load.spare.sise'"),
    ]


def test_counts_columns_in_characters_and_lines_by_any_line_end():
    assert messages('owner: "ключ \U0001f600"\r\nname: {x: 1}\rcovered: 1\n') == [
        (2, 8, "name must be text, got a mapping"),
        (3, 10, "covered must be true or false, got 1"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('{"name": "a",}', (1, 13), "a comma stands before the end"),
        ('{"name": "a" "b": 1}', (1, 14), "is not valid JSON: ',' is expected here"),
        ('{"name" "a"}', (1, 9), "is not valid JSON: ':' is expected here"),
        ('{name: "a"}', (1, 2), "is not valid JSON: a key in double quotes is expected here"),
        ("{'name': 'a'}", (1, 2), "is not valid JSON: a key in double quotes is expected here"),
        ('{"name": "a\nb"}', (1, 10), "is not valid JSON: this text does not end, or holds what needs a backslash"),
        ('{"name": "a\\x"}', (1, 10), "is not valid JSON: this text does not end, or holds what needs a backslash"),
        ('{"name": "a', (1, 10), "is not valid JSON: this text does not end, or holds what needs a backslash"),
        ('{"name": }', (1, 10), "is not valid JSON: a value is expected here"),
        ('{"name": "a"', (1, 12), "is not valid JSON: ',' is expected here"),
        ('{"name": "a"} {"name": "b"}', (1, 15), "text follows the end of the document"),
        ('{"name": "a"}\n// no', (2, 1), "text follows the end of the document"),
        ('{"name": "a", "owner": undefined}', (1, 24), "undefined is not JSON"),
        ('{"name": "a", "owner": True}', (1, 24), "True is not JSON"),
        ('{"name": "a", "load": {"x": 01}}', (1, 29), "01 is not JSON"),
        ("[1,", (1, 3), "is not valid JSON: a value is expected here"),
    ],
)
def test_says_where_json_ends_to_be_json(text, place, message):
    assert messages(text, "cart.json") == [(*place, message)]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("name: a: b\n", 1, 8),
        ("name: [a\ncovered: true\n", 2, 8),
        ("name: a\n\tcovered: true\n", 2, 1),
        ("name: 'a\n", 2, 1),
        ("name: a\n covered: true\n", 2, 9),
        ('name: "\\q"\n', 1, 9),
        ('name: "\\UFFFFFFFF"\n', 1, 1),
        ("name: @a\n", 1, 7),
        ("name: %a\n", 1, 7),
        ("}\n", 1, 1),
    ],
)
def test_says_where_yaml_ends_to_be_yaml(text, line, column):
    ((at_line, at_column, message),) = messages(text)
    assert message.startswith("is not valid YAML: ")
    assert (at_line, at_column) == (line, column)


def test_reads_a_dataset_definition_and_its_own_refusals():
    text = b'files: [a.csv]\nformat: {delimiter: ";"}\ntypes: {zip: text, day: {time: "%d.%m.%Y"}}\n'
    assert read_document(text, name="d.yaml", kind=DatasetDefinition) == DatasetDefinition(
        ("a.csv",), TextFormat(delimiter=";"), {"zip": "text", "day": TimeFormat("%d.%m.%Y")}
    )
    wrong = b'files: [a.csv]\nformat: {delimiter: ";;"}\ntypes: {zip: txt, day: {tim: "%d"}}\n'
    with pytest.raises(PlanInvalid) as refused:
        read_document(wrong, name="d.yaml", kind=DatasetDefinition)
    assert [(p.line, p.column) for p in refused.value.problems] == [(2, 21), (3, 14), (3, 25)]
    assert "did you mean 'text'?" in str(refused.value)


def test_says_where_a_field_belongs_that_stands_at_the_wrong_level():
    with pytest.raises(PlanInvalid, match=r"unknown field 'delimiter'(.|\n)*it belongs inside 'format'"):
        read_document(b"files: [a.csv]\ndelimiter: ','\n", name="d.yaml", kind=DatasetDefinition)


def test_stops_reading_after_a_thousand_problems():
    with pytest.raises(PlanInvalid) as refused:
        read("name: a\n" + "".join(f"x: &a{n} 1\n" for n in range(5000)))
    assert len(refused.value.problems) == 1000


def test_shows_at_most_fifty_problems_and_counts_them_all():
    with pytest.raises(PlanInvalid) as refused:
        read("name: a\n" + "".join(f"x{n}: 1\n" for n in range(200)))
    assert len(refused.value.problems) == 200
    assert str(refused.value).endswith("\nand 150 more\n200 errors, nothing was run")
