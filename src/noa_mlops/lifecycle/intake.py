"""Before anything is written: is this plan runnable here, and on which data exactly?

Every mistake that can be seen without training is found here, so that a plan is refused whole or submitted
whole. What is read here is what the run will use: a file that changes later is noticed, never silently taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from noa_mlops.agents import AgentFactory, AgentProfile, Rung, isolation_for, scan_output
from noa_mlops.datasets import PREDICTION, Dataset, DatasetReader, Sources, aligned, split
from noa_mlops.errors import DatasetInvalid, LifecycleError, PlanInvalid, Problem, TrainingFailed
from noa_mlops.evaluation import SliceColumn
from noa_mlops.files import UnsafePath, hash_stream, open_beneath, raise_trouble_behind, read_capped
from noa_mlops.ledger import get_object
from noa_mlops.lifecycle.environment import Environment
from noa_mlops.lifecycle.forecasting import Forecast, forecast
from noa_mlops.lifecycle.objective import objective
from noa_mlops.lifecycle.slicing import Grouping, grouping, slice_columns
from noa_mlops.lifecycle.trials import Trials, trials_of
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.documents import canonical, sha256
from noa_mlops.records.manifest import checksum
from noa_mlops.records.metrics import Task
from noa_mlops.records.paths import relative_path_problem
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.verdict import ClassLabel
from noa_mlops.trainers.hyperparameters import check_beside, check_classes, check_hyperparameters, check_quantiles

MAX_CODE = 4 << 20
"""Largest code file that a plan may name, in bytes."""


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file of the plan's ``code``, as it was when the plan was submitted."""

    path: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Digest of the file's bytes."""
        return sha256(self.data)


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model made elsewhere: its folder, relative to the project, and its files as they were submitted."""

    path: str
    folder: Path
    files: tuple[FileDigest, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """A plan that can run: its data as read, its code, its profile, and what is predicted.

    ``classes`` are the sorted distinct labels of the training data, None for regression; ``positive`` is the
    class that binary metrics speak of. ``isolation`` is the rung the agents will run on. ``evaluation_keys``
    are the keys of the evaluation rows, None unless the data on both sides declares the same key. ``slices`` are the
    columns by whose values they are measured apart, ``grouping`` their groups, None when rows are independent;
    ``forecast`` what scales their errors, None where no series is forecast.
    """

    plan: TrainingPlan
    profile: AgentProfile
    train: Dataset
    evaluation: Dataset | None
    target: str
    task: Task
    classes: tuple[ClassLabel, ...] | None
    positive: ClassLabel | None
    code: tuple[CodeFile, ...]
    isolation: Rung
    environment: Environment
    plan_bytes: bytes
    """The plan's normal form in canonical JSON, as it was accepted."""
    foreign: ForeignModel | None = None
    trials: Trials | None = None
    evaluation_keys: pa.ChunkedArray | None = None
    slices: tuple[SliceColumn, ...] = ()
    grouping: Grouping | None = None
    forecast: Forecast | None = None

    @property
    def plan_digest(self) -> str:
        """What the plan is known by: see `TrainingPlan.digest`."""
        return sha256(self.plan_bytes)

    @property
    def ranks(self) -> bool:
        """Whether the plan asks how predictions rank the rows of each group."""
        return _ranking_metric(self.plan) is not None

    @property
    def datasets(self) -> Mapping[str, Mapping[str, Any]]:
        """The data as a ledger line names it, by part."""
        parts = {"train": self.train, "evaluation": self.evaluation}
        return {part: reference(dataset) for part, dataset in parts.items() if dataset is not None}

    @property
    def code_digests(self) -> Sequence[Mapping[str, Any]]:
        """The code as a ledger line names it."""
        code = [{"path": file.path, "sha256": file.sha256} for file in self.code]
        if self.foreign is not None:
            code.append({"path": self.foreign.path, "sha256": checksum(self.foreign.files)})
        return code


def reference(dataset: Dataset) -> Mapping[str, Any]:
    """A dataset as a ledger line names it: path, fingerprint of the content, rows, digest of the full identity."""
    identity = dataset.identity
    return {
        "path": identity.path,
        "fingerprint": identity.fingerprint,
        "rows": identity.rows,
        "identity": sha256(canonical(identity.to_document())),
    }


def accept(
    plan: TrainingPlan,
    project: Path,
    data_roots: Sequence[Path],
    factory: AgentFactory,
    code: Sequence[CodeFile] | None = None,
) -> Submission:
    """Read all that the plan names and check that it fits together; ``code`` stands for its files when it is given.

    Raises `PlanInvalid` (or its kinds) for what the plan's author can correct, `NotAuthorised` when this
    machine cannot isolate agents as the plan asks.
    """
    profile = factory.profile(plan.agent_profile)
    _check_profile(plan, profile)
    isolation = isolation_for(plan.resources.isolation)
    environment = Environment(project)
    code = tuple(_code(project, path) for path in plan.code) if code is None else tuple(code)
    reader = DatasetReader(project, data_roots)
    whole = _keyed(_read(reader, "dataset_path", plan.dataset_path), plan)
    target = _target(plan, whole)
    whole.require_column(target)
    for column in sorted(plan.drift.overrides.keys() - {PREDICTION}):
        whole.require_column(column, "drift.overrides")
    if plan.drift.labels.delay and whole.definition.time is None:
        raise PlanInvalid(
            "drift.labels.delay lets labels count by the age of their rows, and no column says how old a row is",
            hint="Name it in a dataset definition: 'time: COLUMN'.",
        )
    parts = _parts(plan, reader, whole, target)
    train, evaluation = parts.train, parts.evaluation
    if (metric := _ranking_metric(plan)) is not None and parts.grouping is None:
        raise PlanInvalid(
            f"evaluation.metric_thresholds.{metric} measures how rows are ranked within their groups, and there are none",
            hint="Name the column of the query with 'evaluation.group_by', or 'group' in the dataset definition.",
        )
    aim = objective(plan, profile, train, evaluation, target)
    if wrong := check_classes(profile.name, plan.hyperparameters, len(aim.classes or ())):
        raise PlanInvalid(f"hyperparameters: {'; '.join(wrong)}")
    return Submission(
        plan=plan,
        profile=profile,
        train=train,
        evaluation=evaluation,
        target=target,
        task=aim.task,
        classes=aim.classes,
        positive=aim.positive,
        code=code,
        isolation=isolation,
        environment=environment,
        plan_bytes=canonical(plan.to_document()),
        foreign=_foreign(plan, project),
        trials=trials_of(plan, profile, train, target, aim),
        evaluation_keys=parts.keys,
        slices=parts.slices,
        grouping=parts.grouping,
        forecast=parts.forecast,
    )


def recorded_code(objects: Path, named: Sequence[Mapping[str, Any]], plan: TrainingPlan) -> tuple[CodeFile, ...]:
    """The plan's code as it was submitted, by the digests that its entry has ``named``. Raises `LedgerTampered`."""
    files = {str(file["path"]): str(file["sha256"]) for file in named if file["path"] in plan.code}
    return tuple(CodeFile(path, get_object(objects, digest)) for path, digest in files.items())


def changed(dataset: Dataset, project: Path, data_roots: Sequence[Path]) -> str | None:
    """Why the files of a dataset are no longer those that were submitted; None when they are.

    Raises `OSError` when that cannot be told for trouble of the machine.
    """
    for file in dataset.identity.files:
        try:
            with Sources(project, tuple(data_roots)).open(file.path) as stream:
                now = hash_stream(stream)
        except (OSError, LifecycleError) as error:
            raise_trouble_behind(error)
            return f"{file.path} changed after it was submitted: {error}"
        if now != file.sha256:
            return f"{file.path} changed after it was submitted: digest changed from {file.sha256[:12]} to {now[:12]}"
    return None


def _ranking_metric(plan: TrainingPlan) -> str | None:
    """The first metric of a plan's thresholds that is about a ranking."""
    wanted = () if plan.evaluation is None else plan.evaluation.metric_thresholds
    return next((threshold.metric for threshold in wanted if threshold.row.needs == "groups"), None)


def _check_profile(plan: TrainingPlan, profile: AgentProfile) -> None:
    """The profile's hyperparameters, and the packages it needs."""
    wrong = check_hyperparameters(profile.name, plan.hyperparameters)
    if wrong:
        problems = tuple(Problem("hyperparameters", text) for text in wrong)
        raise PlanInvalid(f"hyperparameters: {'; '.join(wrong)}", problems=problems)
    if plan.quantiles and (wrong := check_quantiles(profile.name, plan.hyperparameters)):
        raise PlanInvalid(f"quantiles: {'; '.join(wrong)}")
    beside = check_beside(profile.name, plan.hyperparameters, code=plan.code, gpus=plan.resources.gpus)
    if beside:
        raise PlanInvalid("; ".join(beside))
    if missing := profile.missing():
        raise PlanInvalid(
            f"the profile {profile.name!r} needs {', '.join(missing)}, not installed here",
            hint=f"Install what it needs: pip install 'noa-mlops[{profile.extras}]'.",
        )


def _code(project: Path, path: str) -> CodeFile:
    try:
        with open_beneath(project, path) as stream:
            data = read_capped(stream, MAX_CODE)
    except UnsafePath as error:
        raise PlanInvalid(f"code: {error}", hint=error.hint) from error
    except OSError as error:
        raise PlanInvalid(f"code: {path!r} cannot be read ({error.strerror})") from error
    if data is None:
        raise PlanInvalid(f"code: {path!r} is larger than {MAX_CODE >> 20} MiB")
    return CodeFile(path, data)


def _foreign(plan: TrainingPlan, project: Path) -> ForeignModel | None:
    """The folder that a plan of the profile ``import`` names, every file of it hashed."""
    if plan.agent_profile != "import":
        return None
    path = plan.hyperparameters.get("path")
    problem = relative_path_problem(path) if isinstance(path, str) else "must name the model's folder"
    if problem is not None or not isinstance(path, str):
        raise PlanInvalid(f"hyperparameters.path: {problem}")
    folder = project / path
    if any((project / part).is_symlink() for part in [path, *map(str, Path(path).parents)][:-1]):
        raise PlanInvalid(f"hyperparameters.path: {path!r} passes a symbolic link")
    try:
        found = scan_output(folder, plan.resources.disk)
    except TrainingFailed as error:
        raise PlanInvalid(f"hyperparameters.path: {path!r}: {error}") from error
    return ForeignModel(path, folder, found)


def _read(reader: DatasetReader, name: str, path: str) -> Dataset:
    """The dataset that the plan's field ``name`` names; what is wrong with it is said of that field."""
    try:
        return reader.read(path)
    except UnsafePath as error:
        raise UnsafePath(f"{name}: {error}", hint=error.hint) from error
    except DatasetInvalid as error:
        raise DatasetInvalid(f"{name}: {error}", problems=error.problems, hint=error.hint) from error


def _keyed(dataset: Dataset, plan: TrainingPlan) -> Dataset:
    """The dataset with the key that the plan names. Raises `PlanInvalid` when it is no column, or its definition has another."""
    key, definition = None if plan.evaluation is None else plan.evaluation.key, dataset.definition
    if key is None:
        return dataset
    dataset.require_column(key, "evaluation.key")
    if definition.key not in (None, key):
        raise PlanInvalid(
            f"evaluation.key is {key!r}, but {dataset.identity.path} declares the key {definition.key!r}",
            hint="Name one of them in both places, or leave it out of the plan.",
        )
    if key in (plan.target, definition.target):
        raise PlanInvalid(f"evaluation.key: {key!r} is the target, which identifies no row")
    return replace(dataset, definition=replace(definition, key=key))


def _target(plan: TrainingPlan, train: Dataset) -> str:
    target = plan.target or train.identity.target
    if target is None:
        raise PlanInvalid("the plan names no 'target', and neither does the dataset definition")
    if target in train.definition.hidden:
        role = "key" if target == train.definition.key else "ignore"
        raise PlanInvalid(f"target {target!r} stands under {role!r} in {plan.dataset_path}, so no agent would see it")
    return target


@dataclass(frozen=True, slots=True)
class _Parts:
    """The rows to learn from, and those to measure on, as agents see them; the rest is as in `Submission`."""

    train: Dataset
    evaluation: Dataset | None = None
    keys: pa.ChunkedArray | None = None
    slices: tuple[SliceColumn, ...] = ()
    grouping: Grouping | None = None
    forecast: Forecast | None = None


def _parts(plan: TrainingPlan, reader: DatasetReader, whole: Dataset, target: str) -> _Parts:
    """The evaluation rows come from data of their own or are split off; their columns that agents do not see are kept apart."""
    if plan.evaluation is None:
        return _Parts(whole)
    if plan.evaluation.split is not None:
        parts = split(whole, plan.evaluation.split, target)
        train, evaluation = parts.train, parts.evaluation
    elif plan.evaluation.dataset_path is not None:
        train, evaluation = whole, _other_data(plan.evaluation.dataset_path, plan, reader, whole, target)
    else:
        return _Parts(whole)
    key = evaluation.definition.key
    return _Parts(
        train,
        aligned(evaluation, train),
        keys=evaluation.table.column(key) if key is not None and key == train.definition.key else None,
        slices=slice_columns(plan, evaluation, target),
        grouping=grouping(plan, evaluation, target),
        forecast=forecast(plan, train, evaluation, target),
    )


def _other_data(path: str, plan: TrainingPlan, reader: DatasetReader, train: Dataset, target: str) -> Dataset:
    evaluation = _keyed(_read(reader, "evaluation.dataset_path", path), plan)
    evaluation.require_column(target)
    if evaluation.identity.fingerprint == train.identity.fingerprint:
        raise PlanInvalid(
            f"evaluation.dataset_path holds the very rows of dataset_path ({plan.dataset_path}): "
            "a model measured on its training data proves nothing",
            hint="Name data that the trainer does not see.",
        )
    return evaluation
