"""A training plan as a value: one meaning, one normal form, one digest, however it is written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import re
from functools import partial

import pytest

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.plan import EvaluationPlan, Resources, Threshold, TrainingPlan

SMALL = """\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train.parquet
target: rain
hyperparameters: {estimator: hist_gradient_boosting, learning_rate: 0.1}
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds: {roc_auc: 0.80, log_loss: 0.60}
  notes: first model for the Bellevue site
"""

FULL = """\
# Everything this version knows.
lifecycle_id: churn
agent_profile: python
dataset_path: data/customers.dataset.yaml
target: churned
hyperparameters:
  depth: 6
  rate: 1e-3
  layers: [64, 32]
  nested: {on: true, off: null}
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds:
    roc_auc: {min: 0.8, max: 0.99}
    log_loss: {max: 0.6}
    calibration_slope: {min: 0.8, max: 1.2}
positive: "yes"
decision_threshold: 0.25
seed: 7
resources: {cpus: 2, memory: 1.5GiB, time: 1h30m, disk: 500MB, gpus: 0, isolation: sealed}
code: [src/features.py, src/model.py]
executor: local
"""


CANONICAL_SMALL = (
    '{"agent_profile":"sklearn-classifier","dataset_path":"data/train.parquet","evaluation":{"dataset_path":'
    '"data/holdout.parquet","metric_thresholds":{"log_loss":0.6,"roc_auc":0.8},"notes":"first model for the Bellevue '
    'site"},"hyperparameters":{"estimator":"hist_gradient_boosting","learning_rate":0.1},"lifecycle_id":"rainfall",'
    '"target":"rain"}'
)

CANONICAL_FULL = (
    '{"agent_profile":"python","code":["src/features.py","src/model.py"],"dataset_path":"data/customers.dataset.yaml",'
    '"decision_threshold":0.25,"evaluation":{"dataset_path":"data/holdout.parquet","metric_thresholds":'
    '{"calibration_slope":{"max":1.2,"min":0.8},"log_loss":0.6,"roc_auc":{"max":0.99,"min":0.8}}},"hyperparameters":'
    '{"depth":6,"layers":[64,32],"nested":{"off":null,"on":true},"rate":0.001},"lifecycle_id":"churn","positive":"yes",'
    '"resources":{"cpus":2,"disk":500000000,"isolation":"sealed","memory":"1536MiB","time":"90m"},"seed":7,'
    '"target":"churned"}'
)


def plan(text: str, name: str = "plan.yaml") -> TrainingPlan:
    return TrainingPlan.parse(text.encode(), name)


def test_reads_the_small_form():
    assert plan(SMALL) == TrainingPlan(
        lifecycle_id="rainfall",
        agent_profile="sklearn-classifier",
        dataset_path="data/train.parquet",
        target="rain",
        hyperparameters={"estimator": "hist_gradient_boosting", "learning_rate": 0.1},
        evaluation=EvaluationPlan(
            dataset_path="data/holdout.parquet",
            metric_thresholds=(Threshold("roc_auc", minimum=0.8), Threshold("log_loss", maximum=0.6)),
            notes="first model for the Bellevue site",
        ),
    )


def test_reads_everything_this_version_knows():
    read = plan(FULL)
    assert read.resources == Resources(
        cpus=2, memory=3 * 2**29, time=5400, disk=500_000_000, gpus=0, isolation="sealed"
    )
    assert read.hyperparameters == {
        "depth": 6,
        "rate": 0.001,
        "layers": [64, 32],
        "nested": {"on": True, "off": None},
    }
    assert (read.positive, read.decision_threshold, read.seed) == ("yes", 0.25, 7)
    assert read.code == ("src/features.py", "src/model.py")
    assert read.evaluation is not None
    assert [str(t) for t in read.evaluation.metric_thresholds] == [
        "roc_auc >= 0.8 and <= 0.99",
        "log_loss <= 0.6",
        "calibration_slope >= 0.8 and <= 1.2",
    ]


def test_has_a_normal_form_without_defaults():
    assert plan(FULL).to_document() == {
        "lifecycle_id": "churn",
        "agent_profile": "python",
        "dataset_path": "data/customers.dataset.yaml",
        "target": "churned",
        "hyperparameters": {"depth": 6, "rate": 0.001, "layers": [64, 32], "nested": {"on": True, "off": None}},
        "evaluation": {
            "dataset_path": "data/holdout.parquet",
            "metric_thresholds": {
                "roc_auc": {"min": 0.8, "max": 0.99},
                "log_loss": 0.6,
                "calibration_slope": {"min": 0.8, "max": 1.2},
            },
        },
        "positive": "yes",
        "decision_threshold": 0.25,
        "seed": 7,
        "resources": {"cpus": 2, "memory": "1536MiB", "time": "90m", "disk": 500_000_000, "isolation": "sealed"},
        "code": ["src/features.py", "src/model.py"],
    }


def test_keeps_the_digest_that_is_written_in_ledgers():
    """Digests stand in evidence: a change here breaks the link from old entries to their plans."""
    assert plan(SMALL).digest == hashlib.sha256(CANONICAL_SMALL.encode()).hexdigest()
    assert plan(FULL).digest == hashlib.sha256(CANONICAL_FULL.encode()).hexdigest()


@pytest.mark.parametrize("text", [SMALL, FULL])
def test_has_one_digest_in_yaml_json_and_python(text):
    read = plan(text)
    as_json = json.dumps(read.to_document(), sort_keys=True, indent=3)
    assert plan(as_json, "plan.json").digest == read.digest
    assert plan(as_json, "plan.yaml").digest == read.digest
    assert TrainingPlan.from_document(read.to_document()) == read
    assert dataclasses.replace(read).digest == read.digest


@pytest.mark.parametrize(
    "written",
    [
        "seed: 0",
        "target: null",
        "target:",
        "hyperparameters: {}",
        "decision_threshold: 0.5",
        "positive: ~",
        "code: []",
        "executor: local",
        "resources: {}",
        "resources: {cpus: 1, memory: 2GiB, time: 10m, disk: 5GiB, gpus: 0, isolation: null}",
        "resources: {memory: 2048MiB, time: 600}",
        "evaluation: {}",
        "evaluation: null",
    ],
)
def test_has_the_same_digest_with_what_stands_at_its_default(written):
    least = "lifecycle_id: a\nagent_profile: b\ndataset_path: c\n"
    assert plan(least + written).digest == plan(least).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{roc_auc: 0.8}", "{roc_auc: {min: 0.80}}"),
        ("{log_loss: 1}", "{log_loss: {max: 1.0}}"),
        ("{roc_auc: 0.8, log_loss: 1}", "{log_loss: 1, roc_auc: 0.8}"),
    ],
)
def test_has_one_digest_for_thresholds_that_mean_the_same(one, other):
    texts = (
        f"lifecycle_id: a\nagent_profile: b\ndataset_path: c\nevaluation: {{dataset_path: d, metric_thresholds: {t}}}"
        for t in (one, other)
    )
    assert len({plan(text).digest for text in texts}) == 1


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("positive", 1, True),
        ("positive", 1, "1"),
        ("hyperparameters", {"a": 1}, {"a": 1.0}),
        ("hyperparameters", {"a": None}, {}),
        ("hyperparameters", {"a": [1, 2]}, {"a": [2, 1]}),
        ("dataset_path", "data/x.csv", "./data/x.csv"),
        ("code", ("a", "b"), ("b", "a")),
        ("target", "caf\u00e9", "cafe\u0301"),
    ],
)
def test_has_another_digest_when_it_means_something_else(field, one, other):
    fields = {"lifecycle_id": "a", "agent_profile": "b", "dataset_path": "c"}
    assert TrainingPlan(**fields | {field: one}).digest != TrainingPlan(**fields | {field: other}).digest


def test_is_a_value_of_its_own():
    settings = {"layers": [1, 2]}
    made = TrainingPlan("a", "b", "c", hyperparameters=settings)
    settings["layers"].append(3)
    assert made.hyperparameters == {"layers": [1, 2]}
    assert hash(made) == hash(TrainingPlan("a", "b", "c", hyperparameters={"layers": [1, 2]}))
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.seed = 1  # type: ignore[misc]


def test_loads_a_file_and_leaves_its_paths_as_written(tmp_path, monkeypatch):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "rain.yaml").write_text(SMALL)
    (tmp_path / "plans" / "rain.json").write_text(json.dumps(plan(SMALL).to_document()))
    loaded = TrainingPlan.load("plans/rain.yaml", project=tmp_path)
    assert loaded.dataset_path == "data/train.parquet"
    assert TrainingPlan.load(tmp_path / "plans" / "rain.json") == loaded
    monkeypatch.chdir(tmp_path / "plans")
    assert TrainingPlan.load("rain.yaml") == loaded


def test_names_the_file_as_it_was_given(tmp_path):
    (tmp_path / "bad.yaml").write_text("lifecycle_id: [")
    with pytest.raises(PlanInvalid, match=r"^bad\.yaml:1:"):
        TrainingPlan.load("bad.yaml", project=tmp_path)
    with pytest.raises(PlanInvalid, match=r"(?m)^cannot read none\.yaml: no such file or directory$"):
        TrainingPlan.load("none.yaml", project=tmp_path)


def test_refuses_in_python_what_it_refuses_in_a_document():
    fields = {"lifecycle_id": "a", "agent_profile": "b", "dataset_path": "c"}
    for wrong in (
        {"lifecycle_id": 5},
        {"dataset_path": None, "lifecycle_id": "A"},
        {"seed": "1"},
        {"seed": True},
        {"resources": {"cpus": 1}},
        {"evaluation": {"gate": "none"}},
        {"code": "a.py"},
        {"positive": 1.5},
        {"decision_threshold": "0.5"},
        {"executor": "ray"},
        {"target": ""},
    ):
        with pytest.raises(PlanInvalid) as refused:
            TrainingPlan(**fields | wrong)
        assert all(any(name in p.message for name in wrong) for p in refused.value.problems)


GATES = [
    (EvaluationPlan, {"gate": "none"}, "reason is missing; 'gate: none' needs a reason"),
    (EvaluationPlan, {"gate": "none", "reason": " "}, "reason must not be empty"),
    (EvaluationPlan, {"gate": "off"}, "gate must be 'none', got \"off\""),
    (EvaluationPlan, {"reason": "because"}, "reason is only for 'gate: none'; use 'notes' for anything else"),
    (
        EvaluationPlan,
        {"gate": "none", "reason": "x", "metric_thresholds": (Threshold("r2", minimum=0.1),)},
        "metric_thresholds must be absent with 'gate: none'",
    ),
    (
        EvaluationPlan,
        {"metric_thresholds": (Threshold("r2", minimum=0.1),)},
        "dataset_path is missing; thresholds need data to measure on, or a 'split'",
    ),
    (
        EvaluationPlan,
        {"dataset_path": "d", "metric_thresholds": (Threshold("r2", minimum=0.1), Threshold("f1", minimum=0.1))},
        "'metric_thresholds.f1' is a metric of classification, while r2 is one of regression",
    ),
    (
        EvaluationPlan,
        {"dataset_path": "d", "metric_thresholds": (Threshold("r2", minimum=0.1), Threshold("r2", maximum=0.9))},
        "'metric_thresholds.r2' has two thresholds",
    ),
    (
        EvaluationPlan,
        {"dataset_path": "d", "metric_thresholds": {"r2": 0.1}},
        "metric_thresholds must be a tuple of Threshold; write (Threshold.of('roc_auc', 0.8),)",
    ),
    (
        EvaluationPlan,
        {"dataset_path": "d", "metric_thresholds": (Threshold("own.cost", maximum=1),)},
        "'metric_thresholds[\"own.cost\"]' needs an evaluator; add 'evaluator: MODULE:FUNCTION'",
    ),
    (
        EvaluationPlan,
        {"evaluator": "m:f"},
        "evaluator needs data to measure on; add 'dataset_path' or a 'split'",
    ),
    (
        EvaluationPlan,
        {"dataset_path": "d", "evaluator": "os.system"},
        "evaluator must be MODULE:FUNCTION, such as 'my_metrics:evaluate', got \"os.system\"",
    ),
    (
        partial(TrainingPlan, "a", "b", "c"),
        {"code": ("n.py",), "evaluation": EvaluationPlan("d", evaluator="m:f")},
        "evaluation.evaluator must name a file under code; m.py is not there; add 'code: [m.py]'",
    ),
    (
        partial(TrainingPlan, "a", "b", "c"),
        {"code": ("m.py", "lib/m.py"), "evaluation": EvaluationPlan("d", evaluator="m:f")},
        "evaluation.evaluator must name one file under code; there are m.py and lib/m.py",
    ),
    (Resources, {"gpus": -1}, "gpus must be from 0 to 1024, got -1"),
    (Resources, {"memory": 1}, "memory must be from 64MiB to 1024TiB, got 1"),
    (Resources, {"isolation": "vm"}, "isolation must be 'basic' or 'sealed', got \"vm\""),
]


@pytest.mark.parametrize(("kind", "fields", "message"), GATES)
def test_refuses_what_contradicts_itself(kind, fields, message):
    with pytest.raises(PlanInvalid, match=f"^{re.escape(message)}$"):
        kind(**fields)


def test_accepts_no_gate_with_its_reason():
    read = plan("lifecycle_id: a\nagent_profile: b\ndataset_path: c\nevaluation: {gate: none, reason: a toy}")
    assert read.evaluation == EvaluationPlan(gate="none", reason="a toy")
    assert read.to_document()["evaluation"] == {"gate": "none", "reason": "a toy"}


MISTAKEN = """\
lifecycle_id: churn
agent_profile: sklearn-classifier
dataset_path: data/customers.parquet
hyperparamters:
  max_depth: 6
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds:
    accuracy: 0.9x
"""

SHOWN = """\
plans/churn.yaml:4:1  unknown field 'hyperparamters'
  4 | hyperparamters:
    | ^^^^^^^^^^^^^^ did you mean 'hyperparameters'?
plans/churn.yaml:9:15  evaluation.metric_thresholds.accuracy must be a number, got "0.9x"
2 errors, nothing was run"""


def test_shows_every_mistake_at_its_place_with_a_suggestion():
    with pytest.raises(PlanInvalid) as refused:
        plan(MISTAKEN, "plans/churn.yaml")
    assert str(refused.value) == SHOWN
    assert [(p.line, p.column, p.width) for p in refused.value.problems] == [(4, 1, 14), (9, 15, 4)]
