"""Every past decision follows from what was recorded before it; one that no longer does is named."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter

import pytest

from audit.conftest import Copy
from crash.projects import LENIENT, plan, write_data
from crash.projects import orchestrator as orchestrator_of_shells
from noa_mlops.audit import verify
from noa_mlops.cli.app import main
from noa_mlops.evidence import ECDSA_P256, SigningKey, sign_model, sign_statement
from noa_mlops.ledger import KeyStore, KnownLogs, Ledger
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import Manifest

LEDGER = "storage/db/evidence/ledger.jsonl"
VERSIONS = 200 if os.environ.get("NOA_SOAK") else 15
"""How many versions the long history has; those of NOA_SOAK take some minutes."""


@pytest.fixture(scope="module")
def decided_often(tmp_path_factory):
    """One lifecycle of many versions, in turn: promoted, inconclusive, rejected, without a gate, and with none on purpose."""
    root = tmp_path_factory.mktemp("often")
    (root / "project").mkdir()
    write_data(root / "project")
    measured = {"dataset_path": "data/holdout.csv", "metric_thresholds": LENIENT}
    kinds = [
        {"evaluation": measured},
        {"evaluation": measured | {"metric_thresholds": {"accuracy": 0.9}}},
        {"evaluation": measured, "profile": "says-one"},
        {"evaluation": None},
        {"evaluation": {"gate": "none", "reason": "a first try"}},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        with orchestrator_of_shells(Layout.of(root / "project")) as running:
            plans = [plan(seed=n, **kinds[n % len(kinds)]) for n in range(VERSIONS)]
            states = Counter(running.run_plan(each).state for each in plans)
    each = VERSIONS // len(kinds)
    assert states == {"champion": 2 * each, "inconclusive": each, "rejected": each, "held": each}
    return root


@pytest.fixture
def long_history(decided_often, tmp_path, monkeypatch):
    """A copy of that project, whose keys are found."""
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    for name in ("keys", "project"):
        shutil.copytree(decided_often / name, tmp_path / name, symlinks=True)
    return Copy(tmp_path)


def of_decisions(history):
    """Entry and reason of what is found with ``--decisions`` and not without."""
    known = {str(finding) for finding in verify(history.layout).findings}
    found = verify(history.layout, decisions=True).findings
    return [(finding.entry, finding.reason) for finding in found if str(finding) not in known]


def nothing(_):
    """Change nothing."""


def resigned(history, kind, version, change=nothing, *, rename=nothing, decide=nothing, follow=False):
    """Edit one entry and sign it and all after it again with the runtime's key; the index of that version's decision.

    ``change`` is given its predicate, ``rename`` its subjects, ``decide`` the decision on the version. With ``follow``, decisions name the new lines they rest
    on, as a forger would have them do.
    """
    path = history.layout.ledger
    lines = path.read_bytes().splitlines()
    policy = Ledger.read_only(history.layout, KnownLogs()).state.policy
    key = KeyStore().find(policy).signing_key("verifier")
    prev, new_lines, renamed, decision = None, [], {}, None
    for old in lines:
        statement = json.loads(old)
        statement.pop("signatures")
        header = statement["noa_entry"]
        edited = (header["type"], header.get("version")) == (kind, version)
        if edited:
            change(statement["predicate"])
            rename(statement["subject"])
        if (header["type"], header.get("version")) == ("PromotionReady", version):
            decision = header["seq"]
            decide(statement["predicate"]["noa:decision"])
        if follow and header["type"] == "PromotionReady":
            for named in (line["digest"] for line in statement["predicate"]["inputAttestations"]):
                named["sha256"] = renamed.get(named["sha256"], named["sha256"])
        if edited or renamed:
            header["prev"] = prev
            renamed[sha256(old)] = sha256(sign_statement(statement, key))
        new_lines.append(sign_statement(statement, key) if edited or renamed else old)
        prev = sha256(new_lines[-1])
    history.rewrite(path, b"\n".join(new_lines) + b"\n")
    return decision


def test_every_decision_of_a_project_follows_from_its_record(history):
    result = verify(history.layout, decisions=True)
    assert result.findings == ()
    assert result.decisions == 6
    assert verify(history.layout).decisions is None


def metric(name, value):
    return lambda predicate: predicate["metrics"].update({name: value})


def worse_than_the_champion(predicate):
    predicate["champion"]["improvements"]["roc_auc"]["value"] = -0.2


@pytest.mark.parametrize(
    ("version", "change", "says"),
    [
        (1, metric("roc_auc", 0.7), "follows 'fail'"),
        (2, worse_than_the_champion, "follows 'fail'"),
        (4, metric("recall", 1.0), "its decision says violations"),
        (4, metric("accuracy", 0.5), "its decision says metrics"),
        (1, metric("roc_auc", "a lot"), "no verifier wrote this measurement"),
    ],
)
def test_a_statistic_that_was_edited_and_signed_again_is_named(history, version, change, says):
    """Whoever did it held the runtime's key and let the decision name the new lines."""
    decision = resigned(history, "EvaluationLogged", version, change, follow=True)
    found = of_decisions(history)
    assert {entry for entry, _ in found} == {decision}
    assert any(says in reason for _, reason in found), found


@pytest.mark.parametrize("proven", [None, {}, {"roc_auc": {"limit": 0.1, "version": 1}}])
def test_a_proven_gain_that_was_taken_back_is_named(history, proven):
    def change(predicate):
        decision = predicate["noa:decision"]
        assert decision["proven"]["roc_auc"]["version"] == 1
        decision.pop("proven")
        if proven is not None:
            decision["proven"] = proven

    decision = resigned(history, "PromotionReady", 1, change, follow=True)
    found = of_decisions(history)
    assert (found[0][0], "its decision says proven" in found[0][1]) == (decision, True), found


def test_a_decision_that_rests_on_other_lines_is_named_even_if_it_would_be_the_same(history):
    decision = resigned(history, "EvaluationLogged", 1, lambda predicate: predicate.update(unseen_labels=3))
    first = (decision, "its decision rests on other entries of this version than those that stand before it")
    assert of_decisions(history)[0] == first


def test_a_decision_that_was_turned_round_is_named(history):
    def soften(predicate):
        softer = {"verdict": "inconclusive", "violations": [], "reasons": ["inconclusive"], "notes": ["too few rows"]}
        predicate["noa:decision"] |= softer

    decision = resigned(history, "PromotionReady", 4, soften, follow=True)
    assert {entry for entry, _ in of_decisions(history)} == {decision}


def test_a_model_signature_that_the_log_names_and_a_stranger_made_is_found(history):
    """Even whoever holds the runtime's key cannot sign models."""
    path = history.layout.version("little", "command", 1) / "model.sig"
    manifest = Manifest.from_bytes(path.with_name("manifest.json").read_bytes())
    forged = sign_model("little@1", manifest.files, SigningKey.generate(ECDSA_P256))

    def rename(subject):
        [named] = (item["digest"] for item in subject if item["name"] == "model.sig")
        named["sha256"] = sha256(forged)

    decision = resigned(history, "PromotionReady", 1, rename=rename, follow=True)
    history.rewrite(path, forged)
    found = [
        (finding.entry, finding.reason) for finding in verify(history.layout).findings if finding.file == str(path)
    ]
    assert [entry for entry, _ in found] == [decision]
    assert "is by a key that may not sign models here" in found[0][1]


def test_a_redacted_plan_is_named_as_not_recomputable_and_is_no_failure(history):
    (plan,) = {
        entry["predicate"]["plan"]["digest"]["sha256"]
        for entry in map(json.loads, history.layout.ledger.read_bytes().splitlines())
        if (entry["noa_entry"]["type"], entry["noa_entry"].get("version")) == ("Submitted", 4)
    }
    assert history.project.tell("redact", plan, "--reason", "a name in it").status == 0
    result = verify(history.layout, decisions=True)
    assert result.findings == ()
    assert result.decisions == 5
    [decision] = (
        entry["noa_entry"]
        for entry in map(json.loads, history.layout.ledger.read_bytes().splitlines())
        if (entry["noa_entry"]["type"], entry["noa_entry"].get("version")) == ("PromotionReady", 4)
    )
    [note] = (note for note in result.notes if "cannot be computed again" in note)
    assert note.startswith(f"The decision on {decision['lifecycle_id']}@4 (entry {decision['seq']})")
    assert note.endswith(f"its plan {plan[:16]} was redacted.")


def test_the_command_line_says_how_many_were_computed_again(history, capsys):
    where = ["-C", str(history.layout.project)]
    assert main(["verify", "--decisions", *where]) == 0
    assert "6 computed again from what was recorded before them" in capsys.readouterr().out
    resigned(history, "EvaluationLogged", 1, metric("roc_auc", 0.7))
    assert main(["verify", "--decisions", "--json", *where]) == 4
    document = json.loads(capsys.readouterr().out)
    assert any("its decision says verdict" in finding["reason"] for finding in document["findings"])
    assert document["decisions"] == 6


@pytest.mark.timeout(3600 if VERSIONS > 100 else 180)
def test_all_verdicts_of_many_versions_are_identical_and_an_edited_one_is_named_among_them(long_history):
    told = long_history.project.tell("verify", "--decisions", "--json")
    assert told.status == 0, told.said
    assert (told.document["findings"], told.document["decisions"]) == ([], VERSIONS)
    changes = [(VERSIONS - 4, metric("accuracy", 0.5), "'fail'"), (VERSIONS - 2, metric("accuracy", 0.95), "metrics")]
    for version, change, says in changes:
        before = long_history.layout.ledger.read_bytes()
        decision = resigned(long_history, "EvaluationLogged", version, change, follow=True)
        told = long_history.project.tell("verify", "--decisions", "--json")
        assert told.status == 4
        found = of_decisions(long_history)
        assert {entry for entry, _ in found} == {decision}
        assert any(says in reason for _, reason in found), found
        long_history.rewrite(long_history.layout.ledger, before)
