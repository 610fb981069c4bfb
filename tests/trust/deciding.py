"""What the tests of trust sign: acts, and the entries that carry them."""

from __future__ import annotations

from dataclasses import replace

from noa_mlops.evidence import Act, SignedAct, SigningKey
from noa_mlops.ledger import Draft, policy_digest
from noa_mlops.records.policy import KeyRecord, Role


def record(key):
    return KeyRecord(key.public.keyid, key.public.scheme, key.public.pem)


def with_key(policy, role, key, *, instead=False):
    """The policy with a key more in a role, or in the place of all that hold it."""
    held = policy.roles[role]
    gone = set(held.keys) if instead else set()
    keys = {keyid: known for keyid, known in policy.keys.items() if keyid not in gone} | {key.public.keyid: record(key)}
    names = (*(() if instead else held.keys), key.public.keyid)
    return replace(policy, keys=keys, roles={**policy.roles, role: Role(names, held.may, held.quorum)})


def without_key(policy, keyid, last):
    """The policy with a key revoked; ``last`` is the last entry still trusted."""
    keys = {known: value for known, value in policy.keys.items() if known != keyid}
    roles = {
        name: replace(role, keys=tuple(key for key in role.keys if key != keyid)) for name, role in policy.roles.items()
    }
    return replace(policy, keys=keys, roles=roles, revoked={**policy.revoked, keyid: last})


def act_for(state, policy, *keys, **changes):
    """The act that puts ``policy`` in force after ``state``."""
    fields = {
        "origin": state.origin,
        "act": "policy",
        "scope": {"policy": {"sha256": policy_digest(policy)}},
        "answers": state.policies[-1].leaf,
    }
    signed = SignedAct(Act(**{**fields, **changes}))
    for key in keys:
        signed = signed.signed_by(key)
    return signed


def changing(policy, *keys, envelope=None, **changes):
    """Compose PolicyChanged, its act signed by ``keys``."""

    def compose(state):
        predicate = {
            "policy": policy.to_document(),
            "act": envelope or act_for(state, policy, *keys, **changes).envelope(),
        }
        subject = [{"name": "policy", "digest": {"sha256": policy_digest(policy)}}]
        return Draft("PolicyChanged", "noa:trust/v1", predicate, subject)

    return compose


def new_key():
    return SigningKey.generate()
