"""`noa drift` and `noa diff` on odd data: a verdict or a refusal with the reason, and never a crash."""

import random

import pytest

from end_to_end.projects import Project, lay_out, rows

COUNT = 2000


def table(seed, x="{x:.4f}", y="{y:.4f}", header="x,y", count=COUNT):
    """Rows as those of the training, but for what is written in their place."""
    draw = random.Random(seed)
    cells = ({"x": draw.random(), "y": draw.random()} for _ in range(count))
    return "\n".join([header, *(f"{x},{y}".format(**cell) for cell in cells)]) + "\n"


WINDOWS = {
    "one": (table(3, "0.5", "0.5", count=1), "inconclusive"),
    "twenty": (table(3, count=20), "inconclusive"),
    "nan": (table(3, "NaN"), "fail"),
    "endless": (table(3, "inf"), "fail"),
    "empty": (table(3, ""), "fail"),
    "constant": (table(3, "0.5"), "fail"),
    "text": (table(3, "t{x:.1f}"), "fail"),
    "more": (table(3, y="{y:.4f},z", header="x,y,z"), "fail"),
    "fewer": (table(3, "", "{y:.4f}", header="y").replace("\n,", "\n"), "fail"),
    "turned": (table(3, "{y:.4f}", "{x:.4f}", header="y,x"), "pass"),
    "same": (table(3), "pass"),
}


@pytest.fixture(scope="session")
def champion(once):
    """A project with a champion and many odd windows."""

    def make(folder):
        project = lay_out(folder / "project")
        project.write("data/train.csv", rows(COUNT, 1))
        project.done("init")
        project.done("run", "plan.json")
        for name, (content, _) in WINDOWS.items():
            project.write(f"data/{name}.csv", content)
        project.write("data/none.csv", "x,y\n")
        project.write("data/nothing.csv", "")

    return Project(once("odd data", make) / "project")


@pytest.mark.parametrize("name", WINDOWS)
def test_odd_data_have_the_same_verdict_by_both_commands(champion, name):
    verdict = WINDOWS[name][1]
    drift = champion.tell("drift", "little", "--current", f"data/{name}.csv", "--dry-run", "--json")
    diff = champion.tell("diff", "data/same.csv", f"data/{name}.csv", "--json")
    assert (drift.document["verdict"], diff.document["verdict"]) == (verdict, verdict)
    assert (drift.status, diff.status) == (3 if drift.document["blocks"] else 0, 0)


@pytest.mark.parametrize(
    ("name", "said"), [("none", "has no rows"), ("nothing", "is empty"), ("absent", "no such file")]
)
def test_no_rows_are_refused_with_the_reason(champion, name, said):
    for arguments in (("drift", "little", "--dry-run", "--current"), ("diff", "data/same.csv")):
        result = champion.tell(*arguments, f"data/{name}.csv")
        assert (result.status, said in result.said) == (2, True), result.said


def test_a_lifecycle_without_a_champion_has_nothing_to_compare_with(champion):
    result = champion.tell("drift", "other", "--current", "data/same.csv", "--dry-run")
    assert (result.status, "there is no lifecycle 'other' here" in result.said) == (2, True)
