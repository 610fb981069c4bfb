"""One prediction: check the rows, copy the model, let an isolated process answer, check the answer.

Bytes are verified and then used, so between the two nobody may change them. The copy is what closes that gap: each file
is hashed while it is written into a private folder, and only that folder is shown to the predictor. What happens to
the store meanwhile, or has happened since the model was loaded, cannot reach it. It costs one read of the model for
each prediction, little beside the start of a process; so ask for many rows at once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from noa_mlops.agents import AgentFactory, Job, Limits, Work, Workspace, ending, isolation_for, prediction_payload
from noa_mlops.agents.removal import remove
from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.datasets import conformed, write_rows
from noa_mlops.delivery.rows import as_table, in_the_form_of
from noa_mlops.delivery.source import Source
from noa_mlops.errors import DatasetInvalid, LedgerConflict, NotFound, StepFailed
from noa_mlops.evaluation import chosen_classes, predicted_quantiles, predicted_values, read_predictions
from noa_mlops.records.dataset import Column
from noa_mlops.records.layout import agent_id, predictor_id
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.resources import Resources


def predict(source: Source, rows: Any) -> Any:
    """The answers for ``rows``; see `Model.predict`."""
    contract = source.record.manifest.predict
    features = [Column(feature["name"], feature["type"]) for feature in contract["features"]]
    table = conformed(as_table(rows, [feature.name for feature in features]), features)
    if table.num_rows == 0:
        raise DatasetInvalid("there are no rows to predict", hint="Give at least one row.")
    answered = _ask(source, table)
    if levels := tuple(contract.get("quantiles", ())):
        return in_the_form_of(rows, predicted_quantiles(answered, levels))
    if contract["task"] == "regression":
        return in_the_form_of(rows, predicted_values(answered))
    chosen = chosen_classes(answered, contract["classes"], contract["positive"], contract["decision_threshold"])
    return in_the_form_of(rows, chosen)


def answers(source: Source, features: pa.Table) -> pa.Table:
    """What the predictor writes for rows of features and more; see `Model.answers`."""
    wanted = [Column(feature["name"], feature["type"]) for feature in source.record.manifest.predict["features"]]
    table = features.select([column.name for column in wanted if column.name in features.column_names])
    return _ask(source, conformed(table, wanted))


def _ask(source: Source, features: pa.Table) -> pa.Table:
    """Run the predictor over ``features`` and read what it answers, unjudged."""
    resources = TrainingPlan.parse(source.plan, "plan.json").resources
    work = _work(source, resources)
    with _private_folder() as folder:
        given = folder / "given"
        given.mkdir()
        FilesystemArtifactStore(source.layout).copy_out(source.record, given)
        with _workspace(source, folder) as workspace:
            write_rows(features, workspace.data / "features", work.data_format)
            model, code = given / "model", given / "code"
            workspace.write_payload(prediction_payload(work, workspace.agent_id, model=model, code=code))
            _run(
                source,
                _job(work, workspace, readable=(model, code), hidden=source.hidden, resources=resources),
                workspace,
            )
            return read_predictions(workspace.out, features.num_rows, work.classes)


def _work(source: Source, resources: Resources) -> Work:
    """What the predictor is told: what its version was trained with."""
    manifest = source.record.manifest
    profile = AgentFactory().profile(manifest.profile)
    if missing := profile.missing():
        raise NotFound(
            f"the profile {profile.name!r} needs {', '.join(missing)}, not installed here",
            hint=f"Install what it needs: pip install 'noa-mlops[{profile.extras}]'.",
        )
    limits = Limits(
        memory=resources.memory,
        time=resources.time,
        disk=resources.disk,
        cpus=resources.cpus,
        gpus=min(resources.gpus, len(source.runtime.gpus.present())),
    )
    return Work.of_stored(manifest, profile, limits)


def _job(
    work: Work, workspace: Workspace, *, readable: tuple[Path, ...], hidden: tuple[Path, ...], resources: Resources
) -> Job:
    return Job(
        argv=work.profile.predict,
        preload=work.profile.preload_for(work.limits.gpus),
        cwd=workspace.path,
        readable=readable,
        writable=workspace.writable,
        hidden=hidden,
        limits=work.limits,
        isolation=isolation_for(resources.isolation),
    )


def _run(source: Source, job: Job, workspace: Workspace) -> None:
    """Run the predictor to its end. Raises `StepFailed` unless it completed."""
    outcome = source.runtime.run(job)
    if not outcome.completed:
        log = workspace.tail()
        raise StepFailed(f"the predictor {ending(outcome, log)}", cause=outcome.cause, log=log)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that nobody else may enter; gone afterwards, whatever a predictor left in it."""
    folder = Path(tempfile.mkdtemp(prefix="noa-")).resolve()
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        remove(parent, folder.name)
        os.close(parent)


@contextmanager
def _workspace(source: Source, folder: Path) -> Iterator[Workspace]:
    manifest = source.record.manifest
    agent = predictor_id(agent_id(manifest.lifecycle_id, manifest.version))
    workspace = Workspace.claim(replace(source.layout, artifacts=folder), agent)
    if workspace is None:
        raise LedgerConflict(f"the workspace of {agent} is in use by another process")
    with workspace:
        workspace.prepare()
        yield workspace
