"""What an agent finds in its workspace: data as typed files, code, and the payload that names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.agents import Job, Limits, Workspace
from noa_mlops.datasets import write_csv, write_parquet
from noa_mlops.errors import TrainingFailed
from noa_mlops.files import copy_and_hash, make_directories, open_beneath
from noa_mlops.lifecycle.intake import ForeignModel, Submission

FOREIGN_MODEL = "data/model"
"""Where the trainer of an imported model finds it in its workspace."""


def lay_out_training(given: Submission, workspace: Workspace) -> None:
    """Write the training rows, target included, without ignored columns and rows that have no label, and the code as it was submitted."""
    table = given.train.table.drop_columns(list(given.train.definition.ignore))
    table = table.filter(pc.is_valid(table.column(given.target)))
    _write(table, workspace, "train", given.profile.format_for(given.plan.hyperparameters))
    for file in given.code:
        target = workspace.code / file.path
        make_directories(target.parent)
        target.write_bytes(file.data)
    if given.foreign is not None:
        _copy_model(given.foreign, workspace.path / FOREIGN_MODEL)


def lay_out_prediction(given: Submission, features: pa.Table, workspace: Workspace) -> None:
    """Write the features; ``features`` holds no label."""
    if given.target in features.column_names:
        raise TrainingFailed(f"the features still hold the target {given.target!r}", cause="internal")
    _write(features, workspace, "features", given.profile.format_for(given.plan.hyperparameters))


def training_payload(given: Submission, version: int, workspace: Workspace) -> dict[str, Any]:
    """The payload of a trainer; paths are relative to its workspace."""
    return _payload(given, version, workspace, step="train", part="train", folders={"code": "code"})


def prediction_payload(given: Submission, version: int, trained: Workspace, workspace: Workspace) -> dict[str, Any]:
    """The payload of a predictor; the model and the code lie in the dead trainer's workspace, read-only."""
    folders = {"code": str(trained.code), "model": str(trained.out)}
    return _payload(given, version, workspace, step="predict", part="features", folders=folders)


def job(
    given: Submission,
    workspace: Workspace,
    argv: Iterable[str],
    *,
    hidden: tuple[Path, ...],
    readable: tuple[Path, ...] = (),
) -> Job:
    """The process of an agent: its program, what it may read and write, its limits, its isolation."""
    resources = given.plan.resources
    return Job(
        argv=tuple(argv),
        cwd=workspace.path,
        readable=readable,
        writable=workspace.writable,
        hidden=hidden,
        limits=Limits(memory=resources.memory, time=resources.time, disk=resources.disk, cpus=resources.cpus),
        isolation=given.isolation,
    )


def _payload(
    given: Submission, version: int, workspace: Workspace, *, step: str, part: str, folders: Mapping[str, str]
) -> dict[str, Any]:
    plan, resources = given.plan, given.plan.resources
    form = given.profile.format_for(plan.hyperparameters)
    ignored = set(given.train.definition.ignore)
    columns = [column for column in given.train.identity.columns if column.name not in ignored]
    return {
        "schema": 1,
        "step": step,
        "agent_id": workspace.agent_id,
        "lifecycle_id": plan.lifecycle_id,
        "version": version,
        "profile": given.profile.name,
        "plan_digest": plan.digest,
        "task": given.task,
        "target": given.target,
        "classes": list(given.classes) if given.classes is not None else None,
        "positive": given.positive,
        "data": {part: f"data/{part}.{form}"},
        "data_format": form,
        "columns": [{"name": column.name, "type": column.type} for column in columns],
        "hyperparameters": dict(plan.hyperparameters),
        "code": [file.path for file in given.code],
        "seed": plan.seed,
        "cpus": resources.cpus,
        "folders": {"out": "out", "checkpoint": "checkpoint", "tmp": "tmp", **folders},
        "progress": "progress.jsonl",
        "limits": {"memory": resources.memory, "time": resources.time, "disk": resources.disk},
    }


def _copy_model(foreign: ForeignModel, target: Path) -> None:
    """Copy exactly the files that were submitted, each compared while it is copied."""
    for file in foreign.files:
        make_directories((target / file.path).parent)
        with open_beneath(foreign.folder, file.path) as stream:
            if copy_and_hash(stream, target / file.path) != file.sha256:
                raise TrainingFailed(
                    f"{foreign.path}/{file.path} changed after it was submitted", cause="model_changed"
                )


def _write(table: pa.Table, workspace: Workspace, part: str, form: str) -> None:
    target = workspace.path / "data" / f"{part}.{form}"
    make_directories(target.parent)
    (write_csv if form == "csv" else write_parquet)(table, target)
