"""A plan's own evaluator, from the plan to the evidence: isolated, typed, checked, recorded, computed again."""

import hashlib

import pytest

from end_to_end.projects import PREDICT, lay_out
from end_to_end.test_published_schemas import validator

COST = """\
import numpy as np


def evaluate(job):
    truth, given = job.data.table()[job.target].to_numpy(), job.predictions()["p_1"].to_numpy()
    lost = np.where(truth == 1, 5.0 * (given < 0.5), 1.0 * (given >= 0.5))
    return {"cost": {"per_row": lost}, "alarms": float((given >= 0.5).mean())}
"""
"""What is missed costs five, what is raised in vain one."""

WORSE = PREDICT.replace("exp(-20 * ($1 - cut))", "exp(-20 * ($1 - cut - 0.25))")
"""A predictor that raises too few alarms."""


def asking(**thresholds):
    return {"dataset_path": "data/eval.csv", "evaluator": "money:evaluate", "metric_thresholds": thresholds}


@pytest.fixture
def project(home):
    project = lay_out(home / "project")
    project.write("src/money.py", COST)
    assert project.tell("init").status == 0
    return project


def run(project, evaluation, **more):
    code = ["src/train.sh", "src/predict.sh", "src/money.py"]
    return project.tell("run", project.plan(evaluation=evaluation, code=code, **more))


def measured(project):
    found = [e for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"]
    return found[-1]["predicate"]


def test_its_metrics_are_measured_recorded_and_judged_beside_ours(project):
    first = run(project, asking(roc_auc=0.8, **{"own.cost": {"max": 0.6, "confidence": 0.95}}))
    assert first.status == 0, first.said
    record = measured(project)
    assert 0 < record["metrics"]["own.cost"] < 0.6
    assert record["spreads"]["own.cost"]["kind"] == "moments"
    assert "own.alarms" in record["metrics"]
    assert "own.alarms" not in record["spreads"]
    assert list(validator("lifecycle").iter_errors(record)) == []
    told = record["evaluator"]
    assert (told["function"], told["path"]) == ("money:evaluate", "src/money.py")
    assert told["sha256"] == hashlib.sha256(COST.encode()).hexdigest()
    assert told["noa:run"]["cause"] == "completed"
    shown = project.tell("show", "little@1").out
    assert "own.cost" in shown
    assert "money:evaluate" in shown

    project.programs(predict=WORSE)
    worse = run(project, asking(roc_auc=0.8, **{"own.cost": {"max": 10}}), seed=2)
    assert worse.status == 3, worse.said
    assert "own.cost" in worse.out
    assert "against the champion @1" in worse.out
    beside = measured(project)["champion"]
    assert beside["metrics"]["own.cost"] == record["metrics"]["own.cost"]
    assert beside["improvements"]["own.cost"]["value"] < 0
    assert project.champion() == 1
    replayed = project.tell("verify", "--decisions", "--deep")
    assert replayed.status == 0, replayed.said


def test_a_threshold_that_is_missed_rejects(project):
    result = run(project, asking(**{"own.alarms": {"min": 0.99, "versus_champion": "none"}}))
    assert result.status == 3, result.said
    assert "own.alarms" in result.out
    assert project.tell("verify", "--decisions").status == 0


REFUSED = {
    "a truth value": ("{'cost': True}", "bool"),
    "text": ("{'cost': '0.3'}", "str"),
    "not a number": ("{'cost': float('nan')}", "nan"),
    "an infinity": ("{'cost': float('inf')}", "inf"),
    "too large a number": ("{'cost': 10**400}", "too large"),
    "an array": ("{'cost': [0.1, 0.2]}", "list"),
    "nothing": ("{'cost': None}", "NoneType"),
    "no mapping": ("0.3", "float"),
    "another metric": ("{'price': {'per_row': [0.0] * 1200}}", "no 'cost'"),
    "a name of ours": ("{'cost': 1.0, 'roc_auc': 1.0}", "is the name of a metric that is measured anyway"),
    "a name that is none": ("{'cost': 1.0, '../cost': 1.0}", "a-z"),
    "a number for a name": ("{1: 1.0}", "no text"),
    "one number where rows are compared": ("{'cost': 1.0}", "per_row"),
    "too few rows": ("{'cost': {'per_row': [0.1, 0.2]}}", "(1200,)"),
    "a row without a number": ("{'cost': {'per_row': [0.1] * 1199 + [float('nan')]}}", "on 1 of 1200 rows"),
    "an error": ("1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_a_sentence_an_evaluator_that_gives(project, case):
    returned, said = REFUSED[case]
    project.write("src/money.py", f"def evaluate(job):\n    return {returned}\n")
    result = run(project, asking(**{"own.cost": {"max": 1.0}}))
    assert result.status == 6, result.said
    assert said in result.said
    assert "Traceback" not in result.said
    assert project.last_entry()[0] == "EvaluationFailed"
    assert project.champion() is None
    assert project.verifies()


def test_a_name_in_the_file_twice_is_refused_by_the_verifier_itself(project):
    program = """\
import os
def evaluate(job):
    (job.out / "metrics.json").write_text('{"cost": 0.1, "cost": 0.9}')
    os._exit(0)
"""
    project.write("src/money.py", program)
    result = run(project, asking(**{"own.cost": {"max": 1.0, "versus_champion": "none"}}))
    assert result.status == 6
    assert "has the key 'cost' twice" in result.said


def test_sees_its_rows_and_nothing_of_the_project_or_the_network(project):
    program = f"""\
import pathlib, socket
def evaluate(job):
    reached = 0
    for name in ("storage/db/evidence/ledger.jsonl", "data/eval.csv", "policy.yaml"):
        try:
            reached += len(pathlib.Path({str(project.path)!r}, name).read_bytes()) > 0
        except OSError:
            pass
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
        reached += 1
    except PermissionError:
        pass
    return {{"reached": reached, "rows": job.data.table().num_rows, "answers": job.predictions().num_rows}}
"""
    project.write("src/money.py", program)
    none = {"versus_champion": "none"}
    result = run(project, asking(**{"own.reached": {"max": 0, **none}}), resources={"isolation": "sealed"})
    assert result.status == 0, result.said
    metrics = measured(project)["metrics"]
    assert (metrics["own.rows"], metrics["own.answers"]) == (1200, 1200)


def test_a_trainer_that_changes_the_evaluator_is_measured_by_the_one_that_was_submitted_and_refused(project):
    program = """\
chmod u+w "$NOA_CODE/src/money.py"
echo "def evaluate(job): return {'cost': {'per_row': [0.0] * 1200}}" > "$NOA_CODE/src/money.py"
echo 0.5 > "$NOA_OUT/cut"
"""
    project.programs(train=program)
    result = run(project, asking(**{"own.cost": {"max": 0.9}}), resources={"isolation": "basic"})
    assert result.status == 6, result.said
    assert "money.py changed after the model was measured" in result.said
    assert measured(project)["metrics"]["own.cost"] > 0


def test_rows_without_a_prediction_leave_its_metrics_without_a_value(project):
    project.programs(
        predict='awk -F, \'NR == 1 { print "p_0,p_1"; next } { print (NR % 9 ? "0.5,0.5" : ",") }\' "$NOA_DATA" > "$NOA_OUT/predictions.csv"\n'
    )
    result = run(project, asking(**{"own.cost": {"max": 9}}))
    assert result.status == 3, result.said
    assert "evaluator was not asked" in measured(project)["not_computed"]["own.cost"]


def test_the_champion_is_not_asked_what_the_plan_does_not_compare(project):
    none = {"max": 0.9, "versus_champion": "none"}
    assert run(project, asking(**{"own.cost": none, "roc_auc": 0.5})).status == 0
    program = COST + "\n\ndef fails(job):\n    raise SystemError\n"
    project.write("src/money.py", program)
    assert run(project, asking(**{"own.cost": none, "roc_auc": 0.5}), seed=2).status == 0
    assert "own.cost" not in measured(project)["champion"]["improvements"]


def test_a_plan_whose_evaluator_cannot_be_found_is_refused_before_anything_runs(project):
    entries = len(project.entries())
    result = project.tell("run", project.plan(evaluation=asking(**{"own.cost": {"max": 1}})))
    assert result.status == 2
    assert "money.py is not there" in result.said
    assert len(project.entries()) == entries
