"""A challenger beside the champion, from the plan to the evidence."""

import json

import pytest

from end_to_end.projects import PREDICT, lay_out, rows
from noa_mlops.gate import judge_recorded
from noa_mlops.records.events import EvaluationLogged, decode
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.proven import read_proven

WORSE = PREDICT.replace("exp(-20 * ($1 - cut))", "exp(-20 * ($2 - 0.4) - 8 * ($1 - cut))")
"""A predictor that lets the wrong column speak first."""

PICKY = 'if [ "$(wc -l < "$NOA_DATA")" = 1501 ]; then echo "not these" >&2; exit 3; fi\n'
"""Makes a predictor fail on 1,500 rows."""


def against(versus, *, data="data/eval.csv", least=0.6):
    threshold = {"min": least, "versus_champion": versus}
    return {"dataset_path": data, "metric_thresholds": {"roc_auc": threshold}}


@pytest.fixture
def project(home):
    """A project with a champion measured on 1,200 rows, and other rows to measure on."""
    project = lay_out(home / "project")
    project.write("data/eval.csv", rows(1200, 2))
    project.write("data/other.csv", rows(1500, 3))
    project.programs(predict=PICKY + PREDICT)
    assert project.tell("init").status == 0
    assert project.tell("run", project.plan(evaluation=against({"max_drop": 0.05}))).status == 0
    project.programs()
    return project


def measured(project, version):
    """The newest measurement of a version."""
    found = [e for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"]
    return [e["predicate"] for e in found if e["noa_entry"]["version"] == version][-1]


def recomputed(project):
    """Verdict and violations of every decision, from the ledger and its objects alone."""
    events = [event for entry in project.entries() if (event := decode(entry)) is not None]
    plans = {event.version: event.plan_digest for event in events if event.name == "Submitted"}
    last = {event.version: event for event in events if isinstance(event, EvaluationLogged)}
    replaced = {event.version: event.replaces for event in events if event.name == "PromotionReady"}
    proven = {version: read_proven(decision["proven"]) for version, decision in decisions(project).items()}
    for version, event in last.items():
        data = (project.path / "storage/db/evidence/objects" / plans[version]).read_bytes()
        plan = TrainingPlan.parse(data, "plan.json")
        before = proven.get(replaced[version], {})
        yield version, judge_recorded(plan.evaluation.metric_thresholds, event, replaced[version], before)


def decisions(project):
    found = [e for e in project.entries() if e["noa_entry"]["type"] == "PromotionReady"]
    return {e["noa_entry"]["version"]: e["predicate"]["noa:decision"] for e in found}


def test_the_same_rows_other_rows_and_a_worse_model(project):
    same = project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.05})))
    assert same.status == 0, same.said
    beside = measured(project, 2)["champion"]
    assert (beside["version"], beside["predictions"]["in"], measured(project, 2)["look"]) == (1, "store", 1)

    project.programs(predict="# as before, in other bytes\n" + PREDICT)
    other = project.tell("run", project.plan(seed=3, evaluation=against({"min_gain": 0.0}, data="data/other.csv")))
    assert other.status == 7, other.said
    assert "more rows would not help at this estimate" in other.out
    beside = measured(project, 3)["champion"]
    assert (beside["version"], beside["predictions"]["in"]) == (2, "objects")
    assert (project.path / "storage/db/evidence/objects" / beside["predictions"]["sha256"]).is_file()

    project.programs(predict=WORSE)
    worse = project.tell("run", project.plan(seed=4, evaluation=against({"max_drop": 0.05})))
    assert worse.status == 3, worse.said
    assert "against the champion @2" in worse.out
    assert decisions(project)[4]["reasons"] == ["champion"]
    assert measured(project, 4)["look"] == 2
    assert project.champion() == 2
    assert project.verifies()
    for version, verdict in recomputed(project):
        recorded = decisions(project)[version]
        assert verdict.outcome == recorded["verdict"]
        assert json.loads(json.dumps([v.to_document() for v in verdict.violations])) == recorded["violations"]
        assert list(verdict.reasons) == recorded["notes"]


def test_the_champion_again_to_the_byte_is_as_good_on_a_hundred_rows_and_no_better(project):
    project.write("data/few.csv", rows(100, 5))
    project.programs(predict=PICKY + PREDICT)
    again = project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.0}, data="data/few.csv")))
    assert again.status == 0, again.said
    assert measured(project, 2)["champion"]["identical"]
    better = project.tell("run", project.plan(seed=2, evaluation=against({"min_gain": 0.0}, data="data/few.csv")))
    assert better.status == 3
    assert "it is the champion @2 again, to the byte" in better.out


def test_a_plan_that_says_nothing_is_compared_by_the_default(project):
    silent = {"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.6}}
    project.programs(predict=WORSE)
    worse = project.tell("run", project.plan(seed=2, evaluation=silent))
    assert worse.status == 3, worse.said
    assert "against the champion @1" in worse.out
    assert "allowed -0.02" in worse.out
    assert project.tell("verify", "--decisions").status == 0


def test_a_champion_that_cannot_be_asked_leaves_the_challenger_held(project):
    held = project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.05}, data="data/other.csv")))
    assert held.status == 7, held.said
    assert held.out.startswith("HELD")
    assert decisions(project)[2]["reasons"] == ["champion", "approval"]
    assert "exited with status 3" in measured(project, 2)["champion"]["unavailable"]
    assert project.champion() == 1
    assert project.tell("enable", "little@2", "--reason", "the champion needs what this machine lacks").status == 0
    assert project.champion() == 2
    assert project.tell("verify", "--decisions").status == 0


def test_a_hundred_rows_decide_nothing_and_say_how_many_would(project):
    project.write("data/few.csv", rows(100, 5))
    unsure = project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.02}, data="data/few.csv")))
    assert unsure.status == 7, unsure.said
    assert "rows would decide" in unsure.out
    assert decisions(project)[2]["verdict"] == "inconclusive"


def test_a_measurement_beside_another_champion_than_the_one_in_force_decides_nothing(project):
    project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.05})))
    event = next(decode(e) for e in reversed(project.entries()) if e["noa_entry"]["type"] == "EvaluationLogged")
    asked = TrainingPlan.load(project.path / "plan.json").evaluation.metric_thresholds
    assert judge_recorded(asked, event, 1).promotes
    for other in (None, 7):
        verdict = judge_recorded(asked, event, other)
        assert verdict.outcome == "inconclusive"
        assert "the champion changed" in verdict.reasons[0]


def test_a_confidence_asks_more_of_few_rows_than_of_many(project):
    def run(data, least):
        threshold = {"min": least, "confidence": 0.95}
        evaluation = {"dataset_path": data, "metric_thresholds": {"f1": threshold}}
        return project.tell("run", project.plan(evaluation=evaluation, lifecycle_id=data[5:8]))

    project.write("data/few.csv", rows(24, 5))
    assert run("data/other.csv", 0.88).status == 0
    assert run("data/few.csv", 0.88).status == 7


def test_what_the_first_champion_proved_is_recorded_and_shown_and_holds_later_versions(project):
    first = decisions(project)[1]["proven"]["roc_auc"]
    assert first["version"] == 1
    value = measured(project, 1)["metrics"]["roc_auc"]
    assert value - 0.15 < first["limit"] < value - 2 * 0.05
    assert f"later versions are held to {first['limit']:.4g}" in project.tell("show", "little").out
    assert project.tell("show", "little", "--json").document["champion"]["proven"] == {"roc_auc": first}
    assert project.tell("run", project.plan(seed=2, evaluation=against({"max_drop": 0.05}))).status == 0
    assert decisions(project)[2]["proven"] == {"roc_auc": first}
    project.programs(predict=WORSE)
    worse = project.tell("run", project.plan(seed=3, evaluation=against({"max_drop": 0.9})))
    assert worse.status == 3, worse.said
    assert f"{first['limit']:.4g} is left of what @1 has shown" in worse.out
    assert decisions(project)[3]["reasons"] == ["champion"]
    assert project.tell("verify", "--decisions").status == 0
