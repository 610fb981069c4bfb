"""Four commands from a messy file to a champion, and no edit between them; what cannot be used says what to do."""

from __future__ import annotations

import json
import random

import pytest

from end_to_end.projects import Project
from noa_mlops.records.plan import TrainingPlan

NAMES = b"a,b\n" + b"".join(b"%d,name%d\n" % (row, row) for row in range(50))

HEADER = "Kundennr;Name;Umsatz;Alter;Datum;PLZ;gekündigt"


def customers(rows=300):
    draw = random.Random(1)
    lines = [HEADER]
    for number in range(rows):
        spent = draw.random() * 5000
        gone = spent + draw.random() * 2500 < 3000
        money = f"{spent:,.2f}".translate(str.maketrans(",.", ".,"))
        age = draw.choice(["?", str(draw.randint(18, 80))])
        day = f"{number % 28 + 1:02}.{number % 12 + 1:02}.2025"
        lines.append(f"{number};Müller {number % 9};{money};{age};{day};0{1000 + number};{'ja' if gone else 'nein'}")
    return "\r\n".join(lines).encode("cp1252")


@pytest.fixture
def project(home):
    project = Project(home / "shop")
    project.write("data/customers.csv", customers())
    return project


def begun(project, *options):
    return project.tell("init", "--data", "data/customers.csv", "--target", "gekündigt", *options)


def test_a_messy_file_becomes_a_champion_without_an_edit(project):
    shown = project.tell("show", "data/customers.csv")
    assert "300 rows, 7 columns; semicolons between cells; decimal commas" in shown.out
    told = begun(project)
    assert told.status == 0, told.said
    assert told.out.splitlines()[-1].split(maxsplit=1) == ["Next", "noa run plans/customers.yaml"]
    ran = project.tell("run", "plans/customers.yaml")
    assert ran.status == 0, ran.said
    assert project.champion("customers") == 1
    assert project.verifies()


def test_says_what_was_decided_and_what_is_in_doubt(project):
    told = begun(project).out
    assert "gekündigt: 2 classes, nein" in told
    assert "Key         Kundennr" in told
    assert "the latest by Datum: 239 rows to learn from, 61 held back" in told
    assert "it is not UTF-8" in told
    plan = TrainingPlan.load(project.path / "plans/customers.yaml")
    assert plan.positive == "ja"
    assert plan.evaluation.split.by == "Datum"


def test_overwrites_nothing(project):
    project.write("plans/customers.yaml", "mine")
    assert begun(project).status == 0
    definition = (project.path / "data/customers.dataset.yaml").read_text()
    project.write("data/customers.dataset.yaml", definition + "# mine\n")
    told = begun(project)
    assert told.status == 0
    assert "nothing is overwritten" in told.out
    assert "what was found now is not what they say: to begin anew, delete them" in told.out
    assert (project.path / "plans/customers.yaml").read_text() == "mine"
    assert (project.path / "data/customers.dataset.yaml").read_text().endswith("# mine\n")


def test_beginning_twice_keeps_what_still_says_what_was_found(project):
    assert begun(project).status == 0
    told = begun(project).out
    assert "there already, nothing is overwritten" in told
    assert "begin anew" not in told


def test_a_dry_run_writes_nothing(project):
    told = begun(project, "--dry-run", "--json").document
    assert told["definition"] == "data/customers.dataset.yaml"
    assert told["split"] == {"by": "Datum", "last": 0.2, "rows": {"train": 239, "evaluation": 61}}
    assert [path.name for path in project.path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        (b"a,b\n1,2\n1,2,3\n", "b", "line 3 has 3 cells, the header has 2"),
        (b"a,b\n1,no\n2,no\n", "b", "the target 'b' has one class only ('no')"),
        (b"a,b\n1,\n2,\n", "b", "has no value in any row"),
        (b"a,b\n1,x\n", "c", "target names the column 'c', which is not in the data"),
        (b"a,a\n1,x\n", "a", "more than one column named 'a'"),
        (b"a,b\n", "b", "has no rows"),
        (b"a,b\n,x\n,y\n", "b", "no column is left to learn 'b' from (a: has no value in any row)"),
        (b"b\nx\ny\nx\n", "b", "no column is left to learn 'b' from (it is the only column)"),
        (NAMES, "b", "the target 'b' is text with 50 different values in 50 rows, hardly classes"),
    ],
)
def test_refuses_before_anything_is_written(project, content, target, message):
    project.write("data/customers.csv", content)
    result = project.tell("init", "--data", "data/customers.csv", "--target", target)
    assert result.status == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 2
    assert [path.name for path in project.path.iterdir()] == ["data"]


def test_asks_for_the_target_with_the_columns(project):
    result = project.tell("init", "--data", "data/customers.csv")
    assert result.status == 2
    assert "'Umsatz'" in result.err


def test_a_file_elsewhere_is_told_how_to_come_in(project, home):
    (home / "other.csv").write_text("a,b\n1,x\n")
    result = project.tell("init", "--data", str(home / "other.csv"), "--target", "b")
    assert result.status == 2
    assert f"cp {home / 'other.csv'}" in result.err


def test_many_classes_and_numbers_get_a_bar_of_their_own(project):
    draw = random.Random(2)
    lines = [f"{draw.random():.3f},{draw.choice('abc')}\n" for _ in range(60)]
    project.write("data/customers.csv", "x,kind\n" + "".join(lines))
    assert project.tell("init", "--data", "data/customers.csv", "--target", "kind").status == 0
    assert "balanced_accuracy: 0.43" in (project.path / "plans/customers.yaml").read_text()
    project.write("data/numbers.csv", "x,kind\n" + "".join(lines))
    assert project.tell("init", "--data", "data/numbers.csv", "--target", "x").status == 0
    assert "agent_profile: sklearn-regressor" in (project.path / "plans/numbers.yaml").read_text()


def test_a_class_of_a_few_rows_and_a_file_of_suspects_only_are_told(project):
    lines = [f"{row / 100},{'yes' if row % 3 else 'no'}\n" for row in range(100)]
    project.write("data/customers.csv", "x,gekündigt\n" + "".join(lines) + "0.5,maybe\n")
    told = begun(project).out
    assert "maybe < 1 %" in told
    assert "fewer than 5 rows have 'maybe'" in told
    assert "fewer than 5 rows" in (project.path / "data/customers.dataset.yaml").read_text()
    suspects = "".join(f"{row},{'high' if row > 60 else 'low'}\n" for row in range(100))
    project.write("data/suspects.csv", "x,y\n" + suspects)
    told = project.tell("init", "--data", "data/suspects.csv", "--target", "y").out
    assert "x: separates without overlap the classes of y" in told
    assert "every feature is left out: take one out of ignore" in told


def test_a_workbook_or_a_file_that_is_not_there_is_said_to_be_one(project):
    project.write("data/customers.xlsx", b"PK")
    for command in (("show",), ("init", "--target", "gekündigt", "--data")):
        refused = project.tell(*command, "data/customers.xlsx")
        assert refused.status == 2
        assert "Save the sheet as CSV" in refused.err
        assert "no such file" in project.tell(*command, "data/custmers.csv").err


def test_a_summary_of_data_for_machines_has_every_column(project):
    shown = json.loads(project.tell("show", "data/customers.csv", "--json").out)
    assert shown["rows"] == 300
    assert [column["name"] for column in shown["columns"]] == HEADER.split(";")


def test_a_lifecycle_is_named_after_the_file(project):
    project.write("data/Köche 2025 (final) -- v2.csv", customers())
    told = project.tell("init", "--data", "data/Köche 2025 (final) -- v2.csv", "--target", "gekündigt")
    assert told.out.splitlines()[-1].split(maxsplit=1) == ["Next", "noa run plans/koche-2025-final-v2.yaml"]
    assert (
        project.done("run", "plans/koche-2025-final-v2.yaml", "--json").document["lifecycle_id"]
        == "koche-2025-final-v2"
    )
