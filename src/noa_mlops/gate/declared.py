"""What a plan declares about its gate: which thresholds, and whether there is a gate at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noa_mlops.gate.decision import Gate

if TYPE_CHECKING:
    from noa_mlops.records.plan import Threshold, TrainingPlan


def thresholds(plan: TrainingPlan) -> tuple[Threshold, ...]:
    """The thresholds of a plan; none when it declares no evaluation."""
    return plan.evaluation.metric_thresholds if plan.evaluation is not None else ()


def threshold_document(plan: TrainingPlan) -> dict[str, Any]:
    """The thresholds by metric, each with all that it says spelled out: what a decision records."""
    return {threshold.metric: threshold.spelled_out() for threshold in thresholds(plan)}


def declared_gate(plan: TrainingPlan) -> Gate:
    """Whether the plan declares thresholds, declares that there is no gate, or says nothing."""
    if plan.evaluation is not None and plan.evaluation.gate == "none":
        return "none"
    return "declared" if thresholds(plan) else "absent"
