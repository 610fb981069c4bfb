"""``payload.json``: what an agent is told. One contract for every trainer and predictor, ours or not (docs/agents.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from noa_mlops.agents.jobs import Limits
from noa_mlops.agents.profiles import AgentProfile, Task
from noa_mlops.records.dataset import Column
from noa_mlops.records.documents import Json
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.verdict import ClassLabel


@dataclass(frozen=True, slots=True)
class Work:
    """What the agents of one version work on.

    ``columns`` are those of the training data that agents see, the target among them; ``classes`` the sorted labels,
    None for a regression; ``code`` the code files in the order of the plan.
    """

    lifecycle_id: str
    version: int
    profile: AgentProfile
    plan_digest: str
    task: Task
    target: str
    classes: Sequence[ClassLabel] | None
    positive: ClassLabel | None
    columns: Sequence[Column]
    hyperparameters: Mapping[str, Json]
    code: Sequence[str]
    seed: int
    limits: Limits
    quantiles: Sequence[float] = ()
    """The levels that a regression answers; empty for one number."""

    @classmethod
    def of_stored(cls, manifest: Manifest, profile: AgentProfile, limits: Limits) -> Work:
        """The work of a version that is in the store: what its agents were told when it was trained."""
        contract = manifest.predict
        columns = [*contract["features"], {"name": contract["target"], "type": contract["target_type"]}]
        return cls(
            lifecycle_id=manifest.lifecycle_id,
            version=manifest.version,
            profile=profile,
            plan_digest=manifest.plan_digest,
            task=contract["task"],
            target=contract["target"],
            classes=contract["classes"],
            positive=contract["positive"],
            columns=[Column(column["name"], column["type"]) for column in columns],
            hyperparameters=contract["hyperparameters"],
            code=[file.path for file in manifest.code],
            seed=manifest.seed,
            limits=limits,
            quantiles=contract.get("quantiles", ()),
        )

    @property
    def data_format(self) -> Literal["parquet", "csv"]:
        """The form of its data files."""
        return self.profile.format_for(self.hyperparameters)

    def data(self, part: str) -> str:
        """Where the rows for ``train``, or the ``features``, lie in the agent's workspace."""
        return f"data/{part}.{self.data_format}"


def training_payload(work: Work, agent_id: str) -> dict[str, Any]:
    """The payload of a trainer; paths are relative to its workspace."""
    return _payload(work, agent_id, step="train", part="train", folders={"code": "code"})


def prediction_payload(work: Work, agent_id: str, *, model: Path, code: Path) -> dict[str, Any]:
    """The payload of a predictor; the model and the code lie elsewhere, read-only."""
    return _payload(work, agent_id, step="predict", part="features", folders={"code": str(code), "model": str(model)})


def evaluation_payload(work: Work, agent_id: str, evaluator: str) -> dict[str, Any]:
    """The payload of a plan's own evaluator, ``MODULE:FUNCTION``: labelled rows, the predictions for them, the code."""
    payload = _payload(work, agent_id, step="evaluate", part="rows", folders={"code": "code"})
    data = {"rows": "data/rows.parquet", "predictions": "data/predictions.parquet"}
    return {**payload, "data": data, "data_format": "parquet", "evaluator": evaluator}


def _payload(work: Work, agent_id: str, *, step: str, part: str, folders: Mapping[str, str]) -> dict[str, Any]:
    limits = work.limits
    return {
        "schema": 1,
        "step": step,
        "agent_id": agent_id,
        "lifecycle_id": work.lifecycle_id,
        "version": work.version,
        "profile": work.profile.name,
        "plan_digest": work.plan_digest,
        "task": work.task,
        "target": work.target,
        "classes": list(work.classes) if work.classes is not None else None,
        "positive": work.positive,
        **({"quantiles": list(work.quantiles)} if work.quantiles else {}),
        "data": {part: work.data(part)},
        "data_format": work.data_format,
        "columns": [{"name": column.name, "type": column.type} for column in work.columns],
        "hyperparameters": dict(work.hyperparameters),
        "code": list(work.code),
        "seed": work.seed,
        "cpus": limits.cpus,
        **({"gpus": limits.gpus} if limits.gpus else {}),
        "folders": {"out": "out", "checkpoint": "checkpoint", "tmp": "tmp", **folders},
        "progress": "progress.jsonl",
        "limits": {"memory": limits.memory, "time": limits.time, "disk": limits.disk},
    }
