"""The main job on real weather data, and every piece of evidence it leaves, read with the tools of others."""

import base64
import json
import re
import shutil
import subprocess
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest

from end_to_end.projects import Project, Result
from noa_mlops.demo import GOOD, STORY, lay_out
from noa_mlops.records.layout import Layout

STRICT = GOOD.replace("roc_auc: 0.80", "roc_auc: 0.99")


@pytest.fixture(scope="session")
def weather(once):
    """A run that is promoted, as a process; then the same plan with a threshold that nobody reaches."""

    def make(home: Path) -> None:
        project = Project(home / "bellevue")
        lay_out(Layout.of(project.path))
        project.write("plans/strict.yaml", STRICT)
        assert project.tell("init").status == 0
        told = {"first": asdict(project.noa("run", "plans/rainfall.yaml")), "promoted": _promoted(project)}
        told["second"] = asdict(project.tell("run", "plans/strict.yaml", "--json"))
        (home / "told.json").write_text(json.dumps(told))

    home = once("weather", make)
    told = json.loads((home / "told.json").read_text())
    return Project(home / "bellevue"), Result(**told["first"]), Result(**told["second"]), told["promoted"]


@pytest.fixture
def project(weather, monkeypatch):
    """The project after both runs; its tests only read."""
    monkeypatch.setenv("NOA_KEYS", str(weather[0].path.parent / "keys"))
    return weather[0]


def _promoted(project: Project) -> dict[str, str]:
    """Every file of the store with the digest of its bytes."""
    files = (path for path in (project.path / "storage/artifacts/rainfall").rglob("*") if path.is_file())
    return {str(path.relative_to(project.path)): sha256(path.read_bytes()).hexdigest() for path in files}


def _entry(project: Project, kind: str, version: int) -> dict:
    return next(
        entry
        for entry in project.entries()
        if (entry["noa_entry"]["type"], entry["noa_entry"].get("version")) == (kind, version)
    )


def test_the_run_is_promoted_and_says_so(weather, project):
    _, first, _, _ = weather
    assert first.status == 0, first.said
    assert first.out.startswith("CHAMPION  rainfall@1")
    assert "at least 0.8" in first.out
    assert project.verifies()


def test_the_manifest_has_lifecycle_checksum_and_timestamp(weather, project):
    manifest = json.loads((project.path / "storage/artifacts/rainfall/sklearn-classifier/1/manifest.json").read_bytes())
    assert (manifest["lifecycle_id"], manifest["profile"], manifest["version"]) == ("rainfall", "sklearn-classifier", 1)
    assert re.fullmatch(r"[0-9a-f]{64}", manifest["checksum"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", manifest["created_at"])
    assert manifest["evaluation"]["metrics"]["roc_auc"] > 0.8
    assert manifest["dataset"]["rows"] == 6000
    assert manifest["agents"]["labels_hidden"] is (manifest["agents"]["isolation"] == "sealed")
    assert manifest["environment"]["packages"]["scikit-learn"]
    assert manifest["code_bearing"] is False
    canonical = json.dumps(
        sorted(manifest["files"], key=lambda file: file["path"]),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    assert manifest["checksum"] == sha256(canonical.encode()).hexdigest()


def test_the_promoted_files_are_the_recorded_ones(project):
    folder = project.path / "storage/artifacts/rainfall/sklearn-classifier/1"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    present = sorted(
        str(path.relative_to(folder / "model")) for path in (folder / "model").rglob("*") if path.is_file()
    )
    assert present == [file["path"] for file in manifest["files"]]
    for file in manifest["files"]:
        content = (folder / "model" / file["path"]).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (file["size"], file["sha256"])
    assert not any(path.suffix in {".pkl", ".pickle", ".joblib"} for path in folder.rglob("*"))


def test_the_ledger_has_metrics_thresholds_verifier_key_and_signature(project):
    decision = _entry(project, "PromotionReady", 1)
    verdict = decision["predicate"]["noa:decision"]
    assert verdict["metrics"]["roc_auc"] > 0.8
    assert verdict["thresholds"] == {"roc_auc": {"min": 0.8}, "log_loss": {"max": 0.6}}
    assert (verdict["verdict"], verdict["status"], verdict["replaces"]) == ("pass", "ready", None)
    (signature,) = decision["signatures"]
    verifier = next(key for key in project.tell("keys", "--json").document if key["roles"] == ["verifier"])
    assert signature["keyid"] == verifier["keyid"]
    assert len(base64.b64decode(signature["sig"], validate=True)) == 64
    assert _entry(project, "EvaluationLogged", 1)["predicate"]["metrics"] == verdict["metrics"]


def test_every_line_is_an_envelope_that_securesystemslib_accepts(project, tmp_path):
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    project.tell("keys", "export", "--to", str(tmp_path))
    pem = next(tmp_path.glob("verifier-*.pem")).read_bytes()
    key = SSlibKey.from_crypto(load_pem_public_key(pem))
    lines = (project.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines()
    for line in lines:
        payload = line[: line.rindex(b',"signatures":')] + b"}"
        envelope = {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": json.loads(line)["signatures"],
        }
        assert Envelope.from_dict(envelope).verify([key], 1).keys() == {key.keyid}
        assert json.loads(payload)["_type"] == "https://in-toto.io/Statement/v1"


def test_each_line_names_the_one_before(project):
    previous = "0" * 64
    for seq, line in enumerate((project.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines()):
        header = json.loads(line)["noa_entry"]
        assert (header["seq"], header["prev"]) == (seq, previous)
        previous = sha256(line).hexdigest()


def test_the_registry_line_has_metrics_and_decision_and_holds_the_ledger_line(project):
    lines = (project.path / "registry/ml_artifacts.log").read_bytes().splitlines()
    promoted = next(line for line in map(json.loads, lines) if line["type"] == "PromotionReady")
    assert promoted["capability"] == "ml.lifecycle.controller"
    assert promoted["metrics"]["roc_auc"] > 0.8
    assert promoted["thresholds"]["roc_auc"] == {"min": 0.8}
    assert promoted["decision"] == {"status": "ready", "verdict": "pass", "reasons": []}
    assert promoted["rollout"] == {"champion": 1, "status": "ready"}
    assert promoted["artifact"]["path"] == "storage/artifacts/rainfall/sklearn-classifier/1"
    assert promoted["line"].encode() in (project.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines()


def test_the_capability_is_present(project):
    document = json.loads((project.path / "registry/capabilities.json").read_bytes())
    entry = next(item for item in document["capabilities"] if item["id"] == "ml.lifecycle.controller")
    assert document["version"] == 1
    assert (entry["type"], entry["requires"]) == ("ml", ["storage.artifacts"])
    assert entry["provides"] == ["ml.training", "ml.evaluation", "ml.registry"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed here")
def test_jq_reads_all_of_it(project):
    def jq(program: str, path: str) -> list[str]:
        done = subprocess.run(
            ["jq", "-r", "-c", program, str(project.path / path)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    ledger = "storage/db/evidence/ledger.jsonl"
    assert jq(".noa_entry.type", ledger)[:5] == [
        *("Genesis", "Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady")
    ]
    assert jq('select(.noa_entry.status == "ready") | .predicate["noa:decision"].metrics.roc_auc > 0.8', ledger) == [
        "true"
    ]
    assert jq(".decision.status // empty", "registry/ml_artifacts.log") == ["ready", "blocked"]
    assert "ml.lifecycle.controller" in jq(".capabilities[].id", "registry/capabilities.json")
    assert jq(".lifecycle_id", "storage/artifacts/rainfall/sklearn-classifier/1/manifest.json") == ["rainfall"]
    stripped = jq("del(.signatures)", ledger)
    for line, found in zip((project.path / ledger).read_bytes().splitlines(), stripped, strict=True):
        assert found.encode() == line[: line.rindex(b',"signatures":')] + b"}"


def test_a_threshold_that_is_not_reached_rejects_and_exits_with_3(weather):
    _, _, second, _ = weather
    assert second.status == 3, second.said
    report = second.document
    assert (report["state"], report["verdict"], report["status"], report["reasons"]) == (
        *("rejected", "fail", "blocked"),
        ["threshold"],
    )
    assert [violation["metric"] for violation in report["violations"]] == ["roc_auc"]
    assert (report["version"], report["champion"], report["artifact"]) == (2, 1, None)


def test_a_rejected_challenger_leaves_champion_and_rollout_as_they_were(weather, project):
    document = project.tell("show", "rainfall", "--json").document
    assert (document["champion"]["version"], document["rollout"]["status"]) == (1, "ready")
    assert [(version["version"], version["state"]) for version in document["versions"]] == [
        (2, "rejected"),
        (1, "champion"),
    ]
    assert _promoted(project) == weather[3]
    assert project.verifies()


def test_the_rejected_version_is_recorded_in_full(project):
    kinds = [e["noa_entry"]["type"] for e in project.entries() if e["noa_entry"].get("version") == 2]
    assert kinds == ["Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady"]
    decision = _entry(project, "PromotionReady", 2)
    assert decision["noa_entry"]["status"] == "blocked"
    assert decision["predicate"]["verificationResult"] == "FAILED"
    assert decision["predicate"]["noa:decision"]["thresholds"]["roc_auc"] == {"min": 0.99}
    measured = _entry(project, "EvaluationLogged", 2)["predicate"]
    assert measured["metrics"]["roc_auc"] == decision["predicate"]["noa:decision"]["metrics"]["roc_auc"]
    mirrored = json.loads((project.path / "registry/ml_artifacts.log").read_bytes().splitlines()[-1])
    assert (mirrored["decision"]["status"], mirrored["rollout"]["champion"]) == ("blocked", 1)
    plan = json.loads(
        (
            project.path / "storage/db/evidence/objects" / decision["predicate"]["policy"]["digest"]["sha256"]
        ).read_bytes()
    )
    assert plan["thresholds"]["roc_auc"] == {"min": 0.99}


def test_equal_plan_and_data_give_an_equal_model(project):
    checksums = {_entry(project, "TrainingCompleted", n)["subject"][0]["digest"]["sha256"] for n in (1, 2)}
    assert len(checksums) == 1


def test_the_demo_tells_the_whole_story_and_ends_ready_and_audited(tmp_path):
    demo = Project(tmp_path / "demo")
    result = demo.tell("demo", "--json")
    assert result.status == 0, result.said
    told = {step["command"].split(" --")[0]: step for step in result.document["steps"]}
    assert result.document["complete"]
    assert [step["status"] for step in result.document["steps"]] == [chapter.status for chapter in STORY]
    assert told["noa run plans/worse.yaml"]["said"]["state"] == "rejected"
    calm, changed, later = (step["said"] for step in result.document["steps"] if "noa drift" in step["command"])
    assert [(scan["verdict"], scan["data_verdict"], scan["rollout"]) for scan in (calm, changed, later)] == [
        ("pass", "fail", "ready"),
        ("fail", "fail", "blocked"),
        ("pass", "fail", "ready"),
    ]
    assert told["noa run plans/again.yaml"]["said"]["state"] == "held"
    assert told["noa audit"]["said"]["holds"]
    assert demo.champion("rainfall") == 3
    assert demo.verifies()
    again = demo.tell("demo")
    assert again.status == 5
    assert "there is a project in" in again.said
