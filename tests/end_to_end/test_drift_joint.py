"""`drift: {joint: true}` in a plan, and `noa diff --joint`: rows are told apart by all columns together."""

import random

import pytest

from end_to_end.projects import Project, lay_out


def table(seed, *, turned, count=3000, labelled=True):
    """Rows of which ``y`` follows ``x``, or its opposite; each of both is what it was."""
    draw = random.Random(seed)
    lines = ["x,y,label" if labelled else "x,y"]
    for _ in range(count):
        x = draw.random()
        y = 0.8 * (1 - x if turned else x) + 0.2 * draw.random()
        lines.append(f"{x:.4f},{y:.4f}" + (f",{int(x + 0.2 * draw.random() > 0.6)}" if labelled else ""))
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(home):
    project = lay_out(home / "project")
    project.write("data/train.csv", table(1, turned=False))
    project.write("data/same.csv", table(2, turned=False, labelled=False))
    project.write("data/turned.csv", table(3, turned=True, labelled=False))
    project.done("init")
    project.done("run", project.plan(drift={"joint": True}))
    return project


def test_a_scan_looks_at_all_columns_where_the_plan_says_so_and_while_the_training_data_are_there(project):
    quiet = project.done("drift", "little", "--current", "data/same.csv", "--json").document
    assert quiet["verdict"] == "pass"
    assert "(all columns together)" in [column["name"] for column in quiet["columns"]]
    found = project.done("drift", "little", "--current", "data/turned.csv", status=3)
    assert "a classifier tells rows apart: area 0.9" in found.out
    assert project.last_entry()[1]["signs"] == [["(all columns together)", "joint", "up"]]
    assert project.verifies()
    assert "(all columns together)" in project.done("diff", "little").out

    project.write("data/train.csv", table(4, turned=False))
    blind = project.done("drift", "little", "--current", "data/turned.csv", "--dry-run", "--json", status=3).document
    assert blind["verdict"] == "pass"
    assert "(all columns together)" not in [column["name"] for column in blind["columns"]]
    assert "data/train.csv does not hold the training data any more" in blind["notes"][-1]
    (project.path / "data/train.csv").unlink()
    gone = project.done("drift", "little", "--current", "data/turned.csv", "--dry-run", "--json", status=3).document
    assert "cannot be read again" in gone["notes"][-1]


def test_two_datasets_are_looked_at_together_when_that_is_asked_for(tmp_path):
    folder = Project(tmp_path)
    for name, turned in (("before", False), ("after", True)):
        folder.write(f"{name}.csv", table(turned, turned=turned, labelled=False))
    assert "ALIKE" in folder.done("diff", "before.csv", "after.csv").out
    page = tmp_path / "page.html"
    together = folder.done("diff", "before.csv", "after.csv", "--joint", "--html", str(page))
    assert "DRIFTED" in together.out
    assert "(all columns together)  a classifier tells rows apart" in together.out
    assert "joint: drifted" in page.read_text()


def test_the_key_and_the_labels_that_were_named_tell_no_rows_apart(tmp_path):
    folder = Project(tmp_path)
    for seed, name in enumerate(("before", "after")):
        first, *lines = table(seed, turned=False, labelled=False).splitlines()
        keyed = [f"{line},{seed * 3000 + place},{seed}" for place, line in enumerate(lines)]
        folder.write(f"{name}.csv", "\n".join([f"{first},id,outcome", *keyed]) + "\n")
    arguments = ("diff", "before.csv", "after.csv", "--joint", "--key", "id", "--target", "outcome", "--json")
    columns = {column["name"]: column for column in folder.done(*arguments).document["columns"]}
    assert not columns["(all columns together)"]["drifted"]
