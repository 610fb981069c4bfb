"""The manifest of a version: every fact about how its bytes came to be, gathered in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from noa_mlops.agents import Outcome
from noa_mlops.datasets import summarise, summarise_answers
from noa_mlops.evaluation import ClassList, answer_column, calibrate
from noa_mlops.gate import threshold_document
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.events import EvaluationLogged, TrainingCompleted
from noa_mlops.records.layout import Layout, agent_id, predictor_id
from noa_mlops.records.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes of a version: the model's files and its code; ``when`` is the time of storing, RFC 3339 in UTC."""

    files: tuple[FileDigest, ...]
    code: tuple[FileDigest, ...]
    when: str


def facts_of(outcome: Outcome) -> dict[str, Any]:
    """What the runtime saw of a process, as JSON values."""
    isolation = outcome.isolation
    return {
        "cause": outcome.cause,
        "started_at": outcome.started_at,
        "finished_at": outcome.finished_at,
        "peak_memory": outcome.peak_memory,
        "isolation": {
            "rung": isolation.rung,
            "landlock_abi": isolation.landlock_abi,
            "seccomp": isolation.seccomp,
            "network": isolation.network,
            "labels_hidden": isolation.labels_hidden,
            "namespaces": list(isolation.namespaces),
            "cgroup": list(isolation.cgroup),
        },
    }


def left_no_writer(facts: Mapping[str, Any]) -> bool:
    """Whether a process that ended, by what the runtime saw of it, cannot have left anybody able to write its files.

    That takes the seal with its filter of calls: without the filter, an open file could have been handed to a process
    outside through a socket.
    """
    isolation = facts["isolation"]
    return isolation["rung"] == "sealed" and bool(isolation["seccomp"])


def manifest_of(
    given: Submission,
    trained: TrainingCompleted,
    measured: EvaluationLogged | None,
    layout: Layout,
    held: Held,
) -> Manifest:
    """The manifest of a version about to be stored."""
    folder = layout.version(trained.lifecycle_id, given.profile.name, trained.version)
    train = given.train.identity
    return Manifest(
        lifecycle_id=trained.lifecycle_id,
        profile=given.profile.name,
        version=trained.version,
        artifact=relative(folder, layout),
        files=held.files,
        created_at=held.when,
        plan_digest=given.plan_digest,
        dataset={"path": train.path, "fingerprint": train.fingerprint, "rows": train.rows},
        evaluation=_evaluation(given, measured),
        agents=_agents(trained, measured),
        environment=given.environment.describe(),
        seed=given.plan.seed,
        predict=predict_contract(given),
        code_bearing=given.profile.code_bearing,
        code=held.code,
    )


def summary_of(given: Submission, predictions: pa.Table | None = None) -> bytes:
    """What is remembered beside a promoted model, in canonical form: its training data, and what it said where it was measured.

    ``predictions`` are of the rows of the evaluation data, None when they are not known.
    """
    summary = summarise(given.train, given.target)
    if predictions is None or given.evaluation is None or _is_silent(predictions):
        return summary.to_bytes()
    classes = None if given.classes is None else ClassList.of(given.classes, given.positive)
    answers = answer_column(predictions, classes, given.plan.quantiles)
    labels = given.evaluation.table.column(given.target)
    return replace(
        summary,
        predictions=summarise_answers(answers, given.evaluation),
        calibration=None if classes is None else calibrate(predictions, labels, classes),
    ).to_bytes()


def _is_silent(predictions: pa.Table) -> bool:
    """Whether a row has no answer."""
    return any(column.null_count for column in predictions.columns)


def predict_contract(given: Submission) -> dict[str, Any]:
    """How the model is asked: the features it takes and what its answers mean."""
    ignored = {given.target, *given.train.definition.hidden}
    columns = [column for column in given.train.identity.columns if column.name not in ignored]
    target_type = next(column.type for column in given.train.identity.columns if column.name == given.target)
    return {
        "task": given.task,
        "target": given.target,
        "target_type": target_type,
        "classes": list(given.classes) if given.classes is not None else None,
        "positive": given.positive,
        "decision_threshold": given.plan.decision_threshold,
        "features": [{"name": column.name, "type": column.type} for column in columns],
        "hyperparameters": dict(given.plan.hyperparameters),
        **({"quantiles": list(given.plan.quantiles)} if given.plan.quantiles else {}),
    }


def _evaluation(given: Submission, measured: EvaluationLogged | None) -> Mapping[str, Any] | None:
    if measured is None:
        return None
    return {
        "fingerprint": measured.dataset["fingerprint"],
        "rows": measured.rows,
        "metrics": dict(measured.metrics),
        "thresholds": threshold_document(given.plan),
        "intervals": {},
        "slices": {column: _values(sliced) for column, sliced in (measured.slices or {}).items()},
    }


def _values(sliced: Mapping[str, Any]) -> Mapping[str, Any]:
    """Slices without their spreads, which stand in the ledger."""
    metrics = {name: [cell["value"] for cell in cells] for name, cells in sliced["metrics"].items()}
    return {"values": sliced["values"], "rows": sliced["rows"], "metrics": metrics}


def _agents(trained: TrainingCompleted, measured: EvaluationLogged | None) -> Mapping[str, Any]:
    trainer = agent_id(trained.lifecycle_id, trained.version)
    agents: dict[str, Any] = {"trainer": trainer, "isolation": trained.run["isolation"]["rung"]}
    if measured is not None:
        predictor = measured.run["isolation"]
        agents |= {"predictor": predictor_id(trainer), "labels_hidden": predictor["labels_hidden"]}
    return agents


def relative(folder: Path, layout: Layout) -> str:
    """A folder as documents name it: relative to the project, unless it lies outside."""
    try:
        return str(folder.relative_to(layout.project))
    except ValueError:
        return str(folder)
