"""A plan that ranks rows within their queries, from the plan to the evidence."""

import random

import pytest

from end_to_end.projects import Project

MODEL = """\
def train(job):
    (job.out / "weight").write_text("2")


def predict(job):
    return float((job.model / "weight").read_text()) * job.data.arrays()["x"]
"""


def rows(queries, seed):
    draw = random.Random(seed)
    lines = ["query,x,relevance"]
    for query in range(queries):
        for _ in range(8):
            relevance = draw.choice([0, 0, 0, 1, 2])
            lines.append(f"q{seed}-{query},{relevance + draw.gauss(0, 1):.4f},{relevance}")
    return "\n".join(lines) + "\n"


def plan(project, thresholds, **changes):
    fields = {
        "lifecycle_id": "search",
        "agent_profile": "python",
        "dataset_path": "data/train.csv",
        "target": "relevance",
        "code": ["model.py"],
        "hyperparameters": None,
        "evaluation": {"dataset_path": "data/eval.csv", "group_by": "query", "metric_thresholds": thresholds},
    }
    return project.plan(**{**fields, **changes})


@pytest.fixture
def project(home):
    project = Project(home / "project")
    project.write("data/train.csv", rows(100, 1))
    project.write("data/eval.csv", rows(150, 2))
    project.write("model.py", MODEL)
    assert project.tell("init").status == 0
    return project


def measured(project):
    return [e for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"][-1]["predicate"]


def test_a_ranking_is_measured_by_query_compared_and_computed_again(project):
    first = project.tell("run", plan(project, {"ndcg_at_10": {"min": 0.7, "confidence": 0.95}, "mrr": 0.5}))
    assert first.status == 0, first.said
    record = measured(project)
    assert record["spreads"]["ndcg_at_10"]["units"] <= 150
    assert record["task"] == "regression"
    assert 0.7 < record["metrics"]["map"] < 1

    project.write("model.py", MODEL.replace("* job", "* -job"))
    worse = project.tell("run", plan(project, {"ndcg_at_10": 0.1}, seed=2))
    assert worse.status == 3, worse.said
    assert "against the champion @1" in worse.out
    assert measured(project)["champion"]["improvements"]["ndcg"]["value"] < 0
    replayed = project.tell("verify", "--decisions", "--deep")
    assert replayed.status == 0, replayed.said


def test_a_ranking_without_queries_is_refused_before_anything_runs(project):
    evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": {"ndcg": 0.5}}
    result = project.tell("run", plan(project, {}, evaluation=evaluation))
    assert result.status == 2
    assert "evaluation.group_by" in result.said
