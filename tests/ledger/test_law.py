"""The law: what may follow what, and everything that may not."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.writing import (
    BYTES,
    decided,
    evaluated,
    evaluation_failed,
    promote,
    submitted,
    trained,
    training_failed,
)
from noa_mlops.errors import LedgerConflict
from noa_mlops.evidence import PAYLOAD_TYPE, SigningKey, pae, sign_statement, split_line
from noa_mlops.ledger import Draft, KeyStore, Ledger, LedgerState, Refusal, admit, admit_sealed
from noa_mlops.records.documents import canonical, sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import KeyRecord, Policy, founding_policy

OTHER = "c" * 64


def take(ledger, *composes):
    for compose in composes:
        ledger.append(compose)


def version(ledger, number=1):
    return ledger.state.version("rain", number)


def resigned(ledger, entry, change):
    """The entry's line with its statement changed and signed again by the ledger's own key."""
    statement = json.loads(split_line(entry.line).payload)
    change(statement)
    return sign_statement(statement, ledger.keys.signing_key("verifier"))


@pytest.fixture
def last(ledger):
    """A Submitted entry, and the state before it."""
    before = ledger.state
    return before, ledger.append(submitted())


def test_genesis_holds_the_policy_and_names_the_origin(ledger):
    genesis = ledger.entry(0)
    assert (genesis.type, genesis.seq, genesis.prev) == ("Genesis", 0, "0" * 64)
    assert ledger.origin == f"demo/{sha256(genesis.line)}"
    assert ledger.state.policy == Policy.from_document(genesis.predicate["policy"])
    assert genesis.checksum == ledger.state.policy_digest


def test_a_version_that_passes_becomes_the_champion_and_the_old_one_former(ledger):
    promote(ledger, 1)
    assert (version(ledger).status, version(ledger).checksum) == ("champion", BYTES)
    promote(ledger, 2)
    assert (version(ledger, 1).status, version(ledger, 2).status) == ("former", "champion")
    assert ledger.state.lifecycle("rain").champion == 2
    assert ledger.state.lifecycle("rain").deciding == ledger.state.size - 1


@pytest.mark.parametrize(
    ("verdict", "reasons", "status"),
    [
        ("fail", ["threshold"], "rejected"),
        ("inconclusive", ["inconclusive"], "inconclusive"),
        ("inconclusive", ["no_gate"], "held"),
        ("pass", ["drift"], "held"),
    ],
)
def test_a_blocked_decision_leaves_the_champion_in_force(ledger, verdict, reasons, status):
    promote(ledger, 1)
    take(ledger, submitted(), trained(2), evaluated(2))
    ledger.append(decided(2, verdict=verdict, status="blocked", reasons=reasons, replaces=1))
    assert (version(ledger, 2).status, ledger.state.lifecycle("rain").champion) == (status, 1)


def test_a_declared_lack_of_a_gate_promotes_without_a_measurement(ledger):
    take(ledger, submitted(), trained(), decided(verdict="inconclusive", reasons=["no_gate"]))
    assert version(ledger).status == "champion"


def test_a_version_may_be_measured_again_before_it_is_decided_on_and_each_time_is_a_look(ledger):
    take(ledger, submitted(), trained(), evaluated(), evaluated())
    assert (version(ledger).status, ledger.state.lifecycle("rain").looks) == ("evaluated", 2)
    take(ledger, decided())
    assert version(ledger).status == "champion"


@pytest.mark.parametrize("failure", [training_failed(), evaluation_failed()])
def test_a_failure_ends_a_version(ledger, failure):
    take(ledger, submitted())
    if failure(None).type == "EvaluationFailed":
        take(ledger, trained())
    take(ledger, failure)
    assert version(ledger).status == "failed"
    for compose in (trained(), training_failed(), evaluated(), evaluation_failed(), decided()):
        with pytest.raises(LedgerConflict, match="version 1 is failed"):
            ledger.append(compose)


@pytest.mark.parametrize(
    ("before", "compose", "reason"),
    [
        ((), submitted(version=2), "the next is 1"),
        ((submitted(),), submitted(version=1), "the next is 2"),
        ((), trained(), "never submitted"),
        ((submitted(),), evaluated(), "version 1 is submitted"),
        ((submitted(),), decided(), "version 1 is submitted"),
        ((submitted(), trained()), trained(), "version 1 is trained"),
        ((submitted(), trained()), training_failed(), "version 1 is trained"),
        ((submitted(), trained()), decided(), "without a measurement"),
        ((submitted(), trained()), evaluated(checksum=OTHER), "other bytes"),
        ((submitted(), trained()), evaluation_failed(checksum=OTHER), "other bytes"),
        ((submitted(), trained(), evaluated()), trained(), "version 1 is evaluated"),
        ((submitted(), trained(), evaluated(), decided()), evaluated(), "holds no verdict"),
        ((submitted(), trained(), evaluated()), decided(checksum=OTHER), "other bytes"),
        ((submitted(), trained(), evaluated()), decided(replaces=2), "another champion than None"),
        ((submitted(), trained(), evaluated()), decided(replaces=1), "replaces what can be none"),
        ((submitted(), trained(), evaluated()), decided(replaces=True), "replaces what can be none"),
        ((submitted(), trained(), evaluated()), decided(verdict="fail"), "does not pass"),
        ((submitted(), trained(), evaluated()), decided(verdict="fail", reasons=["no_gate"]), "does not pass"),
        ((submitted(), trained(), evaluated()), decided(verdict="inconclusive"), "does not pass"),
        ((submitted(), trained(), evaluated()), decided(status="blocked"), "without a reason"),
        ((submitted(), trained(), evaluated()), decided(verdict="maybe"), "no decision"),
        ((submitted(), trained(), evaluated()), decided(reasons=["a whim"]), "not known"),
        ((submitted(), trained(), evaluated()), decided(proven=[]), "proven gains that are none"),
        ((submitted(), trained(), evaluated()), decided(proven={"roc_auc": 0.9}), "proven gains that are none"),
        (
            (submitted(), trained(), evaluated()),
            decided(
                verdict="fail", status="blocked", reasons=["threshold"], predicate={"verificationResult": "PASSED"}
            ),
            "says PASSED",
        ),
        ((), submitted(plan={"digest": {}}), "names no plan"),
        ((), submitted(plan="x"), "names no plan"),
        ((), submitted(profile="../x"), "no profile"),
        ((), submitted(agent_id=7), "no agent"),
        ((), submitted("no/name"), "no name"),
    ],
)
def test_refuses_what_may_not_follow_and_writes_nothing(ledger, layout, before, compose, reason):
    take(ledger, *before)
    content = layout.ledger.read_bytes()
    with pytest.raises(LedgerConflict, match=reason):
        ledger.append(compose)
    assert layout.ledger.read_bytes() == content


def test_refuses_a_decision_taken_against_a_champion_that_has_been_replaced(ledger):
    promote(ledger, 1)
    for number in (2, 3):
        take(ledger, submitted(), trained(number), evaluated(number))
    ledger.append(decided(2, replaces=1))
    with pytest.raises(LedgerConflict, match="another champion than 2"):
        ledger.append(decided(3, replaces=1))
    ledger.append(decided(3, replaces=2))
    assert ledger.state.lifecycle("rain").champion == 3


@pytest.mark.parametrize(
    "kind",
    [
        "Noted",
        "X",
    ],
)
def test_refuses_types_that_this_version_does_not_know(ledger, kind):
    draft = Draft(kind, "noa:act/v1", {}, [{"digest": {"sha256": OTHER}}], "rain", 1)
    with pytest.raises(LedgerConflict, match="not known to this version"):
        ledger.append(lambda _: draft)


def test_refuses_a_second_genesis(ledger):
    genesis = ledger.entry(0)
    with pytest.raises(LedgerConflict, match="'Genesis'"):
        ledger.append(lambda _: Draft("Genesis", genesis.predicate_type, genesis.predicate, genesis.subject))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s["noa_entry"].update(v=2), "form 2"),
        (lambda s: s["noa_entry"].update(v=True), "form True"),
        (lambda s: s["noa_entry"].update(v=1.0), "form 1.0"),
        (lambda s: s["noa_entry"].update(critical="x"), "unknown"),
        (lambda s: s["noa_entry"].pop("ts"), "missing"),
        (lambda s: s.update(noa_entry=dict(reversed(s["noa_entry"].items()))), "misplaced"),
        (lambda s: s.update(noa_entry=[]), "no header"),
        (lambda s: s["noa_entry"].update(seq=2), "number 2 in the place of 1"),
        (lambda s: s["noa_entry"].update(seq=True), "no index"),
        (lambda s: s["noa_entry"].update(seq=-1), "no index"),
        (lambda s: s["noa_entry"].update(prev=OTHER), "does not follow"),
        (lambda s: s["noa_entry"].update(prev="A" * 64), "no predecessor"),
        (lambda s: s["noa_entry"].update(ts="2026-11-22 10:00:00"), "RFC 3339"),
        (lambda s: s["noa_entry"].update(version=0), "number from 1"),
        (lambda s: s["noa_entry"].update(version="1"), "number from 1"),
        (lambda s: s["noa_entry"].update(lifecycle_id="A"), "no name"),
        (lambda s: s["noa_entry"].update(status="ready"), "cannot have"),
        (lambda s: s["noa_entry"].update(status=1), "no text"),
        (lambda s: s["noa_entry"].update(type=1), "no text"),
        (lambda s: s["noa_entry"].pop("version"), "names no version"),
        (lambda s: s.update(predicateType="noa:act/v1"), "cannot have"),
        (lambda s: s.update(predicateType=None), "no predicate"),
        (lambda s: s.update(predicate=[]), "no predicate"),
        (lambda s: s.update(subject=[]), "subject"),
        (lambda s: s.update(subject=[{"digest": {"sha1": "x"}}]), "subject"),
        (lambda s: s.update(subject={}), "subject"),
        (lambda s: s.update(extra=1), "members"),
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "members"),
    ],
)
def test_refuses_a_line_of_another_form_although_the_right_key_signed_it(ledger, last, change, reason):
    before, entry = last
    refusal = admit(before, resigned(ledger, entry, change))
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace(b'"attempt":1', b'"attempt": 1'),
        lambda text: text.replace(b'"attempt":1', b'"attempt":1,"attempt":1'),
        lambda text: text.replace(b'"attempt":1', b'"attempt":1e0'),
        lambda text: text.replace(b'"attempt":1', b'"attempt":NaN'),
        lambda text: text.replace(b'"attempt"', b'"\\u0061ttempt"'),
        lambda text: text.replace(b'"attempt"', b'"\\ud800"'),
        lambda text: text.replace(b'"attempt":1', b'"attempt":' + b"[" * 70 + b"]" * 70),
        lambda text: text.replace(b'"_type"', b' "_type"'),
        lambda text: text[:-1] + b" }",
    ],
)
def test_refuses_a_second_text_for_the_same_entry(ledger, last, rewrite):
    before, entry = last
    payload = rewrite(split_line(entry.line).payload)
    key = ledger.keys.signing_key("verifier")
    line = tail_signed(payload, key)
    assert isinstance(admit(before, line), Refusal)


def tail_signed(payload, key):
    """Sign in place, over bytes that `sign_statement` would never write."""
    signature = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, payload))).decode()
    return payload[:-1] + f',"signatures":[{{"keyid":"{key.public.keyid}","sig":"{signature}"}}]}}'.encode()


def test_a_line_signed_by_a_key_that_no_policy_names_is_refused(ledger, last):
    before, entry = last
    statement = json.loads(split_line(entry.line).payload)
    refusal = admit(before, sign_statement(statement, SigningKey.generate()))
    assert refusal == Refusal(refusal.reason)
    assert "unknown key" in refusal.reason


@pytest.mark.parametrize("role", ["operator", "root"])
def test_a_line_signed_by_a_key_of_another_role_is_refused(ledger, last, role):
    before, entry = last
    statement = json.loads(split_line(entry.line).payload)
    refusal = admit(before, sign_statement(statement, ledger.keys.signing_key(role)))
    assert "may not sign Submitted" in refusal.reason


def test_the_signature_of_another_entry_is_refused(ledger, last):
    before, entry = last
    other = ledger.append(submitted())
    forged = entry.line[:-94] + other.line[-94:]
    assert admit(before, forged) == Refusal("has a wrong signature")


def test_the_key_id_of_another_key_is_refused(ledger, last):
    before, entry = last
    operator = ledger.keys.signing_key("operator").public.keyid
    assert admit(before, entry.line.replace(entry.keyid.encode(), operator.encode())) == Refusal(
        "has a wrong signature"
    )


def test_what_the_right_key_signed_for_this_place_is_told_apart_from_what_a_crash_left(ledger, last):
    before, entry = last
    newer = resigned(ledger, entry, lambda s: s["noa_entry"].update(v=2))
    assert admit(before, newer).authentic
    assert not admit(before, newer[:-1]).authentic
    assert not admit(before, entry.line[:40]).authentic


def test_admits_nothing_but_a_genesis_first(ledger, last):
    _, entry = last
    first = resigned(ledger, entry, lambda s: s["noa_entry"].update(seq=0, prev="0" * 64))
    assert isinstance(admit(LedgerState(), first), Refusal)
    assert isinstance(admit(LedgerState(), ledger.entry(0).line), LedgerState)


def genesis_of(policy, key, **changes):
    document = policy.to_document()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "noa_entry": {"v": 1, "type": "Genesis", "seq": 0, "prev": "0" * 64, "ts": "2026-11-22T10:00:00.000Z"},
        "predicateType": "noa:trust/v1",
        "predicate": {"format": 1, "policy": document, "created_with": "0"},
        "subject": [{"name": "policy", "digest": {"sha256": sha256(canonical(document))}}],
    }
    return sign_statement(statement | changes, key)


@pytest.fixture(scope="module")
def founders():
    keys = {role: SigningKey.generate() for role in ("verifier", "operator", "root")}
    keys["model"] = SigningKey.generate("ecdsa-sha2-nistp256")
    records = {role: KeyRecord(key.public.keyid, key.public.scheme, key.public.pem) for role, key in keys.items()}
    return keys, records, founding_policy("demo", **records)


def test_genesis_is_admitted_when_its_own_policy_lets_its_key_sign_it(founders):
    keys, _, policy = founders
    assert isinstance(admit(LedgerState(), genesis_of(policy, keys["verifier"])), LedgerState)
    for role in ("operator", "root"):
        assert "does not let sign it" in admit(LedgerState(), genesis_of(policy, keys[role])).reason
    assert "unknown key" in admit(LedgerState(), genesis_of(policy, SigningKey.generate())).reason


def test_genesis_is_refused_when_a_key_is_not_the_one_its_id_names(founders):
    keys, records, policy = founders
    swapped = dataclasses.replace(records["root"], public=records["operator"].public)
    forged = dataclasses.replace(policy, keys={**policy.keys, swapped.keyid: swapped})
    assert "is another one" in admit(LedgerState(), genesis_of(forged, keys["verifier"])).reason


@pytest.mark.parametrize(
    "changes",
    [
        {"predicate": {"format": 2, "policy": {}}},
        {"predicate": {"format": 1}},
        {"predicateType": "noa:lifecycle/v1"},
        {"subject": [{"digest": {"sha256": OTHER}}]},
    ],
)
def test_genesis_of_another_form_is_refused(founders, changes):
    keys, _, policy = founders
    assert isinstance(admit(LedgerState(), genesis_of(policy, keys["verifier"], **changes)), Refusal)


STEPS = [submitted, trained, training_failed, evaluated, evaluation_failed, decided]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 3)), max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_tried_what_is_admitted_folds_again_to_the_same_state(tmp_path_factory, attempts):
    """The writer's state, the reader's fold and the fold without signatures are one."""
    root = tmp_path_factory.mktemp("law")
    with Ledger.create(Layout.of(root / "project"), "demo", KeyStore(root / "keys")) as ledger:
        for make, number in attempts:
            champion = ledger.state.lifecycle("rain").champion
            try:
                if make is submitted:
                    ledger.append(submitted())
                elif make is decided:
                    ledger.append(decided(number, replaces=champion))
                else:
                    ledger.append(make(number))
            except LedgerConflict:
                continue
        folded = sealed = LedgerState()
        for line in Layout.of(root / "project").ledger.read_bytes().splitlines():
            folded, sealed = admit(folded, line), admit_sealed(sealed, line)
        assert folded == ledger.state == sealed
        lifecycle = folded.lifecycle("rain")
        champions = [v.version for v in lifecycle.versions.values() if v.status == "champion"]
        assert champions == ([] if lifecycle.champion is None else [lifecycle.champion])
        assert all(v.checksum for v in lifecycle.versions.values() if v.status in ("champion", "former"))
