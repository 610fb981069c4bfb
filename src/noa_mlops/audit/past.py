"""Which model was in force then, who decided it, and on which data: the ledger, read up to a moment.

Entries carry the time of the runtime's clock, so an answer is as exact as that clock was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.audit.views import override_view, words_of
from noa_mlops.errors import NotFound
from noa_mlops.evidence import SignedAct
from noa_mlops.ledger import LedgerEntry, LedgerReader, LedgerState, LifecycleState
from noa_mlops.ledger.trust_law import read_decision
from noa_mlops.records.events import DECISION


def lifecycle_then(ledger: LedgerReader, lifecycle_id: str, moment: str) -> dict[str, Any]:
    """One lifecycle as it was at ``moment``, RFC 3339 in UTC to the millisecond, by all entries up to then.

    Raises `NotFound` when there was no such lifecycle yet, `LedgerTampered` for lines that are not what they were.
    """
    last, state = None, LedgerState()
    for entry, after in ledger.known_entries():
        if entry.ts > moment:
            break
        last, state = entry, after
    lifecycle = state.lifecycles.find(lifecycle_id)
    if last is None or lifecycle is None:
        raise NotFound(
            f"nothing was recorded of {lifecycle_id!r:.80} up to {moment}",
            hint="Entries carry the time of the runtime's clock; 'noa show' lists them.",
        )
    override = lifecycle.override
    return {
        "lifecycle_id": lifecycle_id,
        "at": moment,
        "entry": {"seq": last.seq, "ts": last.ts},
        "champion": _champion(ledger, state, lifecycle),
        "rollout": {
            "status": lifecycle.rollout_at(moment),
            "incident": None if lifecycle.incident is None else lifecycle.incident.seq,
            "override": None if override is None else override_view(ledger, override, moment),
        },
        "versions": len(lifecycle.versions),
    }


def _champion(ledger: LedgerReader, state: LedgerState, lifecycle: LifecycleState) -> dict[str, Any] | None:
    """The version in force, with what it rested on and who put it in force."""
    if lifecycle.champion is None or lifecycle.crowned is None:
        return None
    version = lifecycle.versions[lifecycle.champion]
    submitted, decision = ledger.entry(version.seqs[0]), ledger.entry(version.seqs[-1])
    return {
        "version": version.version,
        "profile": version.profile,
        "checksum": version.checksum,
        "plan_digest": version.plan_digest,
        "datasets": submitted.predicate["datasets"],
        "metrics": decision.predicate[DECISION]["metrics"],
        "thresholds": decision.predicate[DECISION]["thresholds"],
        "decided": _decided(ledger, state, ledger.entry(lifecycle.crowned)),
    }


def _decided(ledger: LedgerReader, state: LedgerState, entry: LedgerEntry) -> Mapping[str, Any]:
    """Who put a version in force: the runtime by a decision of the gate, or people by an act, and why."""
    signed = read_decision(entry) if "act" in entry.predicate else None
    act = signed if isinstance(signed, SignedAct) else None
    keys = [entry.keyid] if act is None else sorted(act.signers)
    return {
        "seq": entry.seq,
        "type": entry.type,
        "ts": entry.ts,
        "by": [{"key": key, "roles": _roles(state, entry.seq, key)} for key in keys],
        "reason": None if act is None else words_of(ledger, act.act.reason),
    }


def _roles(state: LedgerState, seq: int, key: str) -> list[str]:
    policy = state.policy_at(seq)
    return [] if policy is None else [name for name, role in policy.roles.items() if key in role.keys]
