"""The checklist: green when all was done, red in the item whose cause was made, and it changes nothing."""

import json
import shutil
import time

import pytest

from end_to_end.projects import rows, window
from end_to_end.test_version_report import HOSTILE, Page
from ledger.writing import decided, evaluated, submitted, trained
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


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


def test_a_registry_log_that_says_another_decision(complete):
    log = complete.path / "registry/ml_artifacts.log"
    said = log.read_text()
    for before, after in (('"status":"ready"', '"status":"blocked"'), ('"roc_auc":0.', '"roc_auc":1.')):
        lines = said.splitlines(keepends=True)
        log.write_text("".join(line.replace(before, after, 1) if "PromotionReady" in line else line for line in lines))
        assert log.read_text() != said
        assert failing(complete) == ["registry", "evidence"]
        assert "no metrics and decision for entry 4" in complete.done("audit", status=4).said
    complete.done("doctor", "--repair")
    complete.done("audit")


def test_a_decision_that_does_not_say_who_verified_it(complete):
    """By the right key and in the ledger's order, so only the checklist sees what it lacks."""
    with Ledger.open(Layout.of(complete.path), KeyStore()) as ledger:
        for compose in (submitted("little"), trained(2, lifecycle="little"), evaluated(2, lifecycle="little")):
            ledger.append(compose)
        decision = decided(2, lifecycle="little", verdict="fail", status="blocked", reasons=["threshold"], replaces=1)
        seq = ledger.append(decision).seq
    assert "ledger" in failing(complete)
    said = complete.done("audit", status=4).said
    assert f"entry {seq} does not say who verified it and when, by a key that may" in said


def test_a_decision_that_somebody_else_signed(complete):
    """Its signature is not that of a key which the policy lets decide."""
    ledger = complete.path / "storage/db/evidence/ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    [place] = [place for place, line in enumerate(lines) if json.loads(line)["noa_entry"]["type"] == "PromotionReady"]
    decision = json.loads(lines[place])
    key = decision["signatures"][0]["keyid"]
    lines[place] = lines[place].replace(key, "0" * len(key))
    ledger.write_text("".join(lines))
    assert failing(complete) == ["ledger", "evidence"]


def test_bytes_of_a_model_that_were_exchanged(complete):
    model = complete.path / "storage/artifacts/little/command/1/model/cut"
    model.chmod(0o644)
    model.write_text("0.9\n")
    assert failing(complete) == ["evidence"]


def test_a_champion_that_was_brought_back_must_be_scanned_anew(complete):
    complete.done("run", complete.plan(seed=2))
    complete.done("drift", "little", "--current", "data/now.csv")
    complete.done("audit")
    complete.done("rollback", "little", "--reason", "worse by the sea")
    assert failing(complete) == ["drift"]


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
    assert asked == {"manifest": 0, "ledger": 0, "registry": 0, "drift": 0}
    assert "is no time like" in complete.done("audit", "--since", "yesterday", status=2).said


def test_a_period_is_judged_by_what_had_been_done_when_it_ended(complete):
    *_, scan = complete.entries()
    ended = scan["noa_entry"]["ts"][:19] + "Z"
    time.sleep(1.1)
    complete.done("run", complete.plan(seed=2))
    assert failing(complete) == ["drift"]
    before = complete.done("audit", "--until", ended, "--json").document
    assert {item["name"]: item["asked"] for item in before["items"]}["manifest"] == 1
    after = complete.done("audit", "--since", complete.entries()[-1]["noa_entry"]["ts"], "--json", status=4).document
    assert {item["name"]: item["asked"] for item in after["items"]}["ledger"] == 1


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (("--since", "2026-02-30"), "is no time like"),
        (("--until", "2026-01-01T25:00:00Z"), "is no time like"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), "ends before it begins"),
    ],
)
def test_a_period_that_is_none_is_refused(complete, period, said):
    assert said in complete.done("audit", *period, status=2).said


def test_incidents_are_told_with_every_step(complete):
    complete.write("data/moved.csv", window(14, moved=0.5))
    complete.done("drift", "little", "--current", "data/moved.csv", status=3)
    assert "little@1, entry 6" in (said := complete.done("audit").said)
    assert "the scan of data/moved.csv; nobody has investigated it; it is open" in said
    complete.done("investigate", "little", "--finding", "the export was wrong")
    complete.write("data/eval.csv", rows(1300, 21))
    complete.done("evaluate", "little@1")
    complete.done("enable", "little@1", "--reason", "all is well")
    [told] = complete.done("audit", "--json", status=4).document["incidents"]
    assert [told[step]["entry"] for step in ("opened", "investigated", "ended")] == [6, 7, 9]
    assert (told["champion"], told["enabled"]) == ("little@1", "little@1")
    assert complete.done("audit", "--since", "2100-01-01", "--json", status=4).document["incidents"] == []


def test_the_page_says_what_the_document_says_and_loads_nothing(complete, home):
    complete.write("data/moved.csv", window(14, moved=0.5))
    complete.done("drift", "little", "--current", "data/moved.csv", status=3)
    complete.done("run", complete.plan(seed=9, lifecycle_id="other", evaluation={"gate": "none", "reason": HOSTILE}))
    found = complete.done("audit", "--html", str(home / "audit.html"), "--json", status=4).document
    text = (home / "audit.html").read_text()
    page = Page(text)
    for item in found["items"]:
        assert item["what"] in page.text
        assert all(failure in page.text for failure in item["failures"])
    assert found["evidence"]["origin"] in page.text
    assert "SOMETHING DOES NOT HOLD" in page.text
    assert all(note in page.text for note in found["notes"])
    assert "data/moved.csv" in page.text
    assert "not yet" in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "a"}
    assert not [key for _, had in page.elements for key in had if key.startswith("on") or key in ("src", "href")]
    assert not any(word in text for word in ("http:", "https:", "url(", "@import"))
    assert "prefers-color-scheme:dark" in text


def test_the_page_of_a_ledger_that_cannot_be_read_says_so_with_its_words_made_harmless(complete, home):
    """Names of files are of whoever made them."""
    (complete.path / "storage/artifacts/little/command/1").chmod(0o755)
    (complete.path / "storage/artifacts/little/command/1" / HOSTILE.replace("/", "")).write_text("x")
    complete.done("audit", "--html", str(home / "audit.html"), status=4)
    text = (home / "audit.html").read_text()
    assert "is not in the manifest" in text
    assert "<script" not in text
    assert "\x1b" not in text
    ledger = complete.path / "storage/db/evidence/ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"roc_auc", b"roc_auk", 1))
    complete.done("audit", "--html", str(home / "audit.html"), status=4)
    assert "SOMETHING DOES NOT HOLD" in (home / "audit.html").read_text()


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
