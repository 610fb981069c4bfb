"""What a plan wants learnt: the task, its classes, the class that counts; and whether any model could reach its thresholds.

A threshold that no model can meet on these data is a mistake of the plan, found before anything is trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from noa_mlops.agents import AgentProfile
from noa_mlops.datasets import Dataset, classes_of
from noa_mlops.errors import PlanInvalid
from noa_mlops.records.metrics import Task, metrics_for
from noa_mlops.records.plan import Threshold, TrainingPlan
from noa_mlops.records.verdict import ClassLabel

SHOWN = 10
"""Labels that a message lists."""

NO_NUMBERS = ("text", "category", "time")
"""Types of columns that no regression can predict."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The task; for a classification the sorted distinct labels of the training data, and the positive one of two."""

    task: Task
    classes: tuple[ClassLabel, ...] | None
    positive: ClassLabel | None


def objective(
    plan: TrainingPlan, profile: AgentProfile, train: Dataset, evaluation: Dataset | None, target: str
) -> Objective:
    """What ``profile`` is to learn about the column ``target``. Raises `PlanInvalid` when plan and data do not fit."""
    wanted = plan.evaluation.metric_thresholds if plan.evaluation is not None else ()
    task = _task(plan, profile, train, target, wanted)
    if task == "regression":
        _check_numbers(plan, profile, train, target)
        return Objective(task, None, _positive(plan, None, wanted))
    classes = tuple(classes_of(train.table, target))
    if len(classes) < 2:
        raise PlanInvalid(f"{plan.dataset_path}: the target {target!r} has one class only ({classes[0]!r})")
    _check_defined(target, classes, wanted)
    positive = _positive(plan, classes, wanted)
    if evaluation is not None:
        _check_labels(evaluation, target, classes, positive if _binary(wanted) else None)
    return Objective(task, classes, positive)


def _task(plan: TrainingPlan, profile: AgentProfile, train: Dataset, target: str, wanted: Iterable[Threshold]) -> Task:
    measured = [metric for threshold in wanted if (metric := threshold.row).task is not None]
    asked: Task | None = "regression" if plan.quantiles else measured[0].task if measured else None
    task: Task = profile.task or asked or _task_of(train, target)
    if plan.quantiles and task != "regression":
        raise PlanInvalid(f"quantiles: {profile.name} learns {task}; only a regression answers quantiles")
    for metric in measured:
        if metric.task != task:
            raise PlanInvalid(
                f"evaluation.metric_thresholds.{metric.name} measures {metric.task}, "
                f"but {profile.name} on {target!r} is {task}"
            )
    return task


def _task_of(train: Dataset, target: str) -> Task:
    return "regression" if _type(train, target) == "float" else "classification"


def _type(train: Dataset, target: str) -> str:
    return next(column.type for column in train.identity.columns if column.name == target)


def _check_numbers(plan: TrainingPlan, profile: AgentProfile, train: Dataset, target: str) -> None:
    kind = _type(train, target)
    if kind in NO_NUMBERS:
        raise PlanInvalid(
            f"{plan.dataset_path}: the target {target!r} is {kind}; {profile.name} would have to predict numbers",
            hint="Name a target of numbers, or use a profile and metrics for classification.",
        )


def _check_defined(target: str, classes: tuple[ClassLabel, ...], wanted: Iterable[Threshold]) -> None:
    """Metrics of two classes need two classes."""
    binary = _binary(wanted)
    if len(classes) != 2 and binary:
        known = ", ".join(metric.name for metric in metrics_for("classification", binary=False))
        raise PlanInvalid(
            f"evaluation.metric_thresholds.{binary[0]} is defined for two classes; "
            f"{target!r} has {len(classes)}: {_listed(classes)}",
            hint=f"For any number of classes there are {known}.",
        )


def _positive(
    plan: TrainingPlan, classes: tuple[ClassLabel, ...] | None, wanted: Iterable[Threshold]
) -> ClassLabel | None:
    """The positive class: the one the plan names, else True or the larger number; text has no larger side."""
    if plan.positive is not None:
        if classes is None or plan.positive not in classes:
            shown = "no classes" if classes is None else _listed(classes)
            raise PlanInvalid(f"positive: {plan.positive!r} is not a class of the target; it has {shown}")
        return next(label for label in classes if label == plan.positive)
    if classes is None or len(classes) != 2:
        return None
    if not isinstance(classes[1], str):
        return classes[1]
    if binary := _binary(wanted):
        raise PlanInvalid(
            f"{binary[0]} needs to know which class counts: add 'positive: {classes[0]}' or 'positive: {classes[1]}'"
        )
    return classes[1]


def _check_labels(
    evaluation: Dataset, target: str, classes: tuple[ClassLabel, ...], positive: ClassLabel | None
) -> None:
    """The evaluation data must have labels that a model can hit; ``positive``, unless None, must be one of them."""
    labels = sorted(evaluation.table.column(target).unique().drop_null().to_pylist())
    if not labels:
        return
    if not any(label in classes for label in labels):
        raise PlanInvalid(
            f"{_named(evaluation)}: no label of {target!r} is a class of the training data ({_listed(classes)}); "
            f"it has {_listed(labels)}",
            hint=_ALIKE,
        )
    if positive is not None and positive not in labels:
        raise PlanInvalid(
            f"{_named(evaluation)}: no row has the positive class {positive!r} in {target!r}; it has {_listed(labels)}",
            hint=_ALIKE,
        )


def _named(evaluation: Dataset) -> str:
    """The field of the plan that the evaluation rows come from."""
    return "evaluation.dataset_path" if evaluation.identity.whole is None else "evaluation.split"


def _binary(wanted: Iterable[Threshold]) -> list[str]:
    """The thresholds' metrics that are defined for two classes only."""
    return [threshold.metric for threshold in wanted if threshold.row.binary_only]


def _listed(labels: Iterable[ClassLabel]) -> str:
    shown = [repr(label) for label in labels]
    return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if shown[SHOWN:] else "")


_ALIKE = "Write the labels of both data alike, or name data that has the class."
