"""What people see of a lifecycle and its versions: numbers beside their limits, and whatever speaks against relying on them."""

from __future__ import annotations

import pytest

from end_to_end.projects import PLAN, rows
from noa_mlops.agents import Job, RuntimeManager, best_isolation

GATELESS = {"gate": "none", "reason": "a constant answer to compare with"}


def test_a_lifecycle_shows_the_metrics_of_its_champion_beside_their_thresholds(promoted):
    shown = promoted.tell("show", "little").out
    assert shown.startswith("READY  little\n")
    assert any(line.startswith("roc_auc  ") and line.endswith("at least 0.8") for line in shown.splitlines())
    champion = promoted.tell("show", "little", "--json").document["champion"]
    assert champion["thresholds"] == {"roc_auc": {"min": 0.8}}
    assert champion["metrics"]["roc_auc"] >= 0.8
    assert champion["no_gate"] is None


def test_a_model_promoted_without_a_gate_shows_the_reason_wherever_it_is_shown(promoted):
    run = promoted.tell("run", promoted.plan(evaluation=GATELESS))
    assert run.status == 0, run.said
    for told in (run.err, promoted.tell("show", "little").out, promoted.tell("show", "little@2").out):
        assert GATELESS["reason"] in told
    assert promoted.tell("show", "little@2", "--json").document["no_gate"] == GATELESS["reason"]


def test_a_reason_that_was_redacted_is_shown_as_that(promoted):
    assert promoted.tell("run", promoted.plan(evaluation=GATELESS)).status == 0
    plan = promoted.tell("show", "little@2", "--json").document["plan_digest"]
    assert promoted.tell("redact", plan, "--reason", "asked to").status == 0
    assert "No gate     (redacted)" in promoted.tell("show", "little").out


def test_a_rejected_version_shows_why(promoted):
    out_of_reach = {**PLAN["evaluation"], "metric_thresholds": {"roc_auc": 0.9999}}
    assert promoted.tell("run", promoted.plan(evaluation=out_of_reach)).status == 3
    shown = promoted.tell("show", "little@2").out
    assert "roc_auc: " in shown
    assert "is under 0.9999" in shown


def test_a_version_shows_the_rows_that_did_not_count(promoted):
    lines = rows(60, seed=3).splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    lines[2] = lines[2].rpartition(",")[0] + ",7"
    promoted.write("data/eval.csv", "\n".join(lines) + "\n")
    run = promoted.tell("run", promoted.plan(evaluation={**PLAN["evaluation"], "metric_thresholds": {"accuracy": 0.1}}))
    assert run.status == 0, run.said
    measured = "Measured    59 rows; 1 without a label left out; 1 with a label that training did not have"
    assert measured in promoted.tell("show", "little@2").out.splitlines()


def test_a_lifecycle_without_a_champion_is_not_called_ready(folder):
    folder.tell("init")
    folder.programs(train="exit 1\n")
    assert folder.tell("run", "plan.json").status == 6
    for told in (folder.tell("status"), folder.tell("show", "little")):
        assert told.out.startswith("NO CHAMPION  little\n")


@pytest.fixture
def possible(tmp_path):
    """What confines an agent on this machine, as a program that does nothing finds."""
    folder = tmp_path / "agent"
    (folder / "tmp").mkdir(parents=True)
    return RuntimeManager().run(Job(("/bin/true",), folder, isolation=best_isolation())).isolation


def test_what_confined_an_agent_is_in_the_evidence_and_shown(promoted, possible):
    facts = {"namespaces": list(possible.namespaces), "cgroup": list(possible.cgroup)}
    recorded = [
        entry["predicate"]["noa:run"]["isolation"]
        for entry in promoted.entries()
        if entry["noa_entry"]["type"] in ("TrainingCompleted", "EvaluationLogged")
    ]
    assert len(recorded) == 2
    assert [{name: run[name] for name in facts} for run in recorded] == [facts, facts]
    shown = promoted.tell("show", "little@1").out
    for name, found in (("namespaces", possible.namespaces), ("control group", possible.cgroup)):
        assert shown.count(f"; {name}: {', '.join(found)}") == (2 if found else 0)
