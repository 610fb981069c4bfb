"""By which columns of the evaluation data a plan wants its metrics apart, and by which its rows depend on each other.

Such columns need not be features: they are taken from the data as it was read, so one that a definition hides from
agents can still be a slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from noa_mlops.datasets import Dataset
from noa_mlops.errors import PlanInvalid
from noa_mlops.evaluation import SliceColumn
from noa_mlops.lifecycle.forecasting import blocks
from noa_mlops.records.documents import compact
from noa_mlops.records.metrics import METRICS
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.slices import MAX_CELLS, MAX_LENGTH, MAX_VALUES


@dataclass(frozen=True, slots=True)
class Grouping:
    """The column whose equal values make rows dependent, with a value for each evaluation row.

    ``in_blocks``: the values are the numbers of blocks of times, of a series that is forecast.
    """

    column: str
    values: pa.ChunkedArray
    in_blocks: bool = False

    def to_document(self) -> Mapping[str, Any]:
        """As an entry records it: the column and how many groups there are."""
        more = {"blocks": True} if self.in_blocks else {}
        return {"column": self.column, "groups": len(self.values.unique()), **more}


def grouping(plan: TrainingPlan, evaluation: Dataset, target: str) -> Grouping | None:
    """The groups of the rows by the plan, else by the dataset definition. Raises `PlanInvalid` for a column that is none."""
    declared = None if plan.evaluation is None else plan.evaluation.group_by
    if declared is not None:
        evaluation.require_column(declared, "evaluation.group_by")
    column = declared or evaluation.definition.group
    if column is None:
        within = blocks(evaluation)
        return None if within is None else Grouping(str(evaluation.definition.time), within, in_blocks=True)
    if column == target:
        raise PlanInvalid(f"evaluation.group_by: {column!r} is the target, which says nothing of how rows depend")
    return Grouping(column, evaluation.table.column(column))


def slice_columns(plan: TrainingPlan, evaluation: Dataset, target: str) -> tuple[SliceColumn, ...]:
    """The columns whose slices are measured, each with the metrics that are asked for.

    Raises `PlanInvalid` for a column that is not there, is the target, or has values of which no slices can be made; and
    when more is asked for than one ledger line holds.
    """
    asked = _asked(plan, evaluation)
    columns = tuple(_column(evaluation, target, name, field, metrics) for name, (field, metrics) in asked.items())
    cells = sum(len(column.metrics) * len(column.values.unique()) for column in columns)
    if cells > MAX_CELLS:
        each = ", ".join(f"{len(one.metrics)} metrics by {one.name!r}" for one in columns)
        raise PlanInvalid(
            f"evaluation.metric_thresholds asks for {cells} measurements in slices ({each}); at most {MAX_CELLS} are recorded",
            hint="Ask for slices in fewer metrics, or by columns of fewer values.",
        )
    return columns


def _asked(plan: TrainingPlan, evaluation: Dataset) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """For each column the field that names it first, and the metrics; those of the definition are for all thresholds."""
    asked: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name, field, metric in _named(plan, evaluation):
        first, metrics = asked.get(name, (field, ()))
        asked[name] = first, metrics if metric in metrics else (*metrics, metric)
    return asked


def _named(plan: TrainingPlan, evaluation: Dataset) -> Iterator[tuple[str, str, str]]:
    thresholds = () if plan.evaluation is None else plan.evaluation.metric_thresholds
    for threshold in thresholds:
        place = f"evaluation.metric_thresholds.{threshold.metric}"
        for name in threshold.slices:
            yield name, f"{place}.slices", threshold.metric
        if threshold.fairness is not None:
            yield threshold.fairness.by, f"{place}.fairness.by", threshold.metric
    horizon = evaluation.definition.horizon
    for name in (*evaluation.definition.slices, *(() if horizon is None else (horizon,))):
        for threshold in thresholds:
            if threshold.row.interval and threshold.metric in METRICS:
                yield name, f"slices in {evaluation.identity.path}", threshold.metric


def _column(evaluation: Dataset, target: str, name: str, field: str, metrics: tuple[str, ...]) -> SliceColumn:
    evaluation.require_column(name, field)
    values = evaluation.table.column(name)
    problem = (
        "is the target; recall_macro is the mean of recall over its classes" if name == target else _problem(values)
    )
    if problem is not None:
        raise PlanInvalid(
            f"{field}: the column {name!r} {problem}",
            hint="Name a column of few kinds: text, truth values or whole numbers. Bins are a column of their own.",
        )
    return SliceColumn(name, values, metrics)


def _problem(values: pa.ChunkedArray) -> str | None:
    """Why no slices can be made of the values of a column."""
    if pt.is_floating(values.type) or pt.is_timestamp(values.type):
        return f"holds {'points in time' if pt.is_timestamp(values.type) else 'numbers with fractions'}, not kinds"
    distinct = values.unique()
    if len(distinct) > MAX_VALUES:
        return f"has {len(distinct)} different values; slices are made of at most {MAX_VALUES}"
    longest = max(map(_length, distinct.to_pylist()))
    if longest > MAX_LENGTH:
        return f"has a value of {longest} bytes; a slice is named by at most {MAX_LENGTH}"
    return None


def _length(value: object) -> int:
    return len(compact(value)) - 2 if isinstance(value, str) else 0
