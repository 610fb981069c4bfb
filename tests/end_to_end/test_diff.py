"""`noa diff`: two datasets side by side, with no project around them."""

import json

import numpy as np
import pyarrow as pa
import pytest

from end_to_end.projects import Project
from noa_mlops.datasets import write_parquet

ROWS = 2000


def people(draw, *, moved):
    """Customers; ``moved`` ones are older, live in a new town, and some of their incomes are missing."""
    towns = np.array(["Ulm", "Köln", "<b>Bonn</b>"] if moved else ["Ulm", "Köln"])
    return pa.table(
        {
            "id": range(100 * moved, ROWS + 100 * moved),
            "age": draw.normal(50 if moved else 40, 10, ROWS),
            "height": draw.normal(170, 10, ROWS),
            "town": towns[draw.integers(0, len(towns), ROWS)],
            "income": pa.array(draw.random(ROWS), mask=draw.random(ROWS) < (0.2 if moved else 0.0)),
        }
    )


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(1)
    for name, moved in (("before", False), ("after", True)):
        write_parquet(people(draw, moved=moved), tmp_path / f"{name}.parquet")
        tmp_path.joinpath(f"{name}.dataset.yaml").write_text(f"files: [{name}.parquet]\nkey: id\n")
    return Project(tmp_path)


def test_names_what_moved_first_and_is_quiet_about_the_rest(folder):
    result = folder.tell("diff", "before.dataset.yaml", "after.dataset.yaml")
    assert result.status == 0, result.said
    lines = result.out.splitlines()
    assert "DRIFTED" in lines[0]
    assert "100 added, 100 removed, 1900 changed, 0 the same" in result.out
    drifted = [line.split()[0] for line in lines if " drifted" in line]
    assert set(drifted[:4]) >= {"age", "town", "income"}
    assert not any(line.startswith("height") and "drifted" in line for line in lines)
    assert "missing 0.0% → " in result.out
    assert "in new categories <b>Bonn</b>" in result.out


def test_the_document_is_whole_and_the_page_holds_no_foreign_markup(folder):
    result = folder.tell("diff", "before.parquet", "after.parquet", "--json", "--html", str(folder.path / "diff.html"))
    document = json.loads(result.out)
    assert (document["verdict"], document["rows"], document["matched"]) == ("fail", [ROWS, ROWS], None)
    page = folder.path.joinpath("diff.html").read_text()
    assert "<svg" in page
    assert "<b>Bonn" not in page
    assert len(page) < 200_000
    assert "http" not in page


def test_one_dataset_and_itself_are_alike(folder):
    result = folder.tell("diff", "before.parquet", "before.parquet", "--key", "id")
    assert "ALIKE" in result.out
    assert "0 added, 0 removed, 0 changed, 2000 the same" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("before.parquet", "nowhere.parquet"), "no such file"),
        (("before.parquet", "../after.parquet"), ""),
        (("before.parquet", "after.parquet", "--key", "ages"), "Did you mean 'age'?"),
        (("before.parquet", "after.parquet", "--key", "town"), "another row has named"),
        (("before.parquet", "after.parquet", "--key", "income"), "is missing in"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(folder, arguments, said):
    result = folder.tell("diff", *arguments)
    assert result.status == 2, result.said
    assert said in result.said


def test_labels_are_compared_by_value_when_a_target_is_named_or_declared(folder):
    named = json.loads(folder.done("diff", "before.parquet", "after.parquet", "--target", "town", "--json").out)
    rates = {one["label"]: (one["before"], one["now"]) for one in named["label_rates"]["rates"]}
    assert rates["<b>Bonn</b>"][0] == 0 < rates["<b>Bonn</b>"][1]
    assert sum(before for before, _ in rates.values()) == pytest.approx(1)
    with folder.path.joinpath("before.dataset.yaml").open("a") as definition:
        definition.write("target: income\n")
    shown = folder.done("diff", "before.dataset.yaml", "after.dataset.yaml", "--html", str(folder.path / "d.html"))
    assert "income, median 0." in shown.out
    assert "without a label 0 →" in shown.out
    assert "Labels: income" in folder.path.joinpath("d.html").read_text()
    assert json.loads(folder.done("diff", "before.parquet", "after.parquet", "--json").out)["label_rates"] is None
    assert (
        "Did you mean 'town'?"
        in folder.done("diff", "before.parquet", "after.parquet", "--target", "Town", status=2).said
    )


def test_rows_are_counted_by_the_slices_that_a_definition_declares(folder):
    with folder.path.joinpath("after.dataset.yaml").open("a") as definition:
        definition.write("slices: [town]\n")
    slices = json.loads(folder.done("diff", "before.dataset.yaml", "after.dataset.yaml", "--json").out)["slices"]
    assert slices[0]["slice"] == "town '<b>Bonn</b>'"
    assert sum(one["shares"][1] for one in slices) == pytest.approx(1)
