"""An operator takes an object out of the evidence; nobody else can, and every line still verifies."""

from __future__ import annotations

import json
import shutil

import pytest

from end_to_end.projects import Project, lay_out
from noa_mlops.errors import LedgerConflict
from noa_mlops.ledger import Draft
from noa_mlops.lifecycle.redaction import redaction
from trust.deciding import changing, new_key, with_key

OBJECT = "c" * 64


def redacting(digest, *keys, envelope=None, **changes):
    """Compose Redacted, its act signed by ``keys``."""

    def compose(state):
        signed = redaction(state, digest)
        for key in keys:
            signed = signed.signed_by(key)
        fields = {
            "type": "Redacted",
            "predicate_type": "noa:act/v1",
            "predicate": {"act": envelope or signed.envelope()},
            "subject": [{"name": "object", "digest": {"sha256": digest}}],
        }
        return Draft(**{**fields, **changes})

    return compose


@pytest.fixture
def operator(ledger):
    return ledger.keys.signing_key("operator")


def refused(ledger, compose, match):
    size = ledger.state.size
    with pytest.raises(LedgerConflict, match=match):
        ledger.append(compose)
    assert ledger.state.size == size


def test_an_operator_redacts_an_object_once(ledger, operator):
    ledger.append(redacting(OBJECT, operator))
    assert ledger.state.redacted == {OBJECT}
    assert ledger.sealed_size == ledger.state.size
    refused(ledger, redacting(OBJECT, operator), "gone already")
    ledger.append(redacting("d" * 64, operator))


@pytest.mark.parametrize("role", ["verifier", "root"])
def test_no_other_role_can_act_for_an_operator(ledger, role):
    """Not the runtime, whose key a thief may hold, nor root, who changes the policy and nothing else."""
    refused(ledger, redacting(OBJECT, ledger.keys.signing_key(role)), "without the quorum")


def test_a_signature_cannot_be_moved_stripped_or_replayed(ledger, operator):
    first = redaction(ledger.state, OBJECT).signed_by(operator).envelope()
    refused(ledger, redacting("d" * 64, envelope=first), "decides something else")
    refused(ledger, redacting(OBJECT, envelope={**first, "signatures": []}), "wrong or of an unknown key")
    refused(ledger, redacting(OBJECT, new_key()), "wrong or of an unknown key")
    refused(ledger, redacting(OBJECT, operator, predicate_type="noa:trust/v1"), "the form of a Redacted")
    refused(ledger, redacting(OBJECT, operator, lifecycle_id="rain", version=1), "the form of a Redacted")
    fresh = new_key()
    root = ledger.keys.signing_key("root")
    ledger.append(changing(with_key(ledger.state.policy, "operator", fresh), root, fresh))
    refused(ledger, redacting(OBJECT, envelope=first), "answers another entry")


def test_an_act_on_the_policy_is_none_on_an_object(ledger, operator):
    signed = changing(ledger.state.policy, operator)(ledger.state).predicate["act"]
    refused(ledger, redacting(OBJECT, envelope=signed), "decides something else")


def test_an_object_goes_and_the_project_still_verifies(tmp_path, monkeypatch):
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    project: Project = lay_out(tmp_path / "project")
    for arguments in (("init",), ("run", "plan.json")):
        assert project.tell(*arguments).status == 0
    plan = project.entries()[1]["predicate"]["plan"]["digest"]["sha256"]
    place = project.path / "storage/db/evidence/objects" / plan
    shutil.copy(place, tmp_path / "kept")
    assert project.tell("redact", plan, "--reason", "asked to be forgotten", "--dry-run").status == 0
    assert place.exists()
    result = project.tell("redact", plan, "--reason", "asked to be forgotten", "--json")
    assert result.status == 0, result.said
    assert not place.exists()
    kind, predicate = project.last_entry()
    assert kind == "Redacted"
    assert b"forgotten" not in json.dumps(predicate).encode()
    verified = project.tell("verify")
    assert verified.status == 0, verified.said
    place.write_bytes(b"something else")
    assert project.tell("verify").status == 4
    place.unlink()
    other = project.entries()[1]["predicate"]["datasets"]["train"]["identity"]
    (place.parent / other).unlink()
    assert project.tell("verify").status == 4
    assert project.tell("redact", plan, "--reason", "again").status == 2
