"""The state of a project as plain documents: what `noa status` and `noa show` print, in JSON or in words.

Readers see what is sealed; a run that is on its way shows as running and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.errors import NotFound
from noa_mlops.ledger import LedgerEntry, LedgerReader, LifecycleState, VersionState
from noa_mlops.records.events import DECISION, RUN
from noa_mlops.records.layout import address


def project_view(ledger: LedgerReader) -> dict[str, Any]:
    """The whole project: origin, solo mode, and each lifecycle in short."""
    state = ledger.state
    return {
        "origin": ledger.origin,
        "solo_mode": state.policy is not None and state.policy.solo_mode,
        "entries": state.size,
        "lifecycles": [lifecycle_view(ledger, name, full=False) for name in sorted(state.lifecycles)],
    }


def lifecycle_view(ledger: LedgerReader, lifecycle_id: str, *, full: bool = True) -> dict[str, Any]:
    """One lifecycle: champion, rollout, and its versions, newest first. Raises `NotFound`."""
    lifecycle = _lifecycle(ledger, lifecycle_id)
    versions = sorted(lifecycle.versions.values(), key=lambda version: -version.version)
    champion = lifecycle.versions[lifecycle.champion] if lifecycle.champion is not None else None
    return {
        "lifecycle_id": lifecycle_id,
        "champion": _version(champion) if champion is not None else None,
        "rollout": {"status": lifecycle.rollout},
        "versions": [_version(version) for version in (versions if full else versions[:5])],
    }


def version_view(ledger: LedgerReader, lifecycle_id: str, version: int) -> dict[str, Any]:
    """One version with everything its entries say, and those entries by index. Raises `NotFound`."""
    lifecycle = _lifecycle(ledger, lifecycle_id)
    if version not in lifecycle.versions:
        newest = max(lifecycle.versions, default=0)
        raise NotFound(f"there is no {address(lifecycle_id, version)}; the newest is @{newest}")
    known = lifecycle.versions[version]
    view = {"lifecycle_id": lifecycle_id, **_version(known), "rollout": lifecycle.rollout, "entries": []}
    for entry in ledger.history(lifecycle_id, version):
        view["entries"].append({"seq": entry.seq, "type": entry.type, "ts": entry.ts, "keyid": entry.keyid})
        view.update(_told(entry))
    return view


def _told(entry: LedgerEntry) -> Mapping[str, Any]:
    """What one entry adds to the view of its version."""
    predicate = entry.predicate
    match entry.type:
        case "Submitted":
            return {
                "submitted": {"plan": predicate["plan"], "datasets": predicate["datasets"], "code": predicate["code"]}
            }
        case "TrainingCompleted":
            return {"training": predicate[RUN]}
        case "TrainingFailed":
            return {"training": predicate[RUN], "failure": _failure(predicate[RUN])}
        case "EvaluationLogged":
            told = ("task", "metrics", "not_computed", "rows", "missing_predictions", "missing_labels", "unseen_labels")
            return {"evaluation": {name: predicate[name] for name in (*told, "dataset", "positive", RUN)}}
        case "EvaluationFailed":
            return {"failure": _failure(predicate)}
        case "PromotionReady":
            return {"decision": predicate[DECISION], "decided_by": entry.keyid}
        case _:
            return {}


def _failure(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"cause": facts["cause"], "message": facts["message"]}


def _lifecycle(ledger: LedgerReader, lifecycle_id: str) -> LifecycleState:
    found = ledger.state.lifecycles.get(lifecycle_id)
    if found is None:
        raise NotFound(f"there is no lifecycle {lifecycle_id!r} here")
    return found


def _version(version: VersionState) -> dict[str, Any]:
    return {
        "version": version.version,
        "state": "running" if version.on_its_way else version.status,
        "profile": version.profile,
        "agent_id": version.agent_id,
        "plan_digest": version.plan_digest,
        "checksum": version.checksum,
    }
