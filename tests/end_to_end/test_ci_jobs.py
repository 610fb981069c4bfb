"""The jobs that ``noa init --ci`` puts into a project, run as the runners of GitHub and GitLab run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML


@pytest.fixture
def origin(promoted):
    return promoted.done("status", "--json").document["origin"]


@pytest.fixture
def runner(promoted, tmp_path):
    """A checkout that has what git has of a project and a CI job needs: the registry and the jobs, no storage, no key."""

    def fresh():
        checkout = tmp_path / "checkout"
        shutil.rmtree(checkout, ignore_errors=True)
        for part in ("registry", "cicd"):
            shutil.copytree(promoted.path / part, checkout / part)
        return checkout

    return fresh


def shell(script: str, checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(checkout),
        "NOA_KEYS": str(checkout / "none"),
        **variables,
    }
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def on_github(checkout: Path, **inputs: str) -> tuple[int, dict[str, str], str]:
    """The gate's composite action; its exit status, the variables of later steps, the summary of the job."""
    action = YAML(typ="safe").load((checkout / "cicd/ml/rollout_gate/action.yml").read_text())
    given = {name: inputs.get(name, known.get("default", "")) for name, known in action["inputs"].items()}
    (step,) = action["runs"]["steps"]
    variables = {name: given[value.split("inputs.")[1].split(" ")[0]] for name, value in step["env"].items()}
    files = {name: str(checkout.parent / name) for name in ("GITHUB_ENV", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        Path(path).unlink(missing_ok=True)
    ran = shell(step["run"], checkout, **variables, **files)
    told = Path(files["GITHUB_ENV"]).read_text().split()
    summary = Path(files["GITHUB_STEP_SUMMARY"])
    return ran.returncode, dict(line.split("=") for line in told), summary.read_text() if summary.exists() else ""


def on_gitlab(checkout: Path) -> tuple[int, dict[str, str]]:
    job = YAML(typ="safe").load((checkout / "cicd/ml/rollout_gate/gitlab.yml").read_text())["rollout_gate"]
    (checkout / "rollout.env").unlink(missing_ok=True)
    ran = shell("\n".join(job["script"]), checkout, **job["variables"])
    told = (checkout / job["artifacts"]["reports"]["dotenv"]).read_text().split()
    assert (checkout / job["artifacts"]["reports"]["junit"]).exists()
    return ran.returncode, dict(line.split("=") for line in told)


def block(project):
    lines = ["x,z,label", *(f"{1000 + n},1,{n % 2}" for n in range(200))]
    project.write("data/other.csv", "\n".join(lines) + "\n")
    reports = ("--junit", str(project.path / "j.xml"), "--sarif", str(project.path / "s.sarif"))
    return project.done("drift", "little", "--current", "data/other.csv", *reports, status=3)


def test_the_github_job_says_ready_and_then_blocked_from_the_registry_alone(promoted, runner, origin):
    promoted.done("init", "--ci", "github")
    status, told, summary = on_github(runner(), origin=origin, name="little")
    assert (status, told["ML_ROLLOUT_STATUS"]) == (0, "ready")
    assert "| little@1 | ready |" in summary
    block(promoted)
    status, told, summary = on_github(runner(), origin=origin)
    assert (status, told["ML_ROLLOUT_STATUS"]) == (3, "blocked")
    assert "| little@1 | blocked |" in summary


def test_the_github_job_fails_closed_on_a_registry_that_was_edited_and_takes_no_command_from_its_inputs(
    promoted, runner, origin
):
    promoted.done("init", "--ci", "github")
    checkout = runner()
    log = checkout / "registry/ml_artifacts.log"
    log.write_bytes(log.read_bytes().replace(b'"ready"', b'"Ready"', 1))
    status, told, _ = on_github(checkout, origin=origin)
    assert (status, told["ML_ROLLOUT_STATUS"]) == (4, "blocked")
    status, told, _ = on_github(runner(), origin=origin, name="little; touch owned")
    assert (status, told["ML_ROLLOUT_STATUS"]) == (2, "blocked")
    assert not (checkout / "owned").exists()


def test_the_gitlab_job_says_ready_and_then_blocked_from_the_registry_alone(promoted, runner, origin):
    promoted.done("init", "--ci", "gitlab")
    assert origin in (promoted.path / "cicd/ml/rollout_gate/gitlab.yml").read_text()
    assert on_gitlab(runner()) == (0, {"ML_ROLLOUT_STATUS": "ready"})
    block(promoted)
    status, told = on_gitlab(runner())
    assert (status, told["ML_ROLLOUT_STATUS"]) == (3, "blocked")


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_workflow_triggers_jobs_that_are_there_and_nothing_is_overwritten(promoted, origin, system):
    first = promoted.done("init", "--ci", system, "--json").document["created"]
    assert len(first) == 3
    written = {path: (promoted.path / path).read_text() for path in first}
    texts = YAML(typ="safe")
    flow = next(path for path in first if "cicd" not in path)
    document = texts.load(written[flow])
    if system == "github":
        steps = document["jobs"]["rollout-gate"]["steps"]
        (gate,) = [step for step in steps if step.get("uses", "").startswith("./")]
        assert (promoted.path / gate["uses"] / "action.yml").exists()
        assert gate["with"]["origin"] == origin
    else:
        assert all((promoted.path / part["local"]).exists() for part in document["include"])
    for path in first:
        promoted.write(path, "mine")
    again = promoted.done("init", "--ci", system)
    assert all((promoted.path / path).read_text() == "mine" for path in first)
    assert f"{flow} was there and stays as it is" in again.err


def test_a_scan_is_told_as_junit_and_as_sarif(promoted):
    block(promoted)
    suite = ET.parse(promoted.path / "j.xml").getroot().find("testsuite")
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert "little@1 x" in failed
    assert (int(suite.get("tests")), int(suite.get("failures"))) == (len(suite.findall("testcase")), len(failed))
    run = json.loads((promoted.path / "s.sarif").read_text())["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    places = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]}
    assert places == {"data/other.csv"}
    assert len(run["results"]) == len(failed)
