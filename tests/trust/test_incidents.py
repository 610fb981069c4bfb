"""The way out of a blocked rollout has an order that nobody can skip: looked at, trained after that, enabled."""

from __future__ import annotations

import pytest

from ledger.writing import BYTES, decided, evaluated, promote, scanned, submitted, trained
from noa_mlops.errors import LedgerConflict
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.ledger import Draft, LedgerState, admit
from noa_mlops.ledger.incident_law import investigation_scope
from noa_mlops.ledger.trust_law import version_scope
from trust.deciding import changing, new_key, with_key, without_key
from trust.test_proofs import rotate
from trust.test_rollback import replace_champion, rolling_back

REPORT = "2" * 64


def signed(state, act, scope, keys, answers=None):
    lifecycle = state.lifecycle("rain")
    found = SignedAct(Act(state.origin, act, scope, answers or lifecycle.answerable))
    for key in keys:
        found = found.signed_by(key)
    return {"act": found.envelope()}


def investigated(*keys, report=REPORT, incident=None, version=1):
    """Compose Investigated for the open incident."""

    def compose(state):
        seq = incident or state.lifecycle("rain").incident.seq
        predicate = signed(state, "investigate", investigation_scope("rain", seq, report), keys)
        subject = [{"name": "drift_report.json", "digest": {"sha256": report}}]
        return Draft("Investigated", "noa:act/v1", predicate, subject, "rain", version)

    return compose


def enabled(version, *keys, act="enable", checksum=BYTES, answers=None, status=None):
    """Compose RolloutEnabled."""

    def compose(state):
        predicate = signed(state, act, version_scope("rain", version, BYTES), keys, answers)
        subject = [{"name": f"rain@{version}", "digest": {"sha256": checksum}}]
        return Draft("RolloutEnabled", "noa:act/v1", predicate, subject, "rain", version, status)

    return compose


def hold(ledger, *, reasons=("drift",), verdict="pass", approvals=None):
    """One version more, that passed and is held."""
    champion = ledger.state.lifecycle("rain").champion
    version = ledger.append(submitted()).version
    for compose in (trained(version), evaluated(version)):
        ledger.append(compose)
    told = {"verdict": verdict, "reasons": reasons, "replaces": champion, "approvals": approvals}
    ledger.append(decided(version, status="blocked", **told))
    return version


def refused(ledger, compose, match):
    size = ledger.state.size
    with pytest.raises(LedgerConflict, match=match):
        ledger.append(compose)
    assert ledger.state.size == size


@pytest.fixture
def operator(ledger):
    return ledger.keys.signing_key("operator")


@pytest.fixture
def blocked(ledger):
    """A lifecycle whose rollout a scan has blocked; its champion is 1."""
    promote(ledger)
    ledger.append(scanned(verdict="fail", certain=True, status="blocked"))
    return ledger


def test_looked_at_trained_after_that_and_enabled_in_one_entry(blocked, operator, layout):
    blocked.append(investigated(operator))
    version = hold(blocked)
    entry = blocked.append(enabled(version, operator))
    lifecycle = blocked.state.lifecycle("rain")
    assert (lifecycle.champion, lifecycle.rollout, lifecycle.incident) == (version, "ready", None)
    assert (lifecycle.crowned, dict(lifecycle.waiting), lifecycle.suspicion) == (entry.seq, {}, None)
    assert [state.status for state in lifecycle.versions.values()] == ["former", "champion"]
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
    assert state == blocked.state


def test_no_step_can_be_skipped(blocked, operator):
    early = hold(blocked)
    refused(blocked, enabled(early, operator), "nobody has investigated")
    blocked.append(investigated(operator))
    refused(blocked, enabled(early, operator), "submitted before the incident was investigated")
    refused(blocked, investigated(operator), "has investigated")
    late = hold(blocked)
    blocked.append(enabled(late, operator))


def test_a_later_failure_joins_the_incident_and_undoes_no_step(blocked, operator):
    blocked.append(investigated(operator))
    version = hold(blocked)
    blocked.append(scanned(verdict="fail", current="9" * 64, certain=True, status="blocked"))
    blocked.append(enabled(version, operator))
    assert blocked.state.lifecycle("rain").rollout == "ready"


@pytest.mark.parametrize("role", ["verifier", "root"])
def test_only_operators_look_and_enable(blocked, operator, role):
    key = blocked.keys.signing_key(role)
    refused(blocked, investigated(key), "without the quorum")
    blocked.append(investigated(operator))
    refused(blocked, enabled(hold(blocked), key), "without the quorum")


def test_an_act_speaks_of_the_incident_and_the_version_that_it_names(blocked, operator):
    refused(blocked, investigated(operator, report="7" * 64), "another report")
    refused(blocked, investigated(operator, incident=1), "decides something else")
    refused(blocked, investigated(operator, version=2), "not open")
    blocked.append(investigated(operator))
    version = hold(blocked)
    refused(blocked, enabled(version, operator, checksum="c" * 64), "other bytes")
    refused(blocked, enabled(version, operator, act="rollback"), "decides something else")
    refused(blocked, enabled(version, operator, answers="0" * 64), "answers another entry")
    refused(blocked, enabled(version, operator, status="ready"), "form of RolloutEnabled")
    refused(blocked, enabled(9, operator), "that there is not")


@pytest.mark.parametrize(("verdict", "reasons"), [("inconclusive", ("no_gate",)), ("fail", ("threshold",))])
def test_what_is_not_held_for_the_rollout_cannot_be_enabled(blocked, operator, verdict, reasons):
    blocked.append(investigated(operator))
    version = hold(blocked, verdict=verdict, reasons=reasons)
    refused(blocked, enabled(version, operator), "waits for nobody")


def operators(ledger, count):
    """So many keys more that the policy lets enable."""
    keys = [new_key() for _ in range(count)]
    for key in keys:
        policy = with_key(ledger.state.policy, "operator", key)
        ledger.append(changing(policy, ledger.keys.signing_key("root"), key))
    return keys


def test_each_key_approves_once_and_the_last_that_is_asked_for_decides(ledger, operator):
    promote(ledger)
    ann, bob = operators(ledger, 2)
    version = hold(ledger, reasons=("approval",), approvals={"required": 3, "not": []})
    ledger.append(enabled(version, ann))
    refused(ledger, enabled(version, ann), "nobody whose approval counts")
    assert ledger.state.lifecycle("rain").champion == 1
    ledger.append(enabled(version, ann, bob))
    assert ledger.state.lifecycle("rain").awaited(version).approved == {ann.public.keyid, bob.public.keyid}
    ledger.append(enabled(version, operator))
    assert ledger.state.lifecycle("rain").champion == version


def test_the_submitter_does_not_approve_where_the_decision_says_so(ledger, operator):
    promote(ledger)
    [ann] = operators(ledger, 1)
    excluded = [operator.public.keyid]
    version = hold(ledger, reasons=("approval",), approvals={"required": 1, "not": excluded})
    refused(ledger, enabled(version, operator), "none of a submitter")
    ledger.append(enabled(version, operator, ann))
    assert ledger.state.lifecycle("rain").champion == version


def test_an_approval_of_a_key_that_may_no_more_does_not_count(ledger, operator):
    promote(ledger)
    ann, bob = operators(ledger, 2)
    version = hold(ledger, reasons=("approval",), approvals={"required": 2, "not": []})
    entry = ledger.append(enabled(version, ann))
    policy = without_key(ledger.state.policy, ann.public.keyid, entry.seq)
    ledger.append(changing(policy, ledger.keys.signing_key("root")))
    ledger.append(enabled(version, bob))
    assert ledger.state.lifecycle("rain").champion == 1
    ledger.append(enabled(version, operator))
    assert ledger.state.lifecycle("rain").champion == version


def test_approvals_lapse_with_the_champion_even_when_it_comes_back(ledger, operator):
    promote(ledger)
    [ann] = operators(ledger, 1)
    waiting = hold(ledger, reasons=("approval",), approvals={"required": 2, "not": []})
    ledger.append(enabled(waiting, ann))
    replace_champion(ledger)
    assert not ledger.state.lifecycle("rain").waiting
    waiting = hold(ledger, reasons=("approval",), approvals={"required": 2, "not": []})
    ledger.append(enabled(waiting, ann))
    champion = ledger.state.lifecycle("rain").champion
    for version in (1, champion):
        ledger.append(rolling_back(version, operator))
    assert ledger.state.lifecycle("rain").awaited(waiting).approved == frozenset()


@pytest.mark.parametrize(
    "approvals",
    [
        {},
        {"required": 0, "not": []},
        {"required": 17, "not": []},
        {"required": True, "not": []},
        {"required": 1, "not": ["ann"]},
        {"required": 1, "not": ["b" * 64, "a" * 64]},
        {"required": 1, "not": [], "by": []},
        [],
    ],
)
def test_a_decision_that_asks_for_approvals_in_another_form_is_refused(ledger, approvals):
    promote(ledger)
    version = ledger.append(submitted()).version
    for compose in (trained(version), evaluated(version)):
        ledger.append(compose)
    told = {"reasons": ("approval",), "replaces": 1, "approvals": approvals}
    refused(ledger, decided(version, status="blocked", **told), "asks for approvals")


def test_what_is_promoted_asks_for_no_approval(ledger):
    for compose in (submitted(), trained(1), evaluated(1)):
        ledger.append(compose)
    refused(ledger, decided(1, approvals={"required": 1, "not": []}), "asks for approvals")


def test_without_an_incident_there_is_nothing_to_look_at(ledger, operator):
    promote(ledger)
    refused(ledger, investigated(operator, incident=1), "not open")


def test_a_version_that_a_key_decided_on_that_is_trusted_no_more_is_not_enabled(ledger, operator):
    """The entry that is the last one trusted is trusted; one later is not."""
    promote(ledger)
    version = hold(ledger, reasons=("approval",))
    decided_at = ledger.state.lifecycle("rain").versions[version].last_seq
    rotate(ledger, ledger.keys.signing_key("root"), last=decided_at)
    ledger.append(enabled(version, operator))
    version = hold(ledger, reasons=("approval",))
    decided_at = ledger.state.lifecycle("rain").versions[version].last_seq
    rotate(ledger, ledger.keys.signing_key("root"), last=decided_at - 1)
    refused(ledger, enabled(version, operator), "decided on by a key that is not trusted any more")


def test_a_key_that_never_signed_decisions_takes_no_version_with_it(ledger, operator):
    promote(ledger)
    [ann] = operators(ledger, 1)
    version = hold(ledger, reasons=("approval",))
    ledger.append(changing(without_key(ledger.state.policy, ann.public.keyid, 0), ledger.keys.signing_key("root")))
    ledger.append(enabled(version, operator))
    assert ledger.state.lifecycle("rain").champion == version
