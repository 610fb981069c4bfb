"""A plan's own evaluator: what it is given, where it runs, what the record says of it.

It is declared code of the plan, named by digest in the submission, and it gets predictions and labels. So it is laid out
anew from what was submitted, never from a workspace that a trainer could write, and runs isolated like a predictor.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noa_mlops.agents import Job, Workspace
from noa_mlops.datasets import write_rows
from noa_mlops.evaluation import OwnMetrics
from noa_mlops.lifecycle import handover
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.records.events import RUN
from noa_mlops.records.own_metrics import own_name
from noa_mlops.records.verdict import Estimate, EvaluationReport

PROGRAM = (sys.executable, "-I", "-m", "noa_mlops.trainers.evaluator", "evaluate")
"""The process that calls the evaluator."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the evaluator said of one model, and what the runtime saw of it."""

    metrics: OwnMetrics
    facts: Mapping[str, Any]


def evaluator_of(given: Submission) -> str | None:
    """The evaluator that the plan names, ``MODULE:FUNCTION``."""
    return given.plan.evaluation.evaluator if given.plan.evaluation is not None else None


def lay_out(given: Submission, workspace: Workspace, predictions: pa.Table, rows: npt.NDArray[np.bool_]) -> None:
    """Write the evaluation rows that have a label, target included, the predictions for them, and the code."""
    if given.evaluation is None:
        raise ValueError("a plan without evaluation data cannot be measured")
    hidden = [name for name in given.evaluation.definition.hidden if name != given.target]
    mask = pa.array(rows)
    write_rows(given.evaluation.table.drop_columns(hidden).filter(mask), workspace.data / "rows", "parquet")
    write_rows(predictions.filter(mask), workspace.data / "predictions", "parquet")
    handover.lay_out_code(given, workspace)


def job(given: Submission, workspace: Workspace, hidden: tuple[Path, ...]) -> Job:
    """Its process: it reads its workspace and writes its results, and nothing else."""
    return Job(
        argv=PROGRAM,
        cwd=workspace.path,
        writable=workspace.writable,
        hidden=hidden,
        limits=handover.limits(given),
        isolation=given.isolation,
    )


def added(report: EvaluationReport, given: Submission, said: Said | None) -> EvaluationReport:
    """The report with the plan's own metrics; without a value where nothing could be measured."""
    if said is not None:
        return replace(report, metrics={**report.metrics, **said.metrics.estimates()})
    wanted = given.plan.evaluation.metric_thresholds if given.plan.evaluation is not None else ()
    why = "a prediction is missing" if report.missing_predictions else "no row has a label"
    none = Estimate(None, report.rows, f"the evaluator was not asked: {why}")
    return replace(
        report, metrics={**report.metrics, **{t.metric: none for t in wanted if own_name(t.metric) is not None}}
    )


def recorded(given: Submission, said: Said | None) -> Mapping[str, Any] | None:
    """The evaluator as an entry names it: function, file, digest of the file, and what the runtime saw of it."""
    if said is None or given.plan.evaluator_file is None:
        return None
    file = next(file for file in given.code if file.path == given.plan.evaluator_file)
    return {"function": evaluator_of(given), "path": file.path, "sha256": file.sha256, RUN: said.facts}
