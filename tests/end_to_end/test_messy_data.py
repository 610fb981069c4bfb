"""One messy file, three doors: ``noa show``, ``noa init --data`` and ``noa run`` say the same of it, or take it."""

from __future__ import annotations

import pytest

from end_to_end.projects import Project


def table(header, *lines):
    return ("\n".join([header, *lines]) + "\n").encode()


DAYS = [f"{row},{('2025-03-{0:02}', '{0:02}.03.2025', '{0:02}/03/2025')[row % 3].format(row + 1)}" for row in range(28)]
ROWS = [f"{row},{row * 37 % 10},{'no' if row % 3 else 'yes'}" for row in range(60)]

REFUSED = {
    "ragged rows": (table("x,z,y", "1,2,yes", "1,2,3,no"), "line 3 has 4 cells, the header has 3"),
    "a short row": (table("x,z,y", "1,2,yes", "1"), "line 3 has 1 cell, the header has 3"),
    "equal names": (table("x,x,y", "1,2,yes"), "has more than one column named 'x'"),
    "an empty name": (table("x,,y", "1,2,yes"), "column 2 has an empty name"),
    "a title above": (table("Sales,,", "x,z,y", "1,2,yes"), "column 2 has an empty name"),
    "no rows": (table("x,z,y"), "has no rows"),
    "nothing": (b"", "is empty (0 bytes)"),
    "an open quote": (b'x,z,y\n1,"2,yes\n2,3,no\n', "cannot be read after line 1"),
    "binary": (bytes(range(256)), "data/a.csv: "),
}


@pytest.fixture
def project(home):
    project = Project(home / "shop")
    project.done("init")
    return project


def plan(project, data="data/a.csv"):
    project.write(
        "plans/a.yaml",
        f"lifecycle_id: a\nagent_profile: sklearn-classifier\ndataset_path: {data}\ntarget: y\n"
        "evaluation: {split: {share: 25%, seed: 1}, metric_thresholds: {accuracy: 0.1}}\n",
    )
    return "plans/a.yaml"


@pytest.mark.parametrize("kind", REFUSED)
def test_every_door_refuses_it_with_the_place_and_the_next_step(project, kind):
    content, message = REFUSED[kind]
    project.write("data/a.csv", content)
    for command in (
        ("show", "data/a.csv"),
        ("init", "--data", "data/a.csv", "--target", "y"),
        ("run", plan(project)),
    ):
        refused = project.tell(*command)
        assert refused.status == 2, command
        assert "data/a.csv: " in refused.err, command
        assert message in refused.err, refused.err
        assert len(refused.err.splitlines()) == 2, refused.err
    assert [entry for entry in project.entries() if entry["noa_entry"]["type"] == "Submitted"] == []


TAKEN = {
    "a byte order mark": b"\xef\xbb\xbf" + table("x,z,y", *ROWS),
    "a column without values": table("x,none,z,y", *(row.replace(",", ",,", 1) for row in ROWS)),
    "dates in three formats": table("x,day,y", *(f"{day},{'no' if n % 3 else 'yes'}" for n, day in enumerate(DAYS))),
    "words among numbers": table("x,z,y", *(row if n % 4 else f"{n},refused,no" for n, row in enumerate(ROWS))),
    "labels that are missing": table("x,z,y", *(row if n % 4 else f"{n},1," for n, row in enumerate(ROWS))),
    "line ends of old": table("x,z,y", *ROWS).replace(b"\n", b"\r"),
    "another encoding": table("x,z,y", *ROWS).replace(b"z", "größe".encode("cp1252"), 1),
    "two bytes a character": table("x,z,y", *ROWS).decode().encode("utf-16"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_every_door_takes_it_without_an_edit(project, kind):
    project.write("data/a.csv", TAKEN[kind])
    project.done("show", "data/a.csv")
    project.done("init", "--data", "data/a.csv", "--target", "y")
    project.done("run", "plans/a.yaml", "--dry-run")


def test_one_outcome_only_is_refused_by_init_and_run(project):
    project.write("data/a.csv", table("x,z,y", *(row.replace("yes", "no") for row in ROWS)))
    for command in (("init", "--data", "data/a.csv", "--target", "y"), ("run", plan(project))):
        refused = project.tell(*command)
        assert refused.status == 2, refused.said
        assert "one class" in refused.err, refused.err


def test_two_thousand_columns_are_shown_and_begun(project):
    names = [f"c{column}" for column in range(2000)]
    lines = [
        ",".join([*(str((row * column) % 17) for column in range(2000)), "no" if row % 3 else "yes"])
        for row in range(40)
    ]
    project.write("data/a.csv", table(",".join([*names, "y"]), *lines))
    assert "and 1941 more columns: --json has all of them" in project.done("show", "data/a.csv").out
    assert "40 rows, 2001 columns" in project.done("init", "--data", "data/a.csv", "--target", "y").out
    project.done("run", "plans/a.yaml", "--dry-run")
