"""What runs where stands in the ledger by a deployer's act alone, in the order in which it was deployed."""

from __future__ import annotations

import pytest

from ledger.writing import BYTES, decided, evaluated, promote, scanned, submitted, trained
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.ledger import Draft, LedgerState, admit
from noa_mlops.ledger.deploy_law import answered, deployment_scope
from trust.deciding import changing, new_key, with_key
from trust.test_rollback import refused, replace_champion, rolling_back


def deployed(version, *keys, target="production", scope=None, answers=None, envelope=None, **changes):
    """Compose Deployed of ``rain@version``, its act signed by ``keys``."""

    def compose(state):
        about = scope or deployment_scope("rain", version, BYTES, target)
        signed = SignedAct(Act(state.origin, "deploy", about, answers or answered(state, "rain", target)))
        for key in keys:
            signed = signed.signed_by(key)
        fields = {
            "type": "Deployed",
            "predicate_type": "noa:act/v1",
            "predicate": {"act": envelope or signed.envelope()},
            "subject": [{"name": f"rain@{version}", "digest": {"sha256": BYTES}}],
            "lifecycle_id": "rain",
            "version": version,
        }
        return Draft(**{**fields, **changes})

    return compose


@pytest.fixture
def deployer(ledger):
    return ledger.keys.signing_key("operator")


@pytest.fixture
def two(ledger):
    """A lifecycle whose second version is the champion."""
    promote(ledger)
    replace_champion(ledger)
    return ledger


def runs(ledger):
    return {target: made.version for target, made in ledger.state.lifecycle("rain").deployed.items()}


def test_each_target_runs_what_was_deployed_last_and_nothing_is_decided_by_it(two, deployer, layout):
    before = two.state.lifecycle("rain")
    two.append(deployed(1, deployer))
    two.append(deployed(2, deployer, target="canary"))
    two.append(deployed(2, deployer))
    after = two.state.lifecycle("rain")
    assert runs(two) == {"production": 2, "canary": 2}
    assert (after.champion, after.rollout, after.deciding, after.answerable) == (
        before.champion,
        before.rollout,
        before.deciding,
        before.answerable,
    )
    assert two.sealed_size == two.state.size
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
    assert state == two.state


def test_an_act_counts_once_and_an_older_deployment_does_not_come_back(two, deployer):
    first = deployed(1, deployer)(two.state).predicate["act"]
    two.append(deployed(1, envelope=first))
    refused(two, deployed(1, envelope=first), "answers another entry")
    two.append(deployed(2, deployer))
    refused(two, deployed(1, envelope=first), "answers another entry")
    refused(two, deployed(1, deployer, answers=two.state.policies[-1].leaf), "answers another entry")


def test_what_is_decided_meanwhile_does_not_stand_in_the_way_of_saying_what_runs(two, deployer):
    late = deployed(2, deployer)(two.state).predicate["act"]
    two.append(scanned(2, verdict="fail", certain=True, status="blocked"))
    two.append(rolling_back(1, deployer))
    two.append(deployed(2, envelope=late))
    assert runs(two) == {"production": 2}
    assert (two.state.lifecycle("rain").champion, two.state.lifecycle("rain").rollout) == (1, "blocked")


@pytest.mark.parametrize("role", ["verifier", "root"])
def test_no_other_role_says_what_runs(two, role):
    refused(two, deployed(1, two.keys.signing_key(role)), "without the quorum")


def test_a_role_that_may_only_deploy_does_nothing_else(two, deployer):
    """A deployer's key on a host that serves models cannot promote, enable or bring back."""
    key = new_key()
    policy = two.state.policy
    role = type(policy.roles["operator"])((deployer.public.keyid,), ("deploy",))
    policy = type(policy)(**{**_fields(policy), "roles": {**policy.roles, "deployer": role}})
    two.append(changing(with_key(policy, "deployer", key, instead=False), two.keys.signing_key("root"), key))
    two.append(deployed(1, key))
    refused(two, rolling_back(1, key), "without the quorum")


def _fields(policy):
    return {name: getattr(policy, name) for name in policy.__dataclass_fields__}


def test_only_what_was_promoted_is_deployed(two, deployer):
    two.append(submitted())
    two.append(trained(3))
    refused(two, deployed(3, deployer), "is trained and was never promoted")
    two.append(evaluated(3))
    two.append(decided(3, status="blocked", verdict="fail", reasons=["threshold"], replaces=2))
    refused(two, deployed(3, deployer), "is rejected and was never promoted")
    refused(two, deployed(9, deployer), "there is not")


def test_a_deployment_has_one_form(two, deployer):
    for target in ("", "Production", "../x", "a" * 65, "latest", 1, None):
        refused(two, deployed(1, deployer, target="x", scope=_scope(target)), "does not say where it runs")
    refused(two, deployed(1, deployer, scope=_scope("production") | {"more": 1}), "decides something else")
    refused(
        two, deployed(1, deployer, scope=deployment_scope("rain", 2, BYTES, "production")), "decides something else"
    )
    refused(two, deployed(1, deployer, scope=deployment_scope("rain", True, BYTES, "production")), "decides something")
    refused(two, deployed(1, deployer, status="ready"), "the form of Deployed")
    refused(two, deployed(1, deployer, predicate_type="noa:trust/v1"), "the form of Deployed")
    other = [{"name": "rain@1", "digest": {"sha256": "c" * 64}}]
    refused(two, deployed(1, deployer, subject=other), "other bytes")
    refused(two, deployed(1, new_key()), "wrong or of an unknown key")
    refused(two, deployed(1, deployer, predicate={}), "carries an act that")


def _scope(target):
    return deployment_scope("rain", 1, BYTES, target)
