"""What the published schemas say is what the project writes: each member is described, and no other one is there."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from end_to_end.projects import PLAN, lay_out, rows, window

SCHEMAS = {path.name: json.loads(path.read_text()) for path in Path(__file__).parents[2].glob("docs/schemas/*.json")}
OPEN = "hyperparameters"
"""The one member that holds whatever the plan says."""


def validator(name, part=None):
    schema = SCHEMAS[f"{name}.v1.schema.json"]
    whole = {"$defs": schema["$defs"], "$ref": f"#/$defs/{part}"} if part else schema
    return Draft202012Validator(whole)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Predicates by type, acts and manifests of a project with promotions, failures, a redaction and changes of policy."""
    root = tmp_path_factory.mktemp("schemas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        project = lay_out(root / "project")
        project.write("data/train.csv", rows(2000, 1))
        steps = [lambda: project.tell("init")]
        steps += [lambda seed=seed: project.tell("run", project.plan(seed=seed)) for seed in (1, 2)]
        steps += [lambda: project.tell("rollback", "little", "--reason", "a drill")]
        assert [step().status for step in steps] == [0, 0, 0, 0]
        origin = project.tell("status", "--json").document["origin"]
        served = ("--to", str(root / "served"), "--origin", origin)
        assert project.tell("pull", "little", *served, "--record", "production").status == 0
        policy = project.path / "policy.yaml"
        floors = {
            "evaluation": {"metric_thresholds": {"roc_auc": {"min": 0.5, "slices": ["x"]}, "accuracy": 0.5}},
            "approvals": {"required": 2, "not_submitter": True},
            "resources": {"memory": "4GiB", "isolation": "basic"},
        }
        policy.write_text(policy.read_text().replace("lifecycles: {}", f"lifecycles: {json.dumps({'other': floors})}"))
        assert project.tell("policy", "sign").status == 0
        project.write("data/now.csv", window(11, labels=lambda x: x > 0.6))
        project.write("data/moved.csv", window(14, moved=0.5))
        for name, status in (("now", 0), ("moved", 3)):
            assert project.tell("drift", "little", "--current", f"data/{name}.csv").status == status
        assert project.tell("investigate", "little", "--finding", "a sensor was moved").status == 0
        now = {**PLAN["evaluation"], "dataset_path": "data/now.csv"}
        assert project.tell("run", project.plan(seed=4, evaluation=now)).status == 3
        assert project.tell("enable", "little@3", "--reason", "the sensor is back").status == 0
        strict = {**now, "metric_thresholds": {"roc_auc": 0.9999}}
        assert project.tell("run", project.plan(seed=6, evaluation=strict)).status == 3
        assert project.tell("evaluate", "little@4").status == 3
        assert project.tell("override", "little@4", "--expires", "7d", "--reason", "for the night").status == 0
        project.programs(predict="echo 'no luck' >&2; exit 3\n")
        assert project.tell("run", project.plan(seed=5)).status == 6
        log = project.entries()[-1]["predicate"]["log"]
        assert project.tell("redact", log, "--reason", "names a person").status == 0
        assert project.tell("keys", "rotate", "model").status == 0
        runtime = next(iter(project.entries()[0]["predicate"]["policy"]["keys"]))
        assert project.tell("keys", "revoke", runtime).status == 0
        entries = project.entries()
    manifests = [json.loads(path.read_text()) for path in (root / "project").rglob("manifest.json")]
    return entries, manifests


def documents(written):
    """Each document with the validator of its schema."""
    entries, manifests = written
    for entry in entries:
        kind, predicate = entry["predicateType"], entry["predicate"]
        if kind.startswith("noa:"):
            yield validator(kind.removeprefix("noa:").removesuffix("/v1")), predicate
        if "act" in predicate:
            yield validator("act", "payload"), json.loads(base64.b64decode(predicate["act"]["payload"]))
    yield from ((validator("manifest"), manifest) for manifest in manifests)


def test_everything_that_was_written_is_described(written):
    entries, manifests = written
    types = {entry["noa_entry"]["type"] for entry in entries}
    assert types >= {"Genesis", "Submitted", "EvaluationLogged", "EvaluationFailed"}
    assert types >= {
        "RolledBack",
        "Redacted",
        "PolicyChanged",
        "DriftScanned",
        "Investigated",
        "RolloutEnabled",
        "Overridden",
    }
    assert len(manifests) == 4
    for schema, document in documents(written):
        assert list(schema.iter_errors(document)) == []


def objects(value, path=()):
    """The way to each object inside a document, but not into what may hold anything."""
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key != OPEN:
            yield from objects(inner, (*path, key))


def test_a_member_more_or_less_anywhere_is_refused(written):
    for schema, document in documents(written):
        for path in objects(document):
            changed = copy.deepcopy(document)
            place = changed
            for key in path:
                place = place[key]
            place["unheard_of"] = []
            assert not schema.is_valid(changed), path
        for name in document.keys() - {"log", "noa:decision"}:
            assert not schema.is_valid({key: value for key, value in document.items() if key != name}), name


def parts(schema, path=()):
    """Every schema of an object inside a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, inner in schema.items():
            yield from parts(inner, (*path, key))
    if isinstance(schema, list):
        for inner in schema:
            yield from parts(inner, path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_leaves_no_object_open(name):
    Draft202012Validator.check_schema(SCHEMAS[name])
    for path, schema in parts(SCHEMAS[name]):
        if OPEN not in path and schema.get("maxProperties") != 0:
            assert "additionalProperties" in schema, path
            assert schema["additionalProperties"] is not True, path


def test_each_of_our_forms_has_a_schema_of_its_name():
    named = {schema["$id"]: name for name, schema in SCHEMAS.items()}
    assert set(named) == {"noa:lifecycle/v1", "noa:act/v1", "noa:trust/v1", "noa:manifest/v1"}
    for name, file in named.items():
        assert file == f"{name.removeprefix('noa:').replace('/', '.')}.schema.json"
