"""Whoever writes the plan does not own the gate: floors in the signed policy, and plans that may only be stricter."""

import json

import pytest

from end_to_end.projects import PLAN, Project

FLOORS = {
    "evaluation": {"metric_thresholds": {"roc_auc": {"min": 0.7, "versus_champion": {"max_drop": 0.05}}}},
    "resources": {"time": "20m"},
}


def put_in_force(project: Project, floors, name="little"):
    path = project.path / "policy.yaml"
    kept = path.read_text().partition("lifecycles:")[0]
    path.write_text(f"{kept}lifecycles: {json.dumps({name: floors} if floors else {})}\n")
    return project.done("policy", "sign")


def test_a_plan_that_keeps_its_floors_runs_and_one_that_is_looser_does_not(promoted):
    assert "the floors of 'little' become" in put_in_force(promoted, FLOORS).said
    promoted.done("run", promoted.plan(seed=2))
    promoted.write(
        "loose.yaml",
        """\
lifecycle_id: little
agent_profile: command
dataset_path: data/train.csv
target: label
hyperparameters: {command: [sh, t.sh], predict: [sh, p.sh]}
resources: {time: 1h}
evaluation:
  dataset_path: data/eval.csv
  metric_thresholds:
    roc_auc: {min: 0.6, versus_champion: none}
""",
    )
    before = promoted.state()
    said = promoted.done("run", "loose.yaml", status=2).said
    assert (
        "loose.yaml:10:15  evaluation.metric_thresholds.roc_auc must ask for at least 0.7, as policy.yaml asks" in said
    )
    assert "loose.yaml:10:" in said
    assert 'versus_champion must be at least as strict as {"max_drop":0.05}' in said
    assert "loose.yaml:6:19  resources.time must be at most 20m" in said
    assert promoted.state() == before
    promoted.done("verify", "--decisions")


def test_no_gate_is_looser_than_any_floor(promoted):
    put_in_force(promoted, FLOORS)
    plan = promoted.plan(evaluation={"gate": "none", "reason": "it is late"})
    assert "evaluation.gate must be absent" in promoted.done("run", plan, status=2).said
    assert (
        "metric_thresholds.roc_auc must be there" in promoted.done("run", promoted.plan(evaluation=None), status=2).said
    )


def test_approval_that_the_policy_asks_for_cannot_be_left_out_of_the_plan(promoted):
    put_in_force(promoted, {"approvals": {"required": 2, "not_submitter": True}})
    said = promoted.done("run", promoted.plan(), status=2).said
    assert "approvals.required must be at least 2" in said
    assert "approvals.not_submitter must be true" in said
    plan = promoted.plan(approvals={"required": 2, "not_submitter": True})
    promoted.done("run", plan, status=7)


def test_slices_and_fairness_of_a_floor_are_asked_of_the_plan_as_well(promoted):
    asked = {"min": 0.5, "slices": ["half"], "fairness": {"by": "half", "max_difference": 0.4}, "min_rows": 40}
    put_in_force(promoted, {"evaluation": {"metric_thresholds": {"accuracy": asked}}})
    given = {"min": 0.6, "min_rows": 50, "on_small_slice": "warn", "slices": ["y"]}
    evaluation = {**PLAN["evaluation"], "metric_thresholds": {"accuracy": given}}
    said = promoted.done("run", promoted.plan(evaluation=evaluation), status=2).said
    for words in (
        "slices must hold in slices by half",
        "fairness must be",
        "min_rows must be at most 40",
        "on_small_slice",
    ):
        assert words in said


def test_other_lifecycles_are_not_meant(promoted):
    put_in_force(promoted, {"evaluation": {"metric_thresholds": {"roc_auc": 0.99}}}, name="other")
    promoted.done("run", promoted.plan(seed=2))


def test_loosening_is_said_in_so_many_words(promoted):
    put_in_force(promoted, FLOORS)
    looser = {"evaluation": {"metric_thresholds": {"roc_auc": 0.65}}}
    said = put_in_force(promoted, looser).said
    assert "LOOSER for little: evaluation.metric_thresholds.roc_auc must ask for at least 0.7" in said
    assert "LOOSER for little: resources.time must be at most 20m" in said
    assert "LOOSER" in put_in_force(promoted, None).said


def test_a_floor_that_came_later_does_not_make_an_earlier_decision_wrong(promoted):
    put_in_force(promoted, {"evaluation": {"metric_thresholds": {"roc_auc": 0.999}}})
    promoted.done("verify", "--decisions")
    promoted.done("evaluate", "little@1")


@pytest.mark.parametrize(
    ("floors", "match"),
    [
        ({"evaluation": {"gate": "none", "reason": "x"}}, "unknown field 'evaluation.gate'"),
        ({"evaluation": {"metric_thresholds": {"acuracy": 0.9}}}, "unknown metric"),
        ({"approval": {"required": 2}}, "unknown field 'approval'"),
        ({"resources": {"memory": "much"}}, "resources.memory"),
        ([], "must be a mapping"),
    ],
)
def test_floors_that_make_no_sense_are_refused_where_they_stand(promoted, floors, match):
    path = promoted.path / "policy.yaml"
    kept = path.read_text().partition("lifecycles:")[0]
    path.write_text(f"{kept}lifecycles: {json.dumps({'little': floors})}\n")
    said = promoted.done("policy", "sign", status=2).said
    assert "lifecycles.little" in said
    assert match in said


def test_a_policy_with_floors_is_written_so_that_it_reads_the_same(promoted):
    put_in_force(promoted, FLOORS)
    promoted.done("keys", "new", "operator")
    assert "the floors" not in promoted.done("policy", "diff").said
    promoted.done("policy", "sign")
    assert "little" in (promoted.path / "policy.yaml").read_text()
    assert PLAN["lifecycle_id"] == "little"
    assert promoted.verifies()


def test_what_the_plans_own_code_measures_is_no_floor(promoted):
    path = promoted.path / "policy.yaml"
    floors = {"little": {"evaluation": {"metric_thresholds": {"own.cost": {"max": 1}}}}}
    path.write_text(path.read_text().partition("lifecycles:")[0] + f"lifecycles: {json.dumps(floors)}\n")
    said = promoted.done("policy", "sign", status=2).said
    assert "cannot be a floor: the code that measures it is the plan's" in said
