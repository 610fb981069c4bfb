"""The policy: what it says comes back whole, and what it cannot say is refused by name."""

from __future__ import annotations

import copy

import pytest
from ruamel.yaml import YAML

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.policy import (
    ACTS,
    ENTRY_TYPES,
    KeyRecord,
    Policy,
    founding_policy,
    policy_text,
)

PEM = "-----BEGIN PUBLIC KEY-----\nAAAA\nBBBB\n-----END PUBLIC KEY-----\n"
KEYS = {
    role: KeyRecord(digit * 64, "ed25519", PEM)
    for role, digit in (("verifier", "1"), ("operator", "2"), ("root", "3"), ("model", "e"))
}
POLICY = founding_policy("demo", **KEYS)


def test_the_first_policy_gives_each_role_its_own_and_nothing_more():
    assert all(POLICY.allows("1" * 64, kind) for kind in ENTRY_TYPES)
    assert not any(
        POLICY.allows(key.keyid, kind) for role, key in KEYS.items() if role != "verifier" for kind in ENTRY_TYPES
    )
    assert all(POLICY.allows("2" * 64, act) for act in ACTS)
    assert [key.keyid for key in POLICY.keys_for("policy")] == ["3" * 64]
    assert [key.keyid for key in POLICY.keys_for("model.sig")] == ["e" * 64]
    assert not POLICY.allows("f" * 64, "Submitted")
    assert POLICY.solo_mode


def test_a_document_gives_back_the_policy_it_was_made_of():
    assert Policy.from_document(POLICY.to_document()) == POLICY


def test_the_text_for_people_says_what_the_document_says():
    assert YAML(typ="safe", pure=True).load(policy_text(POLICY)) == POLICY.to_document()


def test_a_second_key_ends_solo_mode():
    document = copy.deepcopy(POLICY.to_document())
    document["roles"]["operator"]["keys"].append("3" * 64)
    assert not Policy.from_document(document).solo_mode


def put(*path):
    *parents, last = path[:-1]
    value = path[-1]

    def change(document):
        for parent in parents:
            document = document[parent]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("version", 2), "version"),
        (put("version", True), "version"),
        (put("name", "../x"), "name"),
        (put("name", None), "name"),
        (put("extra", 1), "extra"),
        (put("lifecycles", []), "lifecycles"),
        (put("lifecycles", {"../x": {}}), "lifecycles.../x"),
        (put("lifecycles", {"rain": {"evaluation": {"gate": "none"}}}), "unknown field 'evaluation.gate'"),
        (put("keys", []), "keys"),
        (put("keys", "x" * 64, {"scheme": "ed25519", "public": PEM}), "keys.xxx"),
        (put("keys", "1" * 64, "scheme", "none"), "scheme"),
        (put("keys", "1" * 64, "public", None), "public"),
        (put("keys", "1" * 64, "alg", "none"), "alg"),
        (put("roles", "root", "keys", []), "roles.root.keys"),
        (put("roles", "root", "keys", ["f" * 64]), "roles.root.keys"),
        (put("roles", "root", "keys", ["3" * 64, "3" * 64]), "twice"),
        (put("roles", "root", "quorum", 0), "roles.root.quorum"),
        (put("roles", "root", "quorum", 2), "roles.root.quorum"),
        (put("roles", "root", "quorum", True), "roles.root.quorum"),
        (put("roles", "root", "may", "policy"), "roles.root.may"),
        (put("roles", "Root", {"keys": ["3" * 64], "may": [], "quorum": 1}), "roles.Root"),
        (put("data_roots", [1]), "data_roots"),
        (lambda document: document.pop("roles"), "roles"),
    ],
)
def test_refuses_a_document_that_says_something_else(change, field):
    document = copy.deepcopy(POLICY.to_document())
    change(document)
    with pytest.raises(PlanInvalid, match=field):
        Policy.from_document(document)


@pytest.mark.parametrize("document", [None, [], "text", 1, {1: 2}])
def test_refuses_what_is_no_policy(document):
    with pytest.raises(PlanInvalid, match="policy"):
        Policy.from_document(document)
