"""The law of overrides: an operator may put a version in force for a time, against what the gate or a scan said.

- The version was measured again after its decision, and after the scan that blocks the rollout, so that nobody overrides
  what they have not looked at. It is in the store.
- The act says until when, at most `LONGEST` days ahead, and answers the newest deciding entry of the lifecycle.
- The rollout is ready until then, and blocked from then on; the version stays the champion. An incident stays open.

A version that passes ends it, as does an operator who enables a version or rolls back; an incident that opens later ends it too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from noa_mlops.evidence import leaf_hash
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LedgerState, LifecycleState, Override, VersionState
from noa_mlops.ledger.trust_law import act_problem, decides, read_decision, version_scope
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.policy import Policy

LONGEST = 90
"""Most days that an override may last."""

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


def override_scope(lifecycle_id: str, version: int, checksum: str, expires: str) -> dict[str, object]:
    """What an act decides that puts a version in force for a time: which one, its bytes, and until when."""
    return {**version_scope(lifecycle_id, version, checksum), "expires": expires}


def overridden(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle with a version in force by an operator's word, or why it may not be."""
    lifecycle_id = entry.lifecycle_id or ""
    lifecycle = state.lifecycle(lifecycle_id)
    target = lifecycle.versions.find(entry.version or 0)
    if target is None or lifecycle.answerable is None:
        return Refusal("overrides for a version that there is not")
    signed = read_decision(entry)
    if isinstance(signed, Refusal):
        return signed
    expires = signed.act.scope.get("expires")
    if not isinstance(expires, str) or (problem := expiry_problem(expires, entry.ts)) is not None:
        return Refusal("does not say until when" if not isinstance(expires, str) else str(problem))
    scope = override_scope(lifecycle_id, target.version, target.checksum or "", expires)
    problem = (
        overriding_problem(state, lifecycle, target)
        or ("is about other bytes than those that were measured" if entry.checksum != target.checksum else None)
        or act_problem(state, policy, entry, scope, lifecycle.answerable)
    )
    return Refusal(problem) if problem is not None else _in_force(lifecycle, target, entry, expires)


def overriding_problem(state: LedgerState, lifecycle: LifecycleState, target: VersionState) -> str | None:
    """Why a version cannot be put in force by an override now, as the end of a sentence."""
    blocked = target.status == "champion" and lifecycle.rollout == "blocked"
    if not blocked and target.status not in ("rejected", "inconclusive", "held"):
        return f"overrides for a version that is {target.status}: nothing stands in its way, or nothing was made"
    again, incident = lifecycle.measured.get(target.version), lifecycle.incident
    if again is None or target.named is None:
        return "overrides for a version that was not measured again after its decision, beside the champion of now"
    if incident is not None and again.seq < incident.seq:
        return "overrides for a version that was not measured again after the scan that blocks the rollout"
    revoked = state.policy.revoked if state.policy is not None else {}
    if any(again.seq > last for keyid, last in revoked.items() if decides(state, keyid, "EvaluationLogged")):
        return "overrides for a version that was measured by a key that is not trusted any more"
    return None


def expiry_problem(expires: str, since: str) -> str | None:
    """Why an override cannot last until ``expires`` when it is recorded at ``since``, both RFC 3339 in UTC."""
    if _TIME.fullmatch(expires) is None:
        return "says until when in another form than RFC 3339 in UTC, to the millisecond"
    try:
        lasts = datetime.fromisoformat(expires) - datetime.fromisoformat(since)
    except ValueError:
        return "says until when by a time that there is not"
    if lasts <= timedelta(0):
        return f"expired at {expires}, before it was recorded"
    return None if lasts <= timedelta(days=LONGEST) else f"lasts longer than {LONGEST} days"


def _in_force(lifecycle: LifecycleState, target: VersionState, entry: LedgerEntry, expires: str) -> LifecycleState:
    before = lifecycle.rollout if lifecycle.override is None else lifecycle.override.before
    crowned = lifecycle if target.version == lifecycle.champion else lifecycle.crowned_by(entry.seq, target)
    return replace(
        crowned,
        rollout="blocked",
        override=Override(entry.seq, target.version, expires, before),
        deciding=entry.seq,
        answerable=leaf_hash(entry.line).hex(),
    )
