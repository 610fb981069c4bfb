"""The law of the log: which line may follow which.

`admit` is pure and is the whole law. The writer runs it under the lock, opening runs it on what others wrote,
verifying runs it on every line. State is the fold of it over the lines, and there is no other truth.

- A line has one form, stands at its place in the chain, and is signed by a key that the policy in force lets
  sign its type. Genesis holds the first policy and is signed by a key which that policy lets do so.
- Submitted takes the next number of its lifecycle. What may follow it in that version stands in
  `noa_mlops.ledger.version_law`; what is measured after its decision, in `noa_mlops.ledger.measuring_law`.
- A decision names the champion that it replaces; ready makes its version the champion. Each measurement is one look more
  since then, and says which.
- A scan of the champion blocks the rollout, or makes it suspicious, by `noa_mlops.ledger.drift_law`.
- A blocked rollout ends by what people decide, in its order (`noa_mlops.ledger.incident_law`).
- People may put a version in force against the gate's word, for a time (`noa_mlops.ledger.override_law`).
- People may bring a former champion back (`noa_mlops.ledger.rollback_law`) and take objects out of the evidence
  (`noa_mlops.ledger.redaction_law`), each by an act that a key of theirs signed.
- A deployment says which promoted version runs where (`noa_mlops.ledger.deploy_law`).
- Which policy may follow which, and who must have decided it, stands in `noa_mlops.ledger.trust_law`. Each line is
  judged by the policy in force at its index.

A type that is known to the policy but has no rule here is refused: what is not understood is not passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from noa_mlops.errors import PlanInvalid
from noa_mlops.evidence import (
    ED25519,
    KeyInvalid,
    PublicKey,
    SignedLine,
    StatementInvalid,
    leaf_hash,
    load_public,
    signed_by,
    split_line,
)
from noa_mlops.ledger.deploy_law import deployed
from noa_mlops.ledger.drift_law import scanned, shown_beside, unaccounted
from noa_mlops.ledger.entry import EntryInvalid, LedgerEntry, read_entry, read_sealed
from noa_mlops.ledger.incident_law import enabled, investigated
from noa_mlops.ledger.measuring_law import measured_again
from noa_mlops.ledger.override_law import overridden
from noa_mlops.ledger.redaction_law import redacted_object
from noa_mlops.ledger.rollback_law import rolled_back
from noa_mlops.ledger.state import LedgerState, Lifecycles, LifecycleState, PolicyInForce, VersionState, Waiting
from noa_mlops.ledger.trust_law import (
    ACTS_OF,
    TRUST,
    changed_policy,
    decides,
    policy_digest,
    policy_of,
    signers_of,
)
from noa_mlops.ledger.version_law import DECISION, WAITS, Refusal, follow_version, knows
from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.policy import Policy

GENESIS_FORMAT = 1
"""The version of the log's form, as genesis names it."""

DECIDING = frozenset(
    {
        "Genesis",
        "PromotionReady",
        "DriftScanned",
        "Investigated",
        "RolloutEnabled",
        "Overridden",
        "PolicyChanged",
        "Redacted",
        "RolledBack",
        "Deployed",
    }
)
"""Types after which the ledger is sealed before anybody is told."""


WRONG_SIGNATURE = "has a wrong signature"
"""Why a line is refused that its key did not sign."""


class Admission(NamedTuple):
    """A line that was admitted: what it says, and the state after it."""

    entry: LedgerEntry
    state: LedgerState


class Unsigned(NamedTuple):
    """A line that is admitted if ``key`` signed it: what it says, and the state after it."""

    entry: LedgerEntry
    state: LedgerState
    key: PublicKey


class _Claim(NamedTuple):
    """A line of the right form in its place, and the key that must have signed it."""

    entry: LedgerEntry
    signed: SignedLine
    key: PublicKey


def admit(state: LedgerState, line: bytes) -> LedgerState | Refusal:
    """The state after ``line`` (without newline), or why it may not follow ``state``."""
    result = examine(state, line)
    return result.state if isinstance(result, Admission) else result


def examine(state: LedgerState, line: bytes) -> Admission | Refusal:
    """Like `admit`, with the entry."""
    claim = _claim(state, line)
    if isinstance(claim, Refusal):
        return claim
    if not signed_by(claim.signed, claim.key):
        return Refusal(WRONG_SIGNATURE)
    after = follow(state, claim.entry)
    return Refusal(after.reason, authentic=True) if isinstance(after, Refusal) else Admission(claim.entry, after)


def examine_unsigned(state: LedgerState, line: bytes) -> Unsigned | Refusal:
    """Like `examine`, but whoever asks checks the signature, by the key that comes with the entry: nothing holds before.

    What is refused is refused for the reason that `examine` gives.
    """
    claim = _claim(state, line)
    if isinstance(claim, Refusal):
        return claim
    after = follow(state, claim.entry)
    if isinstance(after, Refusal):
        return Refusal(after.reason if signed_by(claim.signed, claim.key) else WRONG_SIGNATURE)
    return Unsigned(claim.entry, after, claim.key)


def admit_sealed(state: LedgerState, line: bytes) -> LedgerState | Refusal:
    """Like `admit`, but neither signature nor form is checked: only for lines that a checked checkpoint vouches for.

    The checkpoint is signed by a key that may sign lines, and its root covers every byte of every line.
    """
    try:
        entry = read_sealed(line, split_line(line))
    except (StatementInvalid, EntryInvalid) as error:
        return Refusal(str(error))
    return follow(state, entry)


def admit_together(state: LedgerState, lines: Sequence[bytes]) -> list[LedgerState] | None:
    """The state after each of ``lines``, of which only the last one's signature is checked; None: ask `admit` for each.

    What is signed names the digest of the line before, and so vouches for all that come before it. That is enough for
    lines that name the same key, for whoever could forge one of them could sign it.
    """
    try:
        keys = {split_line(line).keyid for line in lines}
    except StatementInvalid:
        return None
    states: list[LedgerState] = []
    for line in lines:
        after = admit_sealed(state, line) if len(states) + 1 < len(lines) else admit(state, line)
        if isinstance(after, Refusal):
            return None
        states.append(after)
        state = after
    return states if len(keys) == 1 else None


def read_authentic(policy: Policy, line: bytes) -> LedgerEntry | Refusal:
    """The entry in a line that a key of ``policy`` signed, or of the policy that a PolicyChanged brings.

    Neither its place in the chain is asked, nor who decided such a change.
    """
    try:
        signed = split_line(line)
        entry = read_entry(line, signed)
    except (StatementInvalid, EntryInvalid) as error:
        return Refusal(str(error))
    problem = _signature_problem(_judging(policy, entry), signed)
    return entry if problem is None else Refusal(problem)


def follow(state: LedgerState, entry: LedgerEntry) -> LedgerState | Refusal:
    """The state after ``entry``, whose signature has been checked or was just made, or why it may not follow."""
    problem = _chain_problem(state, entry)
    if problem is not None:
        return Refusal(problem)
    if state.policy is None:
        return _begin(state, entry)
    if entry.type in _ACTS:
        return _ACTS[entry.type](state, state.policy, entry)
    if not knows(entry.type) and entry.type != "DriftScanned":
        return Refusal(f"has the type {entry.type!r:.40}, which is not known to this version")
    if not state.policy.allows(entry.keyid, entry.type):
        return Refusal(f"is signed by a key that may not sign {entry.type}")
    apply = _scan if entry.type == "DriftScanned" else _apply
    changed = apply(state, entry)
    if isinstance(changed, Refusal):
        return changed
    return _extended(state, entry, state.lifecycles.put(entry.lifecycle_id or "", changed))


def follow_policy(state: LedgerState, entry: LedgerEntry) -> LedgerState | Refusal:
    """``state`` with the policy that a PolicyChanged puts in force, or why it does not.

    Nothing else of the state changes, and the entries in between are not asked for.
    """
    if (entry.lifecycle_id, entry.version, entry.status) != (None, None, None):
        return Refusal("is about a version, which a PolicyChanged cannot be")
    policy = changed_policy(state, entry)
    if isinstance(policy, Refusal):
        return policy
    return _in_force(state, entry, policy, since=entry.seq + 1)


def head_keys(policy: Policy, what: str) -> tuple[PublicKey, ...]:
    """The Ed25519 keys that may sign ``what``."""
    return tuple(load_public(record.public) for record in policy.keys_for(what) if record.scheme == ED25519)


def _extended(state: LedgerState, entry: LedgerEntry, lifecycles: Lifecycles) -> LedgerState:
    return LedgerState(
        size=state.size + 1,
        head=entry.digest,
        frontier=state.frontier.push(leaf_hash(entry.line)),
        origin=state.origin,
        policy=state.policy,
        policy_digest=state.policy_digest,
        lifecycles=lifecycles,
        decided=entry.seq if entry.type in DECIDING else state.decided,
        policies=state.policies,
        redacted=state.redacted,
    )


def _chain_problem(state: LedgerState, entry: LedgerEntry) -> str | None:
    if entry.seq != state.size:
        return f"has the number {entry.seq} in the place of {state.size}"
    if entry.prev != state.head:
        return "does not follow the line before it"
    return None


def _claim(state: LedgerState, line: bytes) -> _Claim | Refusal:
    """What a line says and who must have signed it, as far as it stands in its place."""
    try:
        signed = split_line(line)
    except StatementInvalid as error:
        return Refusal(str(error))
    try:
        entry = read_entry(line, signed)
    except EntryInvalid as error:
        return Refusal(str(error), authentic=_signature_problem(state.policy, signed) is None)
    problem = _chain_problem(state, entry)
    if problem is not None:
        return Refusal(problem)
    key = _signer(_judging(state.policy, entry), signed)
    return key if isinstance(key, Refusal) else _Claim(entry, signed, key)


def _signature_problem(policy: Policy | None, signed: SignedLine) -> str | None:
    key = _signer(policy, signed)
    if isinstance(key, Refusal):
        return key.reason
    return None if signed_by(signed, key) else WRONG_SIGNATURE


def _signer(policy: Policy | None, signed: SignedLine) -> PublicKey | Refusal:
    """Keys come from the policy alone; the line only says which one to try."""
    record = None if policy is None else policy.keys.get(signed.keyid)
    if record is None or record.scheme != ED25519:
        return Refusal(f"is signed by an unknown key, {signed.keyid[:16]}")
    try:
        return load_public(record.public)
    except KeyInvalid as error:
        return Refusal(f"is signed by a key that {error}")


def _judging(policy: Policy | None, entry: LedgerEntry) -> Policy | None:
    """The policy whose keys may have signed the line, where ``policy`` is in force.

    Genesis brings its own; a change of policy may be signed by a key that it names, for its act says who decided it.
    """
    brings_one = entry.type == "PolicyChanged" and policy is not None and entry.keyid not in policy.keys
    if policy is not None and not brings_one:
        return policy
    try:
        return Policy.from_document(entry.predicate.get("policy"))
    except PlanInvalid:
        return None


def _begin(state: LedgerState, entry: LedgerEntry) -> LedgerState | Refusal:
    """Genesis: the first policy, which lets the key sign that signed it."""
    if entry.type != "Genesis" or (entry.lifecycle_id, entry.version, entry.status) != (None, None, None):
        return Refusal("is not a genesis entry, as the first line must be")
    if entry.predicate_type != TRUST or entry.predicate.get("format") != GENESIS_FORMAT:
        return Refusal("has a format that is not known to this version")
    policy = policy_of(entry)
    if isinstance(policy, Refusal):
        return policy
    verifier = policy.roles.get("verifier")
    if verifier is None or entry.keyid not in verifier.keys or "Genesis" not in verifier.may or policy.revoked:
        return Refusal("is signed by a key that its own policy does not let sign it")
    return _extended(
        _in_force(replace(state, origin=f"{policy.name}/{entry.digest}"), entry, policy, since=0),
        entry,
        state.lifecycles,
    )


def _change_policy(state: LedgerState, _: Policy, entry: LedgerEntry) -> LedgerState | Refusal:
    after = follow_policy(state, entry)
    if isinstance(after, Refusal) or after.policy is None:
        return after
    return _extended(after, entry, _distrusting(state, after.policy))


def _redact(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LedgerState | Refusal:
    digest = redacted_object(state, policy, entry)
    if isinstance(digest, Refusal):
        return digest
    return replace(_extended(state, entry, state.lifecycles), redacted=state.redacted | {digest})


def _on_lifecycle(act: Callable[[LedgerState, Policy, LedgerEntry], LifecycleState | Refusal]) -> _Act:
    """An act that changes its lifecycle and nothing else."""

    def follow_act(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LedgerState | Refusal:
        lifecycle = act(state, policy, entry)
        if isinstance(lifecycle, Refusal):
            return lifecycle
        return _extended(state, entry, state.lifecycles.put(entry.lifecycle_id or "", lifecycle))

    return follow_act


_Act: TypeAlias = Callable[[LedgerState, Policy, LedgerEntry], LedgerState | Refusal]
_ACTS: Mapping[str, _Act] = {
    "PolicyChanged": _change_policy,
    "Redacted": _redact,
    "RolledBack": _on_lifecycle(rolled_back),
    "Investigated": _on_lifecycle(investigated),
    "RolloutEnabled": _on_lifecycle(enabled),
    "Overridden": _on_lifecycle(overridden),
    "Deployed": _on_lifecycle(deployed),
}
"""What people decide, each with the act inside."""


def _distrusting(state: LedgerState, after: Policy) -> Lifecycles:
    """The lifecycles when ``after`` revokes keys: blocked, where the champion rests on an entry not trusted any more."""
    before = state.policy.revoked if state.policy is not None else {}
    fresh = {keyid: last for keyid, last in after.revoked.items() if keyid not in before}
    if not fresh:
        return state.lifecycles
    promoted = [last for keyid, last in fresh.items() if decides(state, keyid, "PromotionReady")]
    crowning = (ACTS_OF["RolledBack"], ACTS_OF["RolloutEnabled"], ACTS_OF["Overridden"])
    brought_back = [last for keyid, last in fresh.items() if any(decides(state, keyid, act) for act in crowning)]
    lifecycles = state.lifecycles
    for name, lifecycle in state.lifecycles.items():
        if _rests_on(lifecycle, promoted, brought_back):
            lifecycles = lifecycles.put(name, replace(lifecycle, rollout="blocked", override=None))
    return lifecycles


def _rests_on(lifecycle: LifecycleState, promoted: Sequence[int], brought_back: Sequence[int]) -> bool:
    """Whether the champion was promoted, or brought back by an act, after an entry that was the last one trusted."""
    if lifecycle.champion is None or lifecycle.crowned is None:
        return False
    decided = lifecycle.versions[lifecycle.champion].last_seq
    by_act = lifecycle.crowned != decided
    return any(decided > last for last in promoted) or (
        by_act and any(lifecycle.crowned > last for last in brought_back)
    )


def _in_force(state: LedgerState, entry: LedgerEntry, policy: Policy, since: int) -> LedgerState:
    """With ``policy`` in force from index ``since`` on."""
    place = PolicyInForce(since, policy, leaf_hash(entry.line).hex(), signers_of(entry))
    policies = (*state.policies, place)
    return replace(state, policy=policy, policy_digest=policy_digest(policy), policies=policies)


def _apply(state: LedgerState, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle of ``entry`` after it: the law of its version, and its place among the other versions."""
    if entry.lifecycle_id is None or entry.version is None:
        return Refusal("names no version")
    lifecycle = state.lifecycle(entry.lifecycle_id)
    before = lifecycle.versions.find(entry.version)
    if entry.type == "Submitted" and entry.version != lifecycle.next_version:
        return Refusal(f"takes the number {entry.version}, but the next is {lifecycle.next_version}")
    if entry.type != "Submitted" and before is None:
        return Refusal(f"is about version {entry.version}, which was never submitted")
    if before is not None and entry.type == "EvaluationLogged" and not before.on_its_way:
        again = measured_again(lifecycle, before, entry)
        return again if isinstance(again, Refusal) else _looked(again, entry)
    version = follow_version(before, entry)
    if isinstance(version, Refusal):
        return version
    if entry.type == "PromotionReady":
        return _decide(lifecycle, version, entry)
    if entry.type != "EvaluationLogged":
        return lifecycle.with_version(version)
    seen = shown_beside(version, entry)
    return seen if isinstance(seen, Refusal) else _looked(lifecycle.with_version(seen), entry)


def _looked(lifecycle: LifecycleState, entry: LedgerEntry) -> LifecycleState | Refusal:
    """One look more at a challenger of this champion; an entry that counts differently would pass by an easier rule."""
    look = entry.predicate.get("look", lifecycle.looks + 1)
    if type(look) is not int or look != lifecycle.looks + 1:
        return Refusal(f"is the look {look!r:.20}, but the next is {lifecycle.looks + 1}")
    return replace(lifecycle, looks=look)


def _scan(state: LedgerState, entry: LedgerEntry) -> LifecycleState | Refusal:
    if entry.lifecycle_id is None:
        return Refusal("names no lifecycle")
    return scanned(state.lifecycle(entry.lifecycle_id), entry)


def _decide(lifecycle: LifecycleState, version: VersionState, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle after a decision that its version allows."""
    if not _same(entry.predicate[DECISION]["replaces"], lifecycle.champion):
        return Refusal(f"was decided against another champion than {lifecycle.champion}")
    if unaccounted(lifecycle, lifecycle.versions[version.version]):
        return Refusal("decides although the champion's metrics dropped on the same data, and no scan says so")
    leaf = leaf_hash(entry.line).hex()
    decided = replace(lifecycle.with_version(version), deciding=entry.seq, answerable=leaf)
    if version.status == "held" and not WAITS.isdisjoint(entry.predicate[DECISION]["reasons"]):
        asked = entry.predicate[DECISION].get("approvals")
        rule = ApprovalRule() if asked is None else ApprovalRule.from_document(asked)
        by_drift = entry.predicate[DECISION]["reasons"] == ["drift"]
        waits = Waiting(lifecycle.champion, rule, by_drift=by_drift)
        return replace(decided, waiting={**decided.waiting, version.version: waits})
    if version.status != "champion":
        return decided
    if lifecycle.admits == "blocked":
        return Refusal("promotes although the rollout is blocked")
    return replace(decided.crowned_by(entry.seq, version), rollout="ready")


def _same(replaces: object, champion: int | None) -> bool:
    return type(replaces) is type(champion) and replaces == champion
