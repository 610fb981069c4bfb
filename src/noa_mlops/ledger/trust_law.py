"""The law of trust: which policy may follow which, and who must have decided it.

- The first policy stands in genesis. A later one is in force from the entry after its PolicyChanged.
- PolicyChanged carries an act: signed by the quorum that the policy before asks for, and by every key that is new in the
  policy after, so that nobody can be named who does not hold the key.
- An act answers the entry that put the policy before in force. So it counts once, here, and not after another change.
- A revoked key never comes back; what it signed up to the entry that the revocation names stays trusted.
"""

from __future__ import annotations

from collections.abc import Mapping

from noa_mlops.errors import PlanInvalid
from noa_mlops.evidence import ED25519, ActInvalid, KeyInvalid, PublicKey, SignedAct, load_public, read_act
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LedgerState
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.documents import canonical, compact, sha256
from noa_mlops.records.policy import SIGN_HEAD, SIGN_POLICY, KeyRecord, Policy

TRUST = "noa:trust/v1"
ACT = "noa:act/v1"


def policy_digest(policy: Policy) -> str:
    """SHA-256 of a policy in its canonical form, in hex."""
    return sha256(canonical(policy.to_document()))


def policy_of(entry: LedgerEntry) -> Policy | Refusal:
    """The policy that a trust entry holds, usable as it stands."""
    try:
        policy = Policy.from_document(entry.predicate.get("policy"))
    except PlanInvalid as error:
        return Refusal(f"holds a policy that cannot be used: {error}")
    if entry.predicate["policy"] != policy.to_document():
        return Refusal("holds a policy that is not in its one form")
    for record in policy.keys.values():
        if (problem := _key_problem(record)) is not None:
            return Refusal(f"holds a policy whose key {record.keyid[:16]} {problem}")
    if entry.checksum != policy_digest(policy):
        return Refusal("has a subject that is not its policy")
    return policy


def changed_policy(state: LedgerState, entry: LedgerEntry) -> Policy | Refusal:
    """The policy that PolicyChanged puts in force after ``state``, or why it does not."""
    before = state.policy
    if before is None or entry.predicate_type != TRUST or set(entry.predicate) != {"policy", "act"}:
        return Refusal("does not have the form of a PolicyChanged")
    after = policy_of(entry)
    if isinstance(after, Refusal):
        return after
    signed = read_decision(entry)
    if isinstance(signed, Refusal):
        return signed
    problem = (
        _succession_problem(before, after, entry.seq)
        or scope_problem(state, entry, signed, {"policy": {"sha256": policy_digest(after)}})
        or _signers_problem(before, after, signed)
    )
    if problem is None and not any(policy.allows(entry.keyid, entry.type) for policy in (before, after)):
        problem = f"is signed by a key that may not sign {entry.type}"
    return after if problem is None else Refusal(problem)


def read_decision(entry: LedgerEntry) -> SignedAct | Refusal:
    """The act that an entry carries, not yet judged."""
    try:
        return read_act(entry.predicate.get("act"))
    except ActInvalid as error:
        return Refusal(f"carries an act that {error}")


def signers_of(entry: LedgerEntry) -> frozenset[str]:
    """The keys that signed the act of an entry that was admitted; none for genesis, which carries no act."""
    signed = read_decision(entry) if "act" in entry.predicate else None
    return signed.signers if isinstance(signed, SignedAct) else frozenset()


def scope_problem(
    state: LedgerState, entry: LedgerEntry, signed: SignedAct, scope: Mapping[str, object], answers: str | None = None
) -> str | None:
    """Why an act is not one for this log, this place and this ``scope``; by default it answers the policy in force."""
    act = signed.act
    if act.origin != state.origin:
        return "carries an act for another log"
    if act.act != ACTS_OF[entry.type] or compact(act.scope) != compact(scope):
        return "carries an act that decides something else"
    if act.answers != (answers or state.policies[-1].leaf):
        return "carries an act that answers another entry than the one in force"
    if act.expires is not None and act.expires < entry.ts:
        return f"carries an act that lapsed at {act.expires:.40}"
    return None


def decision_problem(policy: Policy, entry: LedgerEntry, signed: SignedAct) -> str | None:
    """Why nobody with a say decided the act that an entry carries, or nobody who may recorded it."""
    if not signed.verifies(public_keys(policy)):
        return "carries an act with a signature that is wrong or of an unknown key"
    if not policy.grants(signed.signers, signed.act.act):
        return f"carries an act without the quorum that may {signed.act.act}"
    if not policy.allows(entry.keyid, entry.type):
        return f"is signed by a key that may not sign {entry.type}"
    return None


def act_problem(
    state: LedgerState, policy: Policy, entry: LedgerEntry, scope: Mapping[str, object], answers: str
) -> str | None:
    """Why an entry about a version does not carry an act of this ``scope`` that answers the entry ``answers``."""
    if entry.predicate_type != ACT or set(entry.predicate) != {"act"} or entry.status is not None:
        return f"does not have the form of {entry.type}"
    signed = read_decision(entry)
    if isinstance(signed, Refusal):
        return signed.reason
    return scope_problem(state, entry, signed, scope, answers=answers) or decision_problem(policy, entry, signed)


def version_scope(lifecycle_id: str, version: int, checksum: str) -> dict[str, object]:
    """What an act decides that makes a version the champion: which one, and its bytes."""
    return {"lifecycle_id": lifecycle_id, "version": version, "model": {"sha256": checksum}}


def decides(state: LedgerState, keyid: str, what: str) -> bool:
    """Whether a key could ever sign lines of a type, or do an act."""
    return any(place.policy.allows(keyid, what) for place in state.policies)


def public_keys(*policies: Policy) -> dict[str, PublicKey]:
    """The keys of policies that were found usable, by key id."""
    return {record.keyid: load_public(record.public) for policy in policies for record in policy.keys.values()}


ACTS_OF: Mapping[str, str] = {
    "PolicyChanged": SIGN_POLICY,
    "Redacted": "redact",
    "RolledBack": "rollback",
    "Investigated": "investigate",
    "RolloutEnabled": "enable",
    "Overridden": "override",
    "Deployed": "deploy",
}
"""The act that an entry of each type carries."""


def _key_problem(record: KeyRecord) -> str | None:
    try:
        key = load_public(record.public)
    except KeyInvalid as error:
        return str(error)
    return None if (key.keyid, key.scheme) == (record.keyid, record.scheme) else "is another one"


def _succession_problem(before: Policy, after: Policy, seq: int) -> str | None:
    """Why no policy like ``after`` may follow ``before``, whoever signs."""
    if after.name != before.name:
        return f"changes the name of the project, {before.name}"
    if any(after.revoked.get(keyid) != last for keyid, last in before.revoked.items()):
        return "takes a revocation back"
    fresh = set(after.revoked) - set(before.revoked)
    if not fresh <= set(before.keys) or any(after.revoked[keyid] >= seq for keyid in fresh):
        return "revokes a key that was not known, or trusts entries that are yet to come"
    if set(after.keys) & set(after.revoked):
        return "names a key that is revoked"
    runtime = [key.keyid for key in after.keys_for(SIGN_HEAD) if key.scheme == ED25519]
    if not any(after.allows(keyid, "PolicyChanged") for keyid in runtime) or not after.keys_for(SIGN_POLICY):
        return "leaves nobody who can sign the log, or nobody who can change the policy"
    return None


def _signers_problem(before: Policy, after: Policy, signed: SignedAct) -> str | None:
    if not signed.verifies(public_keys(before, after)):
        return "carries an act with a signature that is wrong or of an unknown key"
    if not before.grants(signed.signers, SIGN_POLICY):
        return "carries an act without the quorum that may change the policy"
    unproven = set(after.keys) - set(before.keys) - signed.signers
    return f"names the new key {min(unproven)[:16]}, which did not sign the act" if unproven else None
