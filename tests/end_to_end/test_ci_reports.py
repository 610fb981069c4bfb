"""What CI is told: reports in the published forms, annotations at the plan's lines, and no command from text of others."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft4Validator

from end_to_end.projects import Project, lay_out, rows, told, window
from schemas.xsd import Schema

SCHEMAS = Path(__file__).parents[1] / "schemas"
SARIF = Draft4Validator(json.loads(SCHEMAS.joinpath("sarif-schema-2.1.0.json").read_text()))
JUNIT = [Schema(SCHEMAS / name) for name in ("junit-10.xsd", "JUnit.xsd")]

HOSTILE = "::set-output name=y::##[add-mask]ready {0} [x](1) <b>&"
"""A column that would like to be a command, a placeholder, a link and markup."""

PLAN = """\
lifecycle_id: little
agent_profile: command
dataset_path: data/train.csv
target: label
code: [src/train.sh, src/predict.sh]
hyperparameters:
  command: [sh, code/src/train.sh]
  predict: [sh, code/src/predict.sh]
  data_format: csv
evaluation:
  dataset_path: data/eval.csv
  metric_thresholds:
    accuracy: 0.8
    roc_auc: 0.8
"""


@pytest.fixture(scope="session")
def named_badly(once):
    """A project with a champion of data with a hostile column name, its plan in ``plans/``."""

    def make(folder):
        project = lay_out(folder / "project")
        for name, text in (("train", rows(2000, 1)), ("eval", rows(1200, 2))):
            project.write(f"data/{name}.csv", text.replace("x,y,label", f"x,{HOSTILE},label", 1))
        project.write("data/wild.csv", window(14, moved=0.5).replace("x,y", f"x,{HOSTILE}", 1))
        project.write("data/odd.csv", window(12, moved=0.08).replace("x,y", f"x,{HOSTILE}", 1))
        project.write("data/quiet.csv", window(11).replace("x,y", f"x,{HOSTILE}", 1))
        hurt = window(16, labels=lambda x: x < 0.6)
        project.write("data/hurt.csv", hurt.replace("x,y", f"x,{HOSTILE}", 1))
        gone = re.sub(r",[0-9.]+$", "", window(15), flags=re.MULTILINE)
        project.write("data/gone.csv", gone.replace("x,y", "x", 1))
        project.write("plans/little.yaml", PLAN)
        project.done("init")
        project.done("run", "plans/little.yaml")

    return once("named_badly", make)


@pytest.fixture
def project(home, named_badly):
    for name in ("project", "keys"):
        shutil.copytree(named_badly / name, home / name, symlinks=True)
    return Project(home / "project")


def reports(project, *arguments, status):
    """The two reports of a command, held against the published schemas; the JUnit suite and the SARIF run."""
    junit, sarif = project.path / "out/j.xml", project.path / "out/s.sarif"
    project.done(*arguments, "--junit", str(junit), "--sarif", str(sarif), status=status)
    document = json.loads(sarif.read_text())
    assert [error.message for error in SARIF.iter_errors(document)] == []
    for schema in JUNIT:
        assert schema.problems(junit.read_bytes()) == []
    return ET.parse(junit).getroot().find("testsuite"), document["runs"][0]


def gate(project):
    return "gate", "--origin", project.done("status", "--json").document["origin"]


def test_reports_of_the_gate_have_the_published_forms(project):
    suite, run = reports(project, *gate(project), status=0)
    assert (suite.get("failures"), run["results"]) == ("0", [])
    project.done("drift", "little", "--current", "data/wild.csv", status=3)
    suite, run = reports(project, *gate(project), status=3)
    assert (suite.get("failures"), len(run["results"])) == ("1", 1)
    project.path.joinpath("registry/ml_artifacts.log").write_bytes(b"")
    suite, run = reports(project, *gate(project), status=4)
    assert run["results"][0]["ruleId"] == "evidence"


@pytest.mark.parametrize(
    ("name", "status", "rules"),
    [
        ("quiet", 0, set()),
        ("wild", 3, {"data-drift"}),
        ("gone", 3, {"schema-change"}),
        ("hurt", 3, {"metric-drift"}),
    ],
)
def test_reports_of_a_scan_have_the_published_forms(project, name, status, rules):
    _, run = reports(project, "drift", "little", "--current", f"data/{name}.csv", status=status)
    assert {result["ruleId"] for result in run["results"]} == rules
    for result in run["results"]:
        assert re.search(r"(?<!\{)\{\d", result["message"]["text"]) is None, "a placeholder"
        assert "](" not in result["message"]["text"], "a link"


BROKEN = [
    (1, lambda suite: suite.attrib.pop("id")),
    (0, lambda suite: suite.set("flavour", "x")),
    (0, lambda suite: suite.set("time", "soon")),
    (1, lambda suite: suite.set("tests", "many")),
    (1, lambda suite: suite.set("timestamp", "2026-11-01T12:00:00Z")),
    (1, lambda suite: suite.append(suite[0])),
    (1, lambda suite: suite.set("name", "")),
    (0, lambda suite: ET.SubElement(suite.find("testcase"), "verdict")),
    (1, lambda suite: suite.find("testcase").attrib.pop("classname")),
]


@pytest.mark.parametrize(("place", "harm"), BROKEN)
def test_a_report_of_another_form_is_found(project, place, harm):
    suite, _ = reports(project, *gate(project), status=0)
    harm(suite)
    root = ET.Element("testsuites")
    root.append(suite)
    assert JUNIT[place].problems(ET.tostring(root)) != []


def test_findings_stand_at_the_lines_of_the_plan_that_asked(project):
    lines = PLAN.splitlines()
    places = {"data-drift": "dataset_path: data/train.csv", "metric-drift": "roc_auc: 0.8"}
    for name in ("wild", "hurt"):
        _, run = reports(project, "drift", "little", "--current", f"data/{name}.csv", status=3)
        for result in run["results"]:
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"]["uri"] == "plans/little.yaml"
            line, column = place["region"]["startLine"], place["region"]["startColumn"]
            found = lines[line - 1][column - 1 :]
            assert found.startswith((places[result["ruleId"]], "accuracy: 0.8"))
    _, run = reports(project, *gate(project), status=3)
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_two_plans_of_a_lifecycle_are_not_guessed_between(project):
    project.write("plans/second.yaml", PLAN)
    _, run = reports(project, "drift", "little", "--current", "data/wild.csv", status=3)
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "data/wild.csv"


def test_a_first_suspect_window_warns_and_moved_data_that_do_not_hurt_are_no_finding(project):
    suite, run = reports(project, "drift", "little", "--current", "data/odd.csv", status=0)
    assert {result["level"] for result in run["results"]} == {"warning"}
    assert (suite.get("failures"), suite.get("skipped")) == ("0", str(len(run["results"])))
    assert all("moved" in skipped.get("message") for skipped in suite.iter("skipped"))
    harmless = window(12, moved=0.08, labels=lambda x: x > 0.6).replace("x,y", f"x,{HOSTILE}", 1)
    project.write("data/harmless.csv", harmless)
    suite, run = reports(project, "drift", "little", "--current", "data/harmless.csv", status=0)
    assert (suite.get("failures"), run["results"]) == ("0", [])


# What follows reads output as the runner of GitHub does: https://docs.github.com/actions/reference/workflow-commands


REGISTERED = {"add-mask", "debug", "error", "warning", "notice", "group", "endgroup", "set-output", "save-state"}
REGISTERED |= {"set-env", "add-path", "add-matcher", "remove-matcher", "echo", "stop-commands"}


def commands(output):
    """The commands that a runner obeys: name, properties, message."""
    found = []
    for line in re.split(r"[\r\n]", output):
        modern = re.match(r"\s*::(?P<name>[^ :]+)(?: (?P<told>.*?))?::(?P<message>.*)", line)
        old = re.search(r"##\[(?P<name>[^ \]]+)(?: (?P<told>[^\]]*))?\](?P<message>.*)", line)
        for match in (modern, old):
            if match is not None and match["name"] in REGISTERED:
                told = dict(part.split("=", 1) for part in (match["told"] or "").split(",") if "=" in part)
                properties = {name: unquote(value) for name, value in told.items()}
                found.append((match["name"], properties, unquote(match["message"])))
                break
    return found


@pytest.fixture
def on_github(project, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path))


def test_the_reader_of_these_tests_sees_the_commands_that_a_column_would_give(project):
    said = project.done("drift", "little", "--current", "data/wild.csv", "--all", status=3).said
    assert {name for name, _, _ in commands(said)} >= {"set-output"}


@pytest.mark.parametrize("more", [(), ("--json",), ("--all",)])
def test_no_text_of_others_is_a_command_on_github(project, on_github, more):
    for arguments, status in (
        (("drift", "little", "--current", "data/gone.csv"), 3),
        (("drift", "little", "--current", "data/wild.csv"), 3),
        (("diff", "little"), 0),
        (("drift", "little", "--current", HOSTILE), 2),
        (("drift", "little", "--current", "data/none\n::error::x.csv"), 2),
    ):
        if "--all" in more and "--current" in arguments and status == 2:
            continue
        result = project.tell(*arguments, *more)
        assert result.status == status, result.said
        assert {name for name, _, _ in commands(result.said)} <= {"error"}
        for name, properties, _ in commands(result.said):
            assert name == "error"
            assert properties.keys() == {"file", "line", "col", "title"}
            assert properties["file"] in ("plans/little.yaml", "registry/ml_artifacts.log")
        if "--json" in more and status != 2:
            assert json.loads(result.out)


def test_the_json_is_the_same_document_on_github(project, monkeypatch):
    arguments = ("diff", "data/quiet.csv", "data/wild.csv", "--json")
    elsewhere = project.done(*arguments)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    here = project.done(*arguments)
    assert "##[" in elsewhere.out
    assert "##[" not in here.out
    assert here.document == elsewhere.document


def test_a_blocked_gate_is_annotated_at_the_plan_or_at_the_log(project, on_github):
    assert commands(project.done(*gate(project)).said) == []
    project.done("drift", "little", "--current", "data/wild.csv", status=3)
    ((name, properties, message),) = commands(project.done(*gate(project), status=3).err)
    assert (name, properties["file"], properties["line"]) == ("error", "plans/little.yaml", "1")
    assert "little@1 is blocked" in message
    project.path.joinpath("plans/little.yaml").unlink()
    ((_, properties, _),) = commands(project.done(*gate(project), status=3).err)
    assert properties["file"] == "registry/ml_artifacts.log"


def test_a_threshold_that_was_not_met_is_annotated_at_its_line(project, on_github):
    project.write("plans/strict.yaml", PLAN.replace("roc_auc: 0.8", "roc_auc: 0.9999"))
    result = project.done("run", "plans/strict.yaml", status=3)
    ((name, properties, message),) = commands(result.said)
    assert (name, properties["file"], properties["line"], properties["col"]) == (
        "error",
        "plans/strict.yaml",
        "14",
        "5",
    )
    assert message.startswith("roc_auc: ")


def test_mistakes_of_a_plan_are_annotated_at_their_lines_also_in_a_folder_of_the_checkout(project, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    bad = PLAN.replace("hyperparameters:", "hyperparamters:").replace("roc_auc: 0.8", 'roc_auc: "%0A::error::0.9x"')
    project.write("plans/bad, or: not.yaml", bad)
    result = project.done("run", "plans/bad, or: not.yaml", status=2)
    found = commands(result.said)
    assert [(properties["line"], properties["file"]) for _, properties, _ in found] == [
        ("6", "project/plans/bad, or: not.yaml"),
        ("14", "project/plans/bad, or: not.yaml"),
    ]
    assert all(name == "error" for name, _, _ in found)
    assert "unknown field 'hyperparamters'" in found[0][2]
    assert "%0A::error::0.9x" in found[1][2]


def test_elsewhere_nothing_is_annotated(project):
    project.done("drift", "little", "--current", "data/wild.csv", status=3)
    assert "::error" not in told(*gate(project), "-C", str(project.path)).said


def test_what_is_scheduled_is_annotated_at_its_line_of_the_settings(project, on_github):
    settings = project.path / "noa.yaml"
    schedule = "schedule:\n  little: {data: data/wild.csv, every: 1d}\n"
    settings.write_text(settings.read_text() + schedule)
    found = commands(project.done("drift", status=3).err)
    line = settings.read_text().splitlines().index(schedule.splitlines()[1]) + 1
    places = {properties["title"]: (properties["file"], properties["line"]) for _, properties, _ in found}
    assert places["noa: little rollout"] == ("noa.yaml", str(line))
    assert places["noa: little@1 x"] == ("plans/little.yaml", "3")
