"""The state of a project as plain documents: what `noa status` and `noa show` print, in JSON or in words.

Readers see what is sealed; a run that is on its way shows as running, or as interrupted when no process has it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from noa_mlops.agents import is_owned
from noa_mlops.audit.incidents import next_step
from noa_mlops.audit.measured import measured_view
from noa_mlops.errors import LedgerTampered, NotFound
from noa_mlops.evidence import SignedAct
from noa_mlops.ledger import LedgerEntry, LedgerReader, LifecycleState, VersionState
from noa_mlops.ledger.ledger import now
from noa_mlops.ledger.state import Override
from noa_mlops.ledger.trust_law import read_decision, signers_of
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import DECISION, RUN
from noa_mlops.records.layout import address
from noa_mlops.records.proven import proven_document
from noa_mlops.records.search import MAX_TABLE

MAX_PLAN = 4 << 20
"""Largest plan that is read, in bytes; its file was smaller than a quarter of that."""

_Begun: TypeAlias = Mapping[tuple[str, int], dict[str, Any]]
"""Versions, by lifecycle and number, that nothing sealed speaks of yet."""


def project_view(ledger: LedgerReader) -> dict[str, Any]:
    """The whole project: origin, solo mode, and each lifecycle in short."""
    state, begun = ledger.state, _begun(ledger)
    names = sorted({*state.lifecycles, *(name for name, _ in begun)})
    return {
        "origin": ledger.origin,
        "solo_mode": state.policy is not None and state.policy.solo_mode,
        "entries": state.size,
        "lifecycles": [_lifecycle_view(ledger, begun, name, newest=5) for name in names],
    }


def lifecycle_view(ledger: LedgerReader, lifecycle_id: str) -> dict[str, Any]:
    """One lifecycle: champion with what it was promoted on, rollout, versions, newest first. Raises `NotFound`."""
    view = _lifecycle_view(ledger, _begun(ledger), lifecycle_id, newest=None)
    if (champion := view["champion"]) is not None:
        champion.update(_grounds(ledger, ledger.history(lifecycle_id, champion["version"])))
        champion["since"] = _since(ledger, ledger.state.lifecycle(lifecycle_id).crowned or 0)
        champion["proven"] = proven_document(ledger.state.lifecycle(lifecycle_id).proven)
    return view


def _lifecycle_view(ledger: LedgerReader, begun: _Begun, lifecycle_id: str, newest: int | None) -> dict[str, Any]:
    lifecycle = ledger.state.lifecycle(lifecycle_id)
    running = [view for (name, _), view in begun.items() if name == lifecycle_id]
    versions = [*(_version(ledger, lifecycle, version) for version in lifecycle.versions.values()), *running]
    if not versions:
        raise NotFound(f"there is no lifecycle {lifecycle_id!r} here")
    champion = lifecycle.versions[lifecycle.champion] if lifecycle.champion is not None else None
    return {
        "lifecycle_id": lifecycle_id,
        "champion": _version(ledger, lifecycle, champion) if champion is not None else None,
        "rollout": _rollout(ledger, lifecycle),
        "versions": versions[::-1][:newest],
    }


def deployed_view(ledger: LedgerReader, lifecycle: LifecycleState) -> list[dict[str, Any]]:
    """What runs where, by target: which version, recorded when, by which keys, and whether it is the champion."""
    told = []
    for target, made in sorted(lifecycle.deployed.items()):
        entry = ledger.entry(made.seq)
        told.append(
            {
                "target": target,
                "version": made.version,
                "checksum": entry.checksum,
                "entry": made.seq,
                "ts": entry.ts,
                "by": sorted(signers_of(entry)),
                "champion": made.version == lifecycle.champion,
            }
        )
    return told


def _rollout(ledger: LedgerReader, lifecycle: LifecycleState) -> dict[str, Any]:
    """Whether the champion may be rolled out now, by whose word, and how far the way out of an incident has been gone."""
    incident, opened = lifecycle.incident, None
    if incident is not None:
        step = next_step(ledger, ledger.entry(incident.seq).lifecycle_id or "", lifecycle)
        opened = {"entry": incident.seq, "investigated": incident.investigated, "next": list(step.commands)}
    return {
        "status": lifecycle.rollout_at(now()),
        "incident": opened,
        "suspect": lifecycle.suspicion is not None,
        "override": None if lifecycle.override is None else override_view(ledger, lifecycle.override),
        "deployed": deployed_view(ledger, lifecycle),
    }


def override_view(ledger: LedgerReader, override: Override, moment: str | None = None) -> dict[str, Any]:
    """By whose word the champion is in force, why, and until when; ``moment`` is now when it is not given."""
    act = read_decision(ledger.entry(override.seq))
    reason = act.act.reason if isinstance(act, SignedAct) else None
    return {
        "entry": override.seq,
        "version": override.version,
        "expires": override.expires,
        "expired": (moment or now()) >= override.expires,
        "by": sorted(act.signers) if isinstance(act, SignedAct) else [],
        "reason": words_of(ledger, reason),
    }


def words_of(ledger: LedgerReader, reason: str | None) -> str:
    """The text of a reason, by the digest of its object."""
    if reason is None or reason in ledger.state.redacted:
        return "(redacted)"
    return str(parse_object(ledger.get_object(reason), limit=MAX_PLAN)["text"])


def version_view(ledger: LedgerReader, lifecycle_id: str, version: int) -> dict[str, Any]:
    """One version with everything its entries say, and those entries by index. Raises `NotFound`."""
    versions = {view["version"]: view for view in lifecycle_view(ledger, lifecycle_id)["versions"]}
    if version not in versions:
        raise NotFound(f"there is no {address(lifecycle_id, version)}; the newest is @{max(versions)}")
    lifecycle = ledger.state.lifecycle(lifecycle_id)
    rollout = _rollout(ledger, lifecycle)
    override = rollout["override"]
    view = {
        "lifecycle_id": lifecycle_id,
        **versions[version],
        "rollout": rollout["status"],
        "override": override if override is not None and override["version"] == version else None,
        "measured_again": _measured_again(ledger, lifecycle, version),
        "entries": [],
    }
    history = ledger.history(lifecycle_id, version)
    for entry in history:
        view["entries"].append({"seq": entry.seq, "type": entry.type, "ts": entry.ts, "keyid": entry.keyid})
        view.update(_told(entry))
    measured = next((entry for entry in reversed(history) if entry.type == "EvaluationLogged"), None)
    if measured is not None:
        view["evaluation"].update(measured_view(measured, view.get("decision", {}).get("thresholds", {})))
    view["search"] = _searched(ledger, view.get("training", {}).get("search"))
    if history:
        view["notes"] = _notes(ledger, view["plan_digest"])
    if "decision" in view:
        view["no_gate"] = _grounds(ledger, history)["no_gate"]
    return view


def _searched(ledger: LedgerReader, found: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What a search found, with all ``trials`` and the ``importance`` of what it tried; None when nothing was searched for.

    Of a table that is not there any more, its trials are None.
    """
    if found is None:
        return None
    try:
        table = parse_object(ledger.get_object(found["table"]), limit=MAX_TABLE)
    except LedgerTampered:
        return {**found, "trials": None, "importance": {}}
    return {**found, "trials": table["trials"], "importance": table["importance"]}


def _notes(ledger: LedgerReader, plan: str) -> str | None:
    """What the author of a plan noted; None when nothing, or when the plan is not there any more."""
    if plan in ledger.state.redacted:
        return None
    try:
        evaluation = parse_object(ledger.get_object(plan), limit=MAX_PLAN).get("evaluation")
    except LedgerTampered:
        return None
    return None if not isinstance(evaluation, Mapping) or not evaluation.get("notes") else str(evaluation["notes"])


def _measured_again(ledger: LedgerReader, lifecycle: LifecycleState, version: int) -> dict[str, Any] | None:
    """The newest measurement after the decision, beside the champion of now; None when there is none."""
    again = lifecycle.measured.get(version)
    if again is None:
        return None
    entry = ledger.entry(again.seq)
    told = {name: entry.predicate[name] for name in ("metrics", "rows", "dataset", "verdict", "look")}
    return {"entry": entry.seq, "ts": entry.ts, **told}


def _grounds(ledger: LedgerReader, history: Sequence[LedgerEntry]) -> dict[str, Any]:
    """What the last entry of a decided version rests on; ``no_gate`` is why its plan declares none, else None."""
    decision = history[-1].predicate[DECISION]
    plan = history[0].predicate["plan"]["digest"]["sha256"]
    reason = None
    if decision["gate"] == "none":
        forgotten = plan in ledger.state.redacted
        reason = (
            "(redacted)" if forgotten else parse_object(ledger.get_object(plan), limit=MAX_PLAN)["evaluation"]["reason"]
        )
    return {"metrics": decision["metrics"], "thresholds": decision["thresholds"], "no_gate": reason}


def _since(ledger: LedgerReader, seq: int) -> dict[str, Any]:
    """The entry that made the champion the champion."""
    entry = ledger.entry(seq)
    return {"seq": entry.seq, "type": entry.type, "ts": entry.ts}


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
            measured = {name: predicate[name] for name in (*told, "dataset", "positive", RUN)}
            more = ("overlap", "slices", "group_by", "evaluator")
            return {"evaluation": measured | {name: predicate.get(name) for name in more}}
        case "EvaluationFailed":
            return {"failure": _failure(predicate)}
        case "PromotionReady":
            return {"decision": predicate[DECISION], "decided_by": entry.keyid}
        case _:
            return {}


def _failure(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"cause": facts["cause"], "message": facts["message"]}


def _begun(ledger: LedgerReader) -> _Begun:
    """The versions that began after the newest checkpoint; all that is told of them is whether they are running."""
    return {
        (entry.lifecycle_id, entry.version): {
            "version": entry.version,
            "state": _liveness(ledger, entry.predicate["agent_id"]),
            "profile": entry.predicate["profile"],
            "agent_id": entry.predicate["agent_id"],
            "plan_digest": entry.predicate["plan"]["digest"]["sha256"],
            "checksum": None,
            "approvals": None,
        }
        for entry in ledger.pending
        if entry.type == "Submitted" and entry.lifecycle_id is not None and entry.version is not None
    }


def _version(ledger: LedgerReader, lifecycle: LifecycleState, version: VersionState) -> dict[str, Any]:
    awaited = lifecycle.awaited(version.version)
    return {
        "version": version.version,
        "state": _liveness(ledger, version.agent_id) if version.on_its_way else version.status,
        "approvals": None if awaited is None else awaited.to_document(),
        "profile": version.profile,
        "agent_id": version.agent_id,
        "plan_digest": version.plan_digest,
        "checksum": version.checksum,
    }


def _liveness(ledger: LedgerReader, agent: str) -> str:
    """What a version without an end is: the kernel knows whether a process owns its workspace."""
    return "running" if is_owned(ledger.layout.workspace(agent)) else "interrupted"
