"""The law of the way back: an operator may make a version the champion again that was it before.

The act names the lifecycle, the version and its bytes, and answers the newest deciding entry of the lifecycle: so it was
decided in sight of what is in force, and counts once. The rollout stays as it is: what was blocked stays blocked, and an override ends. Approvals of versions that wait lapse, as at every change of the champion.
"""

from __future__ import annotations

from dataclasses import replace

from noa_mlops.evidence import leaf_hash
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LedgerState, LifecycleState, VersionState
from noa_mlops.ledger.trust_law import act_problem, decides, version_scope
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.policy import Policy


def rolled_back(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle after its champion was rolled back, or why it may not be."""
    lifecycle_id = entry.lifecycle_id or ""
    lifecycle = state.lifecycle(lifecycle_id)
    target = lifecycle.versions.find(entry.version or 0)
    if target is None or lifecycle.champion is None or lifecycle.answerable is None:
        return Refusal("goes back to a version that there is not")
    scope = version_scope(lifecycle_id, target.version, target.checksum or "")
    problem = target_problem(state, policy, target, entry.checksum) or act_problem(
        state, policy, entry, scope, lifecycle.answerable
    )
    return _brought_back(lifecycle, target, entry) if problem is None else Refusal(problem)


def target_problem(state: LedgerState, policy: Policy, target: VersionState, checksum: str | None) -> str | None:
    """Why a version cannot be the champion again."""
    if target.status != "former":
        return f"goes back to a version that is {target.status}, not a champion of former days"
    if checksum != target.checksum:
        return "is about other bytes than those that were promoted"
    if any(target.last_seq > last for keyid, last in policy.revoked.items() if decides(state, keyid, "PromotionReady")):
        return "goes back to a version that was promoted by a key that is not trusted any more"
    return None


def _brought_back(lifecycle: LifecycleState, target: VersionState, entry: LedgerEntry) -> LifecycleState:
    waiting = {number: replace(waits, approved=frozenset()) for number, waits in lifecycle.waiting.items()}
    return replace(
        lifecycle.crowned_by(entry.seq, target),
        deciding=entry.seq,
        answerable=leaf_hash(entry.line).hex(),
        rollout=lifecycle.admits,
        waiting=waiting,
    )
