"""The law for the entries of one version, as far as they show it by themselves.

Submitted comes first, then TrainingCompleted or TrainingFailed; then EvaluationLogged or EvaluationFailed; then, unless it
is measured once more because the champion changed meanwhile, PromotionReady, which without a measurement must say that there is no gate, or EvaluationFailed when the measured bytes
are gone. Nothing follows a failure or a decision. From training on, every entry names the same bytes. A decision names
the champion that it replaces; ready needs a verdict that passes or a declared lack of a gate.

What only the other entries of the log can show is not asked here: that the number was the next one, that the champion
named was the champion, that the rollout was open. `noa_mlops.ledger.law` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import VersionState, VersionStatus
from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.documents import is_digest
from noa_mlops.records.names import name_problem
from noa_mlops.records.proven import NOTHING_PROVEN, read_proven

LIFECYCLE = "noa:lifecycle/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"

DECISION = "noa:decision"
"""The member of a verification summary that holds our decision."""

REASONS = frozenset({"threshold", "champion", "hygiene", "inconclusive", "drift", "approval", "no_gate"})
"""Why a decision blocks, or promotes without a gate."""

WAITS = frozenset({"drift", "approval"})
"""Why a version that is held waits for somebody to enable it: the rollout is blocked, or people have to approve."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a line is not admitted, as the end of a sentence that begins with the line.

    ``authentic`` when it was signed for this very place by a key of the policy: such a line was not torn by a
    crash but written on purpose, perhaps by a newer version.
    """

    reason: str
    authentic: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an entry of a type looks like, and which states of its version it may follow."""

    predicate_type: str
    follows: frozenset[VersionStatus]
    statuses: frozenset[str | None] = frozenset({None})


_RULES: Mapping[str, _Rule] = {
    "Submitted": _Rule(LIFECYCLE, frozenset()),
    "TrainingCompleted": _Rule(PROVENANCE, frozenset({"submitted"})),
    "TrainingFailed": _Rule(PROVENANCE, frozenset({"submitted"}), frozenset({None, "failed"})),
    "EvaluationLogged": _Rule(LIFECYCLE, frozenset({"trained", "evaluated"})),
    "EvaluationFailed": _Rule(LIFECYCLE, frozenset({"trained", "evaluated"}), frozenset({None, "failed"})),
    "PromotionReady": _Rule(VERIFICATION_SUMMARY, frozenset({"trained", "evaluated"}), frozenset({"ready", "blocked"})),
}

_BECOMES: Mapping[str, VersionStatus] = {
    "TrainingCompleted": "trained",
    "TrainingFailed": "failed",
    "EvaluationLogged": "evaluated",
    "EvaluationFailed": "failed",
}


def knows(entry_type: str) -> bool:
    """Whether there is a rule for entries of this type."""
    return entry_type in _RULES


def follow_version(before: VersionState | None, entry: LedgerEntry) -> VersionState | Refusal:
    """The state of a version after its next ``entry``; ``before`` is None when there is none yet."""
    rule = _RULES.get(entry.type)
    if rule is None:
        return Refusal(f"has the type {entry.type!r:.40}, which is not known to this version")
    if entry.predicate_type != rule.predicate_type or entry.status not in rule.statuses:
        return Refusal(f"has a predicate type or a status that {entry.type} cannot have")
    if entry.type == "Submitted" and before is None:
        return _submitted(entry)
    if before is None or before.status not in rule.follows:
        return Refusal(f"cannot follow: version {entry.version} is {'new' if before is None else before.status}")
    if before.checksum is not None and entry.checksum != before.checksum:
        return Refusal("is about other bytes than those that were trained")
    if entry.type == "PromotionReady":
        return _decided(before, entry)
    checksum = entry.checksum if entry.type == "TrainingCompleted" else before.checksum
    after = before.after(entry.seq, _BECOMES[entry.type], checksum)
    return replace(after, data=_measured_on(entry)) if entry.type == "EvaluationLogged" else after


def _submitted(entry: LedgerEntry) -> VersionState | Refusal:
    plan, profile, agent_id = (entry.predicate.get(name) for name in ("plan", "profile", "agent_id"))
    digests = plan.get("digest") if isinstance(plan, dict) else None
    plan_digest = digests.get("sha256") if isinstance(digests, dict) else None
    if entry.version is None:
        return Refusal("names no version")
    if not is_digest(plan_digest):
        return Refusal("names no plan by its digest")
    if not isinstance(profile, str) or name_problem(profile) is not None or not isinstance(agent_id, str):
        return Refusal("names no profile or no agent")
    return VersionState(
        version=entry.version,
        status="submitted",
        profile=intern(profile),  # many versions share plan and profile: a long log keeps each once
        agent_id=agent_id,
        plan_digest=intern(str(plan_digest)),
        checksum=None,
        seqs=(entry.seq,),
    )


def _measured_on(entry: LedgerEntry) -> str | None:
    """The fingerprint of the data of a measurement, None when it names none."""
    dataset = entry.predicate.get("dataset")
    fingerprint = dataset.get("fingerprint") if isinstance(dataset, dict) else None
    return intern(fingerprint) if isinstance(fingerprint, str) else None


def _decided(before: VersionState, entry: LedgerEntry) -> VersionState | Refusal:
    decision = entry.predicate.get(DECISION)
    problem = _decision_problem(before, entry, decision if isinstance(decision, dict) else {})
    if problem is not None:
        return Refusal(problem)
    status: VersionStatus = "champion" if entry.status == "ready" else _blocked_as(entry.predicate[DECISION])
    proven = read_proven(entry.predicate[DECISION].get("proven", {}))
    named = None if entry.predicate[DECISION].get("artifact") is None else entry.seq
    passed = entry.predicate[DECISION]["verdict"] == "pass"
    after = before.after(entry.seq, status, before.checksum)
    return replace(after, named=named, proven=proven or NOTHING_PROVEN, passed=passed)


def _decision_problem(before: VersionState, entry: LedgerEntry, decision: Mapping[str, Any]) -> str | None:
    verdict, reasons = decision.get("verdict"), decision.get("reasons")
    if verdict not in ("pass", "fail", "inconclusive") or decision.get("status") != entry.status:
        return "holds no decision, or another than its status says"
    if not isinstance(reasons, list) or not all(isinstance(reason, str) and reason in REASONS for reason in reasons):
        return "gives reasons that are not known to this version"
    if "replaces" not in decision or not _is_champion(decision["replaces"], entry.version):
        return "names as the champion that it replaces what can be none"
    if "approvals" in decision and not _asks(decision["approvals"], entry.status):
        return "asks for approvals in a form that is not known to this version"
    if before.status == "trained" and "no_gate" not in reasons:
        return "decides without a measurement although there is a gate"
    if entry.predicate.get("verificationResult") == "PASSED" and verdict != "pass":
        return "says PASSED although the verdict does not pass"
    if _proves_nothing(decision.get("proven", {})):
        return "names proven gains that are none"
    if entry.status == "blocked":
        return None if reasons else "blocks without a reason"
    if verdict == "fail" or (verdict == "inconclusive" and "no_gate" not in reasons):
        return "promotes although the verdict does not pass"
    return None


def _asks(approvals: object, status: str | None) -> bool:
    """Whether a decision asks for approvals in their one form; one that is ready has nothing to ask for."""
    try:
        return status == "blocked" and ApprovalRule.from_document(approvals).to_document() == approvals
    except ValueError:
        return False


def _proves_nothing(proven: object) -> bool:
    """Whether what a decision says to be proven is nothing that can be; decisions of older versions say nothing."""
    try:
        read_proven(proven)
    except ValueError:
        return True
    return False


def _is_champion(replaces: object, version: int | None) -> bool:
    """Whether a decision about ``version`` can replace this: another version, or nothing."""
    return replaces is None or (type(replaces) is int and replaces >= 1 and replaces != version)


def _blocked_as(decision: Mapping[str, Any]) -> VersionStatus:
    if decision["verdict"] == "fail":
        return "rejected"
    if decision["verdict"] == "inconclusive" and "no_gate" not in decision["reasons"]:
        return "inconclusive"
    return "held"
