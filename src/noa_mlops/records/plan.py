"""The training plan: what to train on what, and what it must reach to be promoted.

A plan is a value. Written in Python, in YAML or in JSON, in any order of fields, with or without what stands at its
default, it has one normal form and one digest; and it keeps that digest when later versions add fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from noa_mlops.records.approvals import Approvals
from noa_mlops.records.documents import Json, canonical, compact, sha256
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.levels import LEVELS_SCHEMA, lacking, level_faults
from noa_mlops.records.names import PATTERN, name_problem
from noa_mlops.records.own_metrics import EVALUATOR, evaluator_problem, own_name
from noa_mlops.records.paths import PATH_SCHEMA, path_problem, relative_path_problem
from noa_mlops.records.reading import read_document, read_file
from noa_mlops.records.reading.fields import (
    Fault,
    FieldInvalid,
    Form,
    Rule,
    check_fields,
    instance_of,
    one_of,
    shown,
    whole,
)
from noa_mlops.records.reading.values import mapping_faults, plain, text_problem
from noa_mlops.records.resources import Resources
from noa_mlops.records.search import Search
from noa_mlops.records.split import Split
from noa_mlops.records.thresholds import Threshold, mixed_tasks, read_thresholds, thresholds_schema

__all__ = ["Approvals", "EvaluationPlan", "Resources", "Search", "Split", "Threshold", "TrainingPlan"]

MAX_CODE_FILES = 1000
"""Most files that a plan may copy into the workspace."""


def _text(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, got {shown(value)}")
    elif not value.strip():
        yield Fault("must not be empty")
    elif problem := text_problem(value):
        yield Fault(problem)


def _name(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, got {shown(value)}")
    elif problem := name_problem(value):
        yield Fault(f"{problem}, got {shown(value)}")


def _path(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, got {shown(value)}")
    elif problem := path_problem(value):
        yield Fault(f"{problem}, got {shown(value)}")


def _code(files: Any) -> Iterator[Fault]:
    if not isinstance(files, tuple | list):
        yield Fault(f"must be a list of files, got {shown(files)}")
        return
    if len(files) > MAX_CODE_FILES:
        yield Fault(f"must name at most {MAX_CODE_FILES} files")
    for index, name in enumerate(files[:MAX_CODE_FILES]):
        problem = relative_path_problem(name) if isinstance(name, str) else "must be text"
        if problem is not None:
            yield Fault(f"{problem}, got {shown(name)}", (index,))
        elif name in files[:index]:
            yield Fault(f"names {shown(name)} a second time", (index,))


def _evaluator(value: Any) -> Iterator[Fault]:
    problem = evaluator_problem(value) if isinstance(value, str) else "must be text"
    if problem is not None:
        yield Fault(f"{problem}, got {shown(value)}")


def _thresholds(value: Any) -> Iterator[Fault]:
    if not isinstance(value, tuple) or not all(isinstance(threshold, Threshold) for threshold in value):
        yield Fault("must be a tuple of Threshold", suggestion="write (Threshold.of('roc_auc', 0.8),)")


def _positive(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str | int):
        yield Fault(f"must be text, a whole number, or true or false, got {shown(value)}")
    elif isinstance(value, str) and (problem := text_problem(value)):
        yield Fault(problem)


def _share(value: Any) -> Iterator[Fault]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Fault(f"must be a number, got {shown(value)}")
    elif not 0 <= value <= 1:
        yield Fault(f"must be from 0 to 1, got {shown(value)}")


def _read_hyperparameters(written: Any) -> Any:
    FieldInvalid.raise_any(mapping_faults(written))
    return written


_NAME = Rule(_name, {"pattern": f"^{PATTERN}$"})
_FILE = Rule(_path, PATH_SCHEMA)
_HYPERPARAMETERS = Form(_read_hyperparameters, lambda: {"type": "object"})
_THRESHOLDS = Form(read_thresholds, thresholds_schema)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How the model is measured and what it must reach."""

    LATER: ClassVar[frozenset[str]] = frozenset({"time", "slices", "versus_champion"})

    dataset_path: Annotated[str | None, _FILE] = None
    """Labelled data held back from training: a data file or a dataset definition, relative to the project folder."""

    split: Annotated[Split | None, instance_of(Split)] = None
    """Instead of dataset_path: which rows of the plan's one dataset are held back from training."""

    metric_thresholds: Annotated[tuple[Threshold, ...], _THRESHOLDS, Rule(_thresholds)] = ()
    """What each metric must reach: a number, or bounds {min: ..., max: ...}. None at all: nothing is promoted."""

    key: Annotated[str | None, Rule(_text)] = None
    """The column that identifies a row, in both data; no agent sees it. Absent: that of the dataset definitions, if any."""

    group_by: Annotated[str | None, Rule(_text)] = None
    """The column of the evaluation data whose equal values make rows dependent; absent: that of its definition, if any."""

    evaluator: Annotated[str | None, Rule(_evaluator, {"pattern": f"^{EVALUATOR}$"})] = None
    """A function of a file under code, MODULE:FUNCTION, that gives metrics of the plan's own: own.NAME in the thresholds."""

    notes: Annotated[str | None, Rule(_text)] = None
    """Free text, kept with the plan."""

    gate: Annotated[Literal["none"] | None, one_of("none")] = None
    """Only 'none': promote without measuring. It needs a reason, and is shown wherever the model is."""

    reason: Annotated[str | None, Rule(_text)] = None
    """Why there is no gate."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())

    def to_document(self) -> dict[str, Json]:
        """The normal form, without what stands at its default."""
        document: dict[str, Json] = {
            name: value
            for name in ("dataset_path", "key", "group_by", "evaluator", "notes", "gate", "reason")
            if (value := getattr(self, name)) is not None
        }
        if self.split is not None:
            document["split"] = self.split.to_document()
        if self.metric_thresholds:
            document["metric_thresholds"] = {t.metric: t.to_document() for t in self.metric_thresholds}
        return document

    def _faults(self) -> Iterator[Fault]:
        yield from (fault.within("metric_thresholds") for fault in mixed_tasks(self.metric_thresholds))
        yield from self._evaluator_faults()
        if self.split is not None and self.dataset_path is not None:
            yield Fault("must be absent with 'dataset_path'", ("split",), "evaluation data is one or the other")
        if self.gate is not None:
            yield from self._ungated_faults()
            return
        if self.reason is not None:
            yield Fault("is only for 'gate: none'", ("reason",), "use 'notes' for anything else")
        if self.metric_thresholds and self.dataset_path is None and self.split is None:
            yield Fault("is missing", ("dataset_path",), "thresholds need data to measure on, or a 'split'")
        elif self.dataset_path is None and self.split is None and (named := self.key or self.group_by) is not None:
            yield Fault("is missing", ("dataset_path",), f"{shown(named)} is a column of the data to measure on")

    def _evaluator_faults(self) -> Iterator[Fault]:
        if self.evaluator is not None and self.dataset_path is None and self.split is None:
            yield Fault("needs data to measure on", ("evaluator",), "add 'dataset_path' or a 'split'")
        for threshold in self.metric_thresholds:
            if self.evaluator is None and own_name(threshold.metric) is not None:
                place = ("metric_thresholds", threshold.metric)
                yield Fault("{} needs an evaluator", place, "add 'evaluator: MODULE:FUNCTION'", of_key=True)

    def _ungated_faults(self) -> Iterator[Fault]:
        if self.reason is None:
            yield Fault("is missing", ("reason",), "'gate: none' needs a reason")
        if self.metric_thresholds:
            yield Fault("must be absent with 'gate: none'", ("metric_thresholds",))


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train, on what data, with what limits, and what the model must reach to be promoted."""

    lifecycle_id: Annotated[str, _NAME]
    """The lifecycle whose next version this plan makes."""

    agent_profile: Annotated[str, _NAME]
    """The kind of trainer; 'noa profiles' lists them."""

    dataset_path: Annotated[str, _FILE]
    """Training data: a data file or a dataset definition, relative to the project folder."""

    target: Annotated[str | None, Rule(_text)] = None
    """The column to predict; may stand in the dataset definition instead."""

    hyperparameters: Annotated[Mapping[str, Json], _HYPERPARAMETERS, Rule(mapping_faults)] = field(
        default_factory=dict, hash=False
    )
    """Settings of the trainer, handed over as they are."""

    evaluation: Annotated[EvaluationPlan | None, instance_of(EvaluationPlan)] = None
    """How the model is measured and what it must reach; absent: trained and recorded, not promoted."""

    search: Annotated[Search | None, instance_of(Search)] = None
    """Hyperparameters that are tried out on rows split off the training data, before the model is trained."""

    positive: Annotated[str | int | bool | None, Rule(_positive)] = None
    """The class that precision, recall and F1 speak of."""

    decision_threshold: Annotated[float, Rule(_share, {"minimum": 0, "maximum": 1})] = 0.5
    """Probability of the positive class from which a row is predicted positive."""

    quantiles: Annotated[tuple[float, ...], Rule(level_faults, LEVELS_SCHEMA)] = ()
    """Levels between 0 and 1 whose quantiles the model of a regression answers, instead of one number."""

    seed: Annotated[int, whole(0, 2**32 - 1)] = 0
    """Seed of every random choice of the trainer."""

    resources: Annotated[Resources, instance_of(Resources)] = field(default_factory=Resources)
    """Limits of the run."""

    code: Annotated[tuple[str, ...], Rule(_code)] = ()
    """Files copied into the workspace and kept with the version, relative to the project folder."""

    drift: Annotated[DriftSettings, instance_of(DriftSettings)] = field(default_factory=DriftSettings)
    """What counts as drift from the training data, once the model is the champion."""

    approvals: Annotated[Approvals | None, instance_of(Approvals)] = None
    """Who must enable a version that passed before it is the champion; absent: it is the champion at once."""

    executor: Annotated[Literal["local"], one_of("local")] = "local"
    """Where agents run; only 'local' in this version."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())
        if self.evaluation == EvaluationPlan():  # says as little as none at all
            object.__setattr__(self, "evaluation", None)
        object.__setattr__(self, "hyperparameters", plain(self.hyperparameters))
        object.__setattr__(self, "decision_threshold", float(self.decision_threshold) + 0.0)
        object.__setattr__(self, "quantiles", tuple(map(float, self.quantiles)))
        object.__setattr__(self, "code", tuple(self.code))

    @classmethod
    def load(cls, path: Path | str, project: Path | None = None, *, faults: Iterable[Fault] = ()) -> TrainingPlan:
        """Read the plan at ``path``; a relative path starts at ``project``, else at the current folder.

        The file is read once, through one descriptor. Paths inside the plan stay as written. ``faults`` that were found in
        the plan otherwise are shown at their places. Raises `PlanInvalid`.
        """
        data = read_file(Path(path) if project is None else project / path, name=str(path))
        return read_document(data, name=str(path), kind=cls, check=lambda _: faults)

    @classmethod
    def parse(cls, data: bytes, name: str) -> TrainingPlan:
        """The plan in ``data``: JSON when ``name`` ends in .json, else YAML. Raises `PlanInvalid` with every problem."""
        return read_document(data, name=name, kind=cls)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], name: str = "plan") -> TrainingPlan:
        """The plan in a document that Python already holds. Raises `PlanInvalid`."""
        FieldInvalid.raise_any(mapping_faults(document), of=name)
        return cls.parse(compact(plain(document)), name=name if name.endswith(".json") else f"{name}.json")

    def to_document(self) -> dict[str, Json]:
        """The normal form: what stands at its default is left out."""
        document: dict[str, Json] = {
            "lifecycle_id": self.lifecycle_id,
            "agent_profile": self.agent_profile,
            "dataset_path": self.dataset_path,
        }
        optional: dict[str, Json] = {
            "target": self.target,
            "hyperparameters": plain(self.hyperparameters) or None,
            "search": None if self.search is None else self.search.to_document(),
            "evaluation": None if self.evaluation is None else self.evaluation.to_document() or None,
            "positive": self.positive,
            "decision_threshold": None if self.decision_threshold == 0.5 else self.decision_threshold,
            "quantiles": list(self.quantiles) or None,
            "seed": self.seed or None,
            "resources": self.resources.to_document() or None,
            "code": list(self.code) or None,
            "drift": self.drift.normal_form() or None,
            "approvals": None if self.approvals is None else self.approvals.to_document(),
        }
        return document | {name: value for name, value in optional.items() if value is not None}

    @property
    def evaluator_file(self) -> str | None:
        """The file under ``code`` that the evaluator's module is; None without an evaluator."""
        if self.evaluation is None or self.evaluation.evaluator is None:
            return None
        module = self.evaluation.evaluator.partition(":")[0]
        return next((path for path in self.code if PurePosixPath(path).name == f"{module}.py"), None)

    @property
    def digest(self) -> str:
        """SHA-256 of the normal form in canonical JSON, in lower-case hex."""
        return sha256(canonical(self.to_document()))

    def _faults(self) -> Iterator[Fault]:
        for threshold in self.evaluation.metric_thresholds if self.evaluation is not None else ():
            if threshold.row.task == "regression" and (lack := lacking(threshold.metric, self.quantiles)):
                named = ("evaluation", "metric_thresholds", threshold.metric)
                yield Fault(f"{{}} {lack}", named, "name what it needs under 'quantiles'", of_key=True)
        if self.evaluation is None or self.evaluation.evaluator is None:
            return
        module = self.evaluation.evaluator.partition(":")[0]
        files = [path for path in self.code if PurePosixPath(path).name == f"{module}.py"]
        place = ("evaluation", "evaluator")
        if not files:
            yield Fault(f"must name a file under code; {module}.py is not there", place, f"add 'code: [{module}.py]'")
        elif len(files) > 1:
            yield Fault(f"must name one file under code; there are {' and '.join(files)}", place)
