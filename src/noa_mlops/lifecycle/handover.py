"""What an agent finds in its workspace: data as typed files, code, and what its payload is made of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.agents import Job, Limits, Work, Workspace
from noa_mlops.datasets import Dataset, write_rows
from noa_mlops.errors import TrainingFailed
from noa_mlops.files import copy_and_hash, make_directories, open_beneath
from noa_mlops.lifecycle.intake import ForeignModel, Submission

FOREIGN_MODEL = "data/model"
"""Where the trainer of an imported model finds it in its workspace."""


def lay_out_training(given: Submission, workspace: Workspace) -> None:
    """Write the training rows, target included, without hidden columns and rows that have no label, and the code as it was submitted."""
    write_rows(
        _labelled(given.train, given.target),
        workspace.data / "train",
        given.profile.format_for(given.plan.hyperparameters),
    )
    lay_out_code(given, workspace)
    if given.foreign is not None:
        _copy_model(given.foreign, workspace.path / FOREIGN_MODEL)


def lay_out_code(given: Submission, workspace: Workspace) -> None:
    """Write the plan's code as it was submitted."""
    for file in given.code:
        target = workspace.code / file.path
        make_directories(target.parent)
        target.write_bytes(file.data)


def _labelled(rows: Dataset, target: str) -> pa.Table:
    table = rows.table.drop_columns(list(rows.definition.hidden))
    return table.filter(pc.is_valid(table.column(target)))


def lay_out_prediction(given: Submission, features: pa.Table, workspace: Workspace) -> None:
    """Write the features; ``features`` holds no label."""
    if given.target in features.column_names:
        raise TrainingFailed(f"the features still hold the target {given.target!r}", cause="internal")
    write_rows(features, workspace.data / "features", given.profile.format_for(given.plan.hyperparameters))


def work(given: Submission, version: int) -> Work:
    """What the agents of this version are told in their payloads."""
    plan, hidden = given.plan, set(given.train.definition.hidden)
    return Work(
        lifecycle_id=plan.lifecycle_id,
        version=version,
        profile=given.profile,
        plan_digest=given.plan_digest,
        task=given.task,
        target=given.target,
        classes=given.classes,
        positive=given.positive,
        columns=[column for column in given.train.identity.columns if column.name not in hidden],
        hyperparameters=plan.hyperparameters,
        code=[file.path for file in given.code],
        seed=plan.seed,
        limits=limits(given),
        quantiles=plan.quantiles,
    )


def job(
    given: Submission,
    workspace: Workspace,
    argv: Iterable[str],
    *,
    hidden: tuple[Path, ...],
    readable: tuple[Path, ...] = (),
) -> Job:
    """The process of an agent: its program, what it may read and write, its limits, its isolation."""
    return Job(
        argv=tuple(argv),
        preload=given.profile.preload_for(given.plan.resources.gpus),
        cwd=workspace.path,
        readable=readable,
        writable=workspace.writable,
        hidden=hidden,
        limits=limits(given),
        isolation=given.isolation,
    )


def limits(given: Submission) -> Limits:
    """The limits of the plan, for each of its agents."""
    resources = given.plan.resources
    return Limits(
        memory=resources.memory,
        time=resources.time,
        disk=resources.disk,
        cpus=resources.cpus,
        gpus=resources.gpus,
    )


def _copy_model(foreign: ForeignModel, target: Path) -> None:
    """Copy exactly the files that were submitted, each compared while it is copied."""
    for file in foreign.files:
        make_directories((target / file.path).parent)
        with open_beneath(foreign.folder, file.path) as stream:
            if copy_and_hash(stream, target / file.path) != file.sha256:
                raise TrainingFailed(
                    f"{foreign.path}/{file.path} changed after it was submitted", cause="model_changed"
                )
