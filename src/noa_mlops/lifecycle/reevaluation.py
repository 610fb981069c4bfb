"""Measuring a version again that was decided on: what it was made of must be here, and what it learned from unchanged."""

from __future__ import annotations

from typing import Any

from noa_mlops.errors import DatasetInvalid, LedgerConflict, NotFound, PlanInvalid
from noa_mlops.gate import judge_recorded, threshold_document, thresholds
from noa_mlops.ledger import Ledger, LedgerReader
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.history import history_of
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.recalling import Accept, recall
from noa_mlops.lifecycle.runs import Run
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.events import EvaluationLogged, Submitted, TrainingCompleted
from noa_mlops.records.layout import address
from noa_mlops.records.plan import TrainingPlan


def claim(ledger: Ledger, controller: AgentLifecycleController, accept: Accept, lifecycle_id: str, version: int) -> Run:
    """Own a version that was decided on, with its plan and code as they were submitted and its data as they are now.

    Raises `NotFound`, `LedgerConflict`, `DatasetInvalid` as `TrainingOrchestrator.evaluate_version`.
    """
    ledger.refresh()
    recalled = recall(ledger, accept, lifecycle_id, version)
    name, submission = recalled.name, recalled.submission
    if recalled.state.status == "failed":
        raise NotFound(f"{name} failed, so there is no model to measure", hint=f"noa logs {name} says why.")
    if submission.evaluation is None:
        raise NotFound(f"the plan of {name} names no evaluation data, so there is nothing to measure it on")
    _check_learned(name, recalled.submitted, submission)
    run = controller.claim(submission, recalled.history)
    if run is None:
        raise LedgerConflict(f"{name} is in use by another process", hint="Run the same command again.")
    return run


def judged_as(ledger: LedgerReader, lifecycle_id: str, version: int, plan: TrainingPlan) -> dict[str, Any]:
    """What the thresholds of ``plan`` say of what was measured of a version; nothing is written.

    It is held against the champion that it was measured beside. Raises `NotFound` for a version that was not measured,
    `PlanInvalid` for a plan without thresholds.
    """
    declared, name = thresholds(plan), address(lifecycle_id, version)
    if not declared:
        raise PlanInvalid("the plan declares no thresholds, so nothing can be judged by it")
    history = history_of(ledger, lifecycle_id, version)
    measured = next((event for event in reversed(history) if isinstance(event, EvaluationLogged)), None)
    if measured is None:
        raise NotFound(f"there is no {name} that was measured")
    beside = None if measured.champion is None else Comparison.from_document(measured.champion).champion
    verdict = judge_recorded(declared, measured, beside)
    return {
        "lifecycle_id": lifecycle_id,
        "version": version,
        "entry": None,
        "measured": measured.seq,
        "look": measured.look,
        "rows": measured.rows,
        "dataset": measured.dataset,
        "metrics": dict(measured.metrics),
        "thresholds": threshold_document(plan),
        "verdict": verdict.to_document(),
    }


def check_model(run: Run) -> None:
    """Raise `NotFound` when the model that was trained in the workspace of ``run`` is not there any more."""
    if not run.workspace.out.is_dir():
        raise NotFound(
            f"the model of {run.address} is not here any more: it was not promoted, and its workspace is gone",
            hint="Run its plan again: the next version is measured anew.",
        )


def made(run: Run) -> tuple[TrainingCompleted, EvaluationLogged | None]:
    """The entries of a version that tell which bytes were trained and what was measured first."""
    trained = next(event for event in run.history if isinstance(event, TrainingCompleted))
    measured = next((event for event in reversed(run.history) if isinstance(event, EvaluationLogged)), None)
    return trained, measured


def _check_learned(name: str, submitted: Submitted, submission: Submission) -> None:
    """Refuse when the training data are others than then: rows that training has seen could not be told any more."""
    if submitted.datasets.get("train") != submission.datasets.get("train"):
        raise DatasetInvalid(
            f"the training data of {name} changed since it was submitted",
            hint="Bring back what it was made of, or run the plan again as a new version.",
        )
