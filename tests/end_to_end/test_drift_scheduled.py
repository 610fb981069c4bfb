"""`noa drift` without `--current`: what noa.yaml schedules is scanned, each window that arrives once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from end_to_end.projects import Project, window


@pytest.fixture
def project(home, watched):
    for name in ("project", "keys"):
        shutil.copytree(watched / name, home / name, symlinks=True)
    return Project(home / "project")


def schedule(project, **tasks):
    project.write("noa.yaml", json.dumps({"name": "project", "schedule": tasks}))


def scans(project):
    return [e["predicate"]["dataset"]["path"] for e in project.entries() if e["noa_entry"]["type"] == "DriftScanned"]


def failures(path):
    """The names of the checks that a JUnit report says do not hold."""
    cases = ET.fromstring(path.read_text()).iter("testcase")
    return {case.get("name") for case in cases if case.find("failure") is not None}


def test_files_that_arrive_are_scanned_once_each_and_the_second_odd_one_blocks(project):
    schedule(project, little={"data": "data/arrivals/*.csv"})
    nothing = project.done("drift", "--json").document
    assert nothing == {"scans": [], "problems": [], "rollouts": {"little": "ready"}}
    project.write("data/arrivals/1.csv", window(11))
    project.write("data/arrivals/2.csv", window(12, moved=0.08))
    project.write("data/arrivals/.3.csv.part", "x")
    assert project.done("drift", "little").out.count("SUSPECT") == 1
    project.done("drift")
    assert scans(project) == ["data/arrivals/1.csv", "data/arrivals/2.csv"]
    project.write("data/arrivals/3.csv", window(13, moved=0.08))
    blocked = project.done("drift", "--junit", str(project.path / "junit.xml"), status=3)
    assert "BLOCKED  little   1 window scanned" in blocked.out
    assert {"little@1 x", "little rollout"} <= failures(project.path / "junit.xml")
    assert "no new windows scanned" in project.done("drift", status=3).out
    lines = (project.path / "cicd/ml/reports/drift_report.jsonl").read_text().splitlines()
    assert len(lines) == len(scans(project)) == 3
    assert project.verifies()


def test_a_file_that_arrives_again_with_other_content_is_a_new_window(project):
    schedule(project, little={"data": "data/arrivals/*.csv"})
    for seed in (11, 12):
        project.write("data/arrivals/1.csv", window(seed))
        project.done("drift")
        project.done("drift")
    assert len(scans(project)) == 2


def test_a_data_file_is_scanned_each_time(project):
    schedule(project, little={"data": "data/now.csv"})
    project.write("data/now.csv", window(11))
    page = project.path / "page.html"
    for _ in range(2):
        project.done("drift", "--html", str(page))
    assert scans(project) == ["data/now.csv"] * 2
    assert "little@1" in page.read_text()


@pytest.mark.parametrize(
    ("system", "variables"), [("github", {"NAME": "", "CURRENT": ""}), ("gitlab", {"NOA_LIFECYCLE": "little"})]
)
def test_the_jobs_of_ci_scan_what_is_scheduled(project, system, variables):
    schedule(project, little={"data": "data/arrivals/*.csv"})
    project.write("data/arrivals/1.csv", window(14, moved=0.5))
    project.done("init", "--ci", system)
    folder = project.path / "cicd/ml/drift_detection"
    if system == "github":
        [step] = YAML(typ="safe").load((folder / "action.yml").read_text())["runs"]["steps"]
        script = step["run"]
    else:
        [script] = YAML(typ="safe").load((folder / "gitlab.yml").read_text())["drift_detection"]["script"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **variables}
    ran = subprocess.run(["bash", "-e", "-c", script], cwd=project.path, env=environment, check=False)
    assert (ran.returncode, scans(project)) == (3, ["data/arrivals/1.csv"])
    assert "little@1" in (project.path / "cicd/ml/reports/drift.html").read_text()
    assert {"little@1 x", "little rollout"} <= failures(project.path / "cicd/ml/reports/drift.xml")


def test_what_cannot_be_scanned_stops_no_other_scan(project):
    schedule(project, little={"data": "data/arrivals/*.csv"}, other={"data": "data/none.csv"})
    project.write("data/arrivals/1.csv", "x,y\n1\n")
    project.write("data/arrivals/2.csv", window(11))
    document = project.done("drift", "--json", status=2).document
    assert [scan["dataset"]["path"] for scan in document["scans"]] == ["data/arrivals/2.csv"]
    assert [problem["lifecycle_id"] for problem in document["problems"]] == ["little"]
    assert document["rollouts"] == {"little": "ready", "other": "no champion"}


def test_a_folder_that_cannot_be_listed_stops_no_other_scan(project):
    schedule(project, other={"data": "data/now.csv"}, little={"data": "data/quiet.csv/*.csv"})
    project.write("data/quiet.csv", window(11))
    document = project.done("drift", "--json", status=2).document
    assert "cannot be listed" in str(document)
    assert [problem["lifecycle_id"] for problem in document["problems"]] == ["little"], document
    assert document["rollouts"] == {"other": "no champion", "little": "ready"}


def test_a_dry_run_of_the_schedule_writes_nothing(project):
    schedule(project, little={"data": "data/*ld.csv"})
    project.write("data/wild.csv", window(14, moved=0.5))
    before = project.state()
    assert "BLOCKED" in project.done("drift", "--dry-run", status=3).out
    assert project.state() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\n", "schedules nothing"),
        ("name: x\nschedule:\n  other: {data: a.csv}\n", "schedules nothing for little"),
        ("name: x\nschedule:\n  little: {data: a.csv, evry: 1d}\n", "noa.yaml:3:25  unknown field"),
        ("name: x\nschedule:\n  little: {data: a.csv, every: daily}\n", "noa.yaml:3:32  schedule.little.every must be"),
        ("name: x\nschedule:\n  little: {data: ../a.csv}\n", "noa.yaml:3:18  schedule.little.data must not contain"),
        ("name: x\nschedule:\n  little: {data: a*/b.csv}\n", "in the name of the file only"),
        ("name: x\nschedule:\n  little: {data: a.csv, retrain: true}\n", "needs 'plan'"),
        ("name: x\nschedule:\n  Little: {data: a.csv}\n", "noa.yaml:3:3  'schedule.Little' is no name"),
        ("name: x\nexecutor: ray\n", "is not available in this version"),
    ],
)
def test_a_schedule_that_cannot_be_used_is_refused_at_its_place(project, text, said):
    project.write("noa.yaml", text)
    before = project.state()
    result = project.tell("drift", "little")
    assert (result.status, project.state()) == (2, before), result.said
    assert said in result.said
    assert project.tell("drift", "--current", "data/now.csv").status == 2
