"""Metrics in every slice of the rows: one sort by the values of a column, then each slice is measured as a whole is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.evaluation.classes import missing
from noa_mlops.evaluation.comparing import Answers, subject_of
from noa_mlops.evaluation.measurement import grouped
from noa_mlops.evaluation.subject import Groups, Subject, estimates, taken
from noa_mlops.records.metrics import Task
from noa_mlops.records.slices import Sliced, SliceValue
from noa_mlops.records.verdict import ClassLabel


@dataclass(frozen=True, slots=True)
class SliceColumn:
    """A column, with a value for each row of the labels, and the metrics that are asked for in its slices."""

    name: str
    values: pa.ChunkedArray
    metrics: tuple[str, ...]


def measure_slices(
    answers: Answers,
    labels: pa.ChunkedArray,
    columns: Sequence[SliceColumn],
    *,
    task: Task,
    positive: ClassLabel | None = None,
    group_by: pa.ChunkedArray | None = None,
) -> Mapping[str, Sliced]:
    """The metrics of each column in the rows of each of its values, as far as they have a label; rows without one are a slice too.

    Nothing when the model is silent on some rows, as nothing is measured then. ``group_by`` is that of `evaluate`. Raises
    `EvaluationFailed` for predictions that cannot be read.
    """
    groups = None if group_by is None else grouped(group_by, labels)
    subject = subject_of(answers, labels, task, positive, groups)
    if subject is None:
        return {}
    kept = pa.array(~missing(labels))
    return {column.name: _sliced(subject, column.values.filter(kept), column.metrics, groups) for column in columns}


def _sliced(subject: Subject, column: pa.ChunkedArray, metrics: tuple[str, ...], groups: Groups | None) -> Sliced:
    values, codes = _coded(column)
    order = np.argsort(codes, kind="stable")
    sorted_subject = taken(subject, order)
    sorted_groups = None if groups is None else groups[order]
    rows = np.bincount(codes, minlength=len(values))
    found = [
        estimates(
            taken(sorted_subject, place), None if sorted_groups is None else _dense(sorted_groups[place]), metrics
        )
        for place in _places(rows)
    ]
    return Sliced(
        values, tuple(int(count) for count in rows), {name: tuple(one[name] for one in found) for name in metrics}
    )


def _coded(column: pa.ChunkedArray) -> tuple[tuple[SliceValue, ...], npt.NDArray[np.int64]]:
    """The distinct values, sorted, null last, and the place of each row's value among them."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda place: (values[place] is None, values[place]))
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values))
    return tuple(values[place] for place in order), ranks[encoded.indices.to_numpy()]


def _places(rows: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Where each slice lies, once the rows are sorted."""
    ends = np.cumsum(rows)
    yield from (slice(int(end - count), int(end)) for end, count in zip(ends, rows, strict=True))


def _dense(groups: Groups) -> Groups:
    """Groups numbered from 0 on without gaps, as those that are in a slice."""
    return np.asarray(np.unique(groups, return_inverse=True)[1], dtype=np.int64)
