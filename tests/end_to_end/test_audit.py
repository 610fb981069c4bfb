"""The checklist: green when all was done, red in the item whose cause was made, and it changes nothing."""

import json
import shutil

import pytest

from end_to_end.projects import rows


def failing(project):
    """The items that do not hold."""
    found = project.done("audit", "--json", status=4).document
    return [item["name"] for item in found["items"] if item["failures"]] + (
        ["evidence"] if found["evidence"]["findings"] else []
    )


@pytest.fixture
def complete(promoted):
    """A project in which all was done that the checklist asks for."""
    promoted.write("data/now.csv", rows(1500, 77))
    promoted.done("drift", "little", "--current", "data/now.csv")
    return promoted


def test_it_is_green_when_all_was_done_and_changes_nothing(complete):
    before = complete.state()
    said = complete.done("audit").said
    assert "FAIL" not in said
    assert "Solo mode" in said
    assert complete.state() == before


def test_a_champion_that_was_never_scanned(promoted):
    assert failing(promoted) == ["drift"]
    assert "noa drift little --current DATASET" in promoted.done("audit", status=4).said


def test_a_new_champion_must_be_scanned_anew(complete):
    complete.done("run", complete.plan(seed=2))
    assert failing(complete) == ["drift"]


def test_a_manifest_that_is_gone_or_edited(complete):
    [manifest] = (complete.path / "storage/artifacts/little").rglob("manifest.json")
    manifest.parent.chmod(0o755)
    text = manifest.read_text()
    manifest.unlink()
    assert failing(complete) == ["manifest", "evidence"]
    manifest.write_text(text.replace("little", "lattle"))
    assert failing(complete) == ["manifest", "evidence"]


def test_a_registry_log_that_lacks_a_decision(complete):
    log = complete.path / "registry/ml_artifacts.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(line for line in lines if json.loads(line)["type"] != "PromotionReady"))
    assert failing(complete) == ["registry", "evidence"]
    log.unlink()
    assert failing(complete) == ["registry", "evidence"]


def test_a_ledger_that_does_not_verify(complete):
    ledger = complete.path / "storage/db/evidence/ledger.jsonl"
    data = bytearray(ledger.read_bytes())
    data[len(data) // 2] ^= 1
    ledger.write_bytes(bytes(data))
    assert "evidence" in failing(complete)
    shutil.rmtree(complete.path / "storage/db/evidence")
    complete.done("audit", status=2)


def test_only_what_was_decided_in_a_period_is_looked_at(complete):
    asked = {
        item["name"]: item["asked"]
        for item in complete.done("audit", "--until", "2020-01-01", "--json").document["items"]
    }
    assert asked == {"manifest": 0, "ledger": 0, "registry": 0, "drift": 1}
    assert "is no time like" in complete.done("audit", "--since", "yesterday", status=2).said


def test_what_should_be_seen_is_noted(complete):
    policy = complete.path / "policy.yaml"
    text = policy.read_text()
    for floors in ({"little": {"resources": {"time": "10m"}}}, {"little": {"resources": {"time": "1h"}}}):
        policy.write_text(text.replace("lifecycles: {}", f"lifecycles: {json.dumps(floors)}"))
        complete.done("policy", "sign")
    complete.done("run", complete.plan(evaluation={"gate": "none", "reason": "a drill"}))
    said = complete.done("audit", status=4).said
    assert "loosened a floor: little: resources.time must be at most 10m" in said
    assert "promoted little@2 without a gate" in said
