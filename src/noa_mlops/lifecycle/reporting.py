"""From the history of a version to the report of its run."""

from __future__ import annotations

from collections.abc import Sequence

from noa_mlops.ledger import LifecycleState
from noa_mlops.ledger.version_law import WAITS
from noa_mlops.records.approvals import ApprovalRule
from noa_mlops.records.events import (
    EvaluationFailed,
    EvaluationLogged,
    PromotionReady,
    Recorded,
    Submitted,
    TrainingCompleted,
    TrainingFailed,
)
from noa_mlops.records.report import PipelineReport


def report_of(
    history: Sequence[Recorded], lifecycle: LifecycleState, isolation: str | None, notes: Sequence[str] = ()
) -> PipelineReport:
    """The report of a version whose history is complete; ``lifecycle`` is the state after its last entry."""
    first, last = history[0], history[-1]
    decision = last if isinstance(last, PromotionReady) else None
    failure = last if isinstance(last, TrainingFailed | EvaluationFailed) else None
    trained = next((event for event in history if isinstance(event, TrainingCompleted)), None)
    measured = next((event for event in reversed(history) if isinstance(event, EvaluationLogged)), None)
    return PipelineReport(
        lifecycle_id=first.lifecycle_id,
        version=first.version,
        profile=first.profile if isinstance(first, Submitted) else "",
        state=_state(decision),
        status=decision.status if decision else None,
        verdict=decision.verdict if decision else None,
        reasons=tuple(decision.reasons) if decision else (),
        metrics=measured.metrics if measured else {},
        thresholds=decision.thresholds if decision else {},
        violations=decision.violations if decision else (),
        champion=lifecycle.champion,
        checksum=trained.checksum if trained else None,
        artifact=decision.artifact if decision else None,
        entry=last.seq if last.seq is not None else -1,
        isolation=isolation,
        failure={"cause": failure.cause, "message": failure.message} if failure else None,
        notes=tuple(notes),
        approvals=_approvals(decision),
        unsure=tuple(decision.notes) if decision else (),
    )


def _approvals(decision: PromotionReady | None) -> int | None:
    """How many keys must enable a held version; None when there is nothing to enable."""
    if decision is None or not WAITS.intersection(decision.reasons):
        return None
    return (
        ApprovalRule().required
        if decision.approvals is None
        else ApprovalRule.from_document(decision.approvals).required
    )


def _state(decision: PromotionReady | None) -> str:
    """The state in which this run left its version; a later champion does not change how it ended."""
    if decision is None:
        return "failed"
    if decision.promotes:
        return "champion"
    if "no_gate" in decision.reasons or decision.verdict == "pass":
        return "held"
    return "rejected" if decision.verdict == "fail" else "inconclusive"
