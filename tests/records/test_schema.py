"""The JSON Schema for editors: a valid schema that accepts what the reader accepts and catches what people mistype."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.schema import dataset_schema, plan_schema

LEAST = {"lifecycle_id": "a", "agent_profile": "b", "dataset_path": "c"}
SLICED = {
    "min": 0.6,
    "slices": ["season"],
    "min_rows": 200,
    "on_small_slice": "warn",
    "fairness": {"by": "sex", "max_difference": 0.1},
}
GOOD = [
    {},
    {"target": None, "positive": True, "seed": 3, "code": ["a.py"], "executor": "local", "decision_threshold": 1},
    {"hyperparameters": {"a": [1, {"b": None}]}},
    {
        "resources": {
            "cpus": 2,
            "memory": "1.5 GiB",
            "time": "1h30m",
            "disk": 5_000_000,
            "gpus": 0,
            "isolation": "sealed",
        }
    },
    {"evaluation": None},
    {"evaluation": {"gate": "none", "reason": "a toy"}},
    {"evaluation": {"dataset_path": "d", "notes": "x", "metric_thresholds": {"roc_auc": 0.8, "log_loss": {"max": 1}}}},
    {"search": {"metric": "roc_auc", "trials": 3, "space": {"a": [1, "b", None], "c": {"low": 1, "high": 2.5}}}},
    {"evaluation": {"split": {"by": "day", "last": "20%"}, "metric_thresholds": {"r2": 0.5}}},
    {"evaluation": {"split": {"by_group": "customer", "share": 0.2, "seed": 7}}},
    {"evaluation": {"split": {"share": "12.5 %", "seed": 7}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"calibration_slope": {"min": 0.5, "max": 2}}}},
    {"evaluation": {"dataset_path": "d", "key": "id", "group_by": "station", "metric_thresholds": {"recall": SLICED}}},
    {
        "quantiles": [0.1, 0.5, 0.9],
        "evaluation": {"dataset_path": "d", "metric_thresholds": {"interval_score": 3, "pinball_10": 1}},
    },
    {
        "code": ["src/money.py"],
        "evaluation": {
            "dataset_path": "d",
            "evaluator": "money:evaluate",
            "metric_thresholds": {"own.cost": {"max": 2, "confidence": 0.9}, "r2": 0.5},
        },
    },
]
BAD = [
    {"lifecycle_id": "../x"},
    {"lifecycle_id": 5},
    {"dataset_path": ""},
    {"dataset_path": "a\\b"},
    {"hyperparamters": {}},
    {"seed": -1},
    {"seed": "1"},
    {"decision_threshold": 2},
    {"resources": {"memory": "2G"}},
    {"resources": {"memory": 5}},
    {"resources": {"time": ""}},
    {"resources": {"gpus": -1}},
    {"resources": {"isolation": "vm"}},
    {"executor": "ray"},
    {"evaluation": {"gate": "none"}},
    {"search": {"metric": "mean_error", "space": {"a": [1]}}},
    {"search": {"metric": "r2", "space": {"a": {"low": 1}}}},
    {"search": {"metric": "r2", "space": {"a": {"low": 1, "high": 2, "step": 1}}}},
    {"evaluation": {"split": {"share": 0}}},
    {"evaluation": {"split": {"share": "120%"}}},
    {"evaluation": {"split": {"by": ["day"], "last": 0.2}}},
    {"evaluation": {"gate": "off"}},
    {"evaluation": {"metric_threshold": {}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"roc_acu": 0.8}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"roc_auc": 80}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"roc_auc": {"mn": 0.8}}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"calibration_slope": 1}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"recall": SLICED | {"slices": "season"}}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"recall": SLICED | {"min_rows": 0}}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"recall": SLICED | {"on_small_slice": "fail"}}}},
    {"evaluation": {"dataset_path": "d", "metric_thresholds": {"recall": SLICED | {"fairness": {"by": "sex"}}}}},
    {"quantiles": [0.1, 1.5]},
    {"quantiles": "0.1"},
    {"code": ["m.py"], "evaluation": {"dataset_path": "d", "evaluator": "m.py"}},
    {"code": ["m.py"], "evaluation": {"dataset_path": "d", "evaluator": "a/m:f"}},
    {
        "code": ["m.py"],
        "evaluation": {"dataset_path": "d", "evaluator": "m:f", "metric_thresholds": {"own.cost": 3}},
    },
    {
        "code": ["m.py"],
        "evaluation": {"dataset_path": "d", "evaluator": "m:f", "metric_thresholds": {"own.Cost": {"max": 3}}},
    },
]


def accepted_by_reader(document):
    try:
        TrainingPlan.from_document(document)
    except PlanInvalid:
        return False
    return True


@pytest.mark.parametrize("schema", [plan_schema(), dataset_schema()], ids=["plan", "dataset"])
def test_is_a_valid_schema_with_words_for_every_field(schema):
    Draft202012Validator.check_schema(schema)
    for definition in (schema, *schema["$defs"].values()):
        assert definition["additionalProperties"] is False
        assert all(field["description"] for field in definition["properties"].values())


@pytest.mark.parametrize("fields", GOOD)
def test_accepts_what_the_reader_accepts(fields):
    assert accepted_by_reader(LEAST | fields)
    Draft202012Validator(plan_schema()).validate(LEAST | fields)


@pytest.mark.parametrize("fields", BAD)
def test_refuses_what_people_mistype(fields):
    assert not accepted_by_reader(LEAST | fields)
    assert not Draft202012Validator(plan_schema()).is_valid(LEAST | fields)


def test_offers_every_metric_with_its_meaning():
    offered = plan_schema()["$defs"]["EvaluationPlan"]["properties"]["metric_thresholds"]["properties"]
    assert list(offered) == list(METRICS)
    assert all(
        "Write min and max." in m["description"] or "A bare number means" in m["description"] for m in offered.values()
    )


def test_checks_a_dataset_definition():
    validator = Draft202012Validator(dataset_schema())
    validator.validate(
        {"files": ["a.csv"], "format": {"delimiter": ";"}, "types": {"t": {"time": "%d.%m.%Y"}, "z": "text"}}
    )
    assert not validator.is_valid({"files": ["a.csv"], "types": {"z": "txt"}})
    assert not validator.is_valid({"file": ["a.csv"]})
