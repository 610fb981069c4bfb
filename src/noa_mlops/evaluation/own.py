"""What a plan's own evaluator handed in: looked at like the predictions of a stranger, then measured like any metric.

A metric is a number, or one number per row whose mean it is; of the latter the rows are known, so it has an interval and
can be compared with the champion. Whatever cannot be read as that refuses the whole evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import missing
from noa_mlops.evaluation.influence import of_mean
from noa_mlops.evaluation.predictions import Floats, missing_rows
from noa_mlops.evaluation.subject import Groups, spread_of
from noa_mlops.files import UnsafePath, open_beneath, read_capped
from noa_mlops.records.documents import DocumentInvalid, parse_object
from noa_mlops.records.own_metrics import MOST, NUMBERS, PER_ROW, PREFIX, own_name, own_name_problem
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate

MAX_NUMBERS, MAX_PER_ROW = 64 << 10, 4 << 30
"""Bytes of the largest files that are read."""


@dataclass(frozen=True, slots=True)
class OwnMetrics:
    """Metrics of one model by the evaluator's names: plain ``numbers``, and means of ``per_row``; over ``rows`` rows.

    ``groups`` numbers the group of each row, None when rows are independent.
    """

    rows: int
    numbers: Mapping[str, float] = field(default_factory=dict)
    per_row: Mapping[str, Floats] = field(default_factory=dict)
    groups: Groups | None = None

    def value(self, name: str) -> float | None:
        """The metric of that name; None when the evaluator did not give it."""
        return float(self.per_row[name].mean()) if name in self.per_row else self.numbers.get(name)

    def estimates(self) -> Mapping[str, Estimate]:
        """Every metric under the name that the evidence has for it, with its spread where there are rows."""
        found = {name: Estimate(value, self.rows) for name, value in self.numbers.items()}
        found |= {name: _mean(each, self.groups) for name, each in self.per_row.items()}
        return {f"{PREFIX}{name}": found[name] for name in sorted(found)}


def measurable(predictions: pa.Table, labels: pa.ChunkedArray) -> npt.NDArray[np.bool_] | None:
    """The rows that have a label; None when no metric of them has a value, as a prediction is missing or every label is."""
    rows = ~missing(labels)
    return rows if rows.any() and not missing_rows(predictions) else None


def read_own_metrics(folder: Path, rows: int, groups: Groups | None = None) -> OwnMetrics:
    """What an evaluator left in ``folder`` about ``rows`` rows in ``groups``. Raises `EvaluationFailed`."""
    try:
        numbers = {name: _number(name, value) for name, value in _document(folder).items()}
        columns = _columns(folder, rows)
    except (OSError, UnsafePath, pa.ArrowException, ValueError) as error:
        raise _refused(str(error).splitlines()[0][:300]) from error
    if twice := sorted(numbers.keys() & columns.keys()):
        raise _refused(f"it gave {twice[0]!r} twice, as a number and per row")
    if len(numbers) + len(columns) > MOST:
        raise _refused(f"it gave {len(numbers) + len(columns)} metrics; {MOST} is the most")
    for name in (*numbers, *columns):
        if problem := own_name_problem(name):
            raise _refused(f"the metric {name!r:.80} {problem}")
    return OwnMetrics(rows, numbers, columns, groups)


def check_own_metrics(given: OwnMetrics, thresholds: Iterable[Threshold]) -> None:
    """Raise `EvaluationFailed` unless there is all that the thresholds ask of the plan's own metrics."""
    for threshold in thresholds:
        name = own_name(threshold.metric)
        if name is None or name in given.per_row:
            continue
        if name not in given.numbers:
            names = ", ".join(sorted({*given.numbers, *given.per_row})) or "nothing"
            raise _refused(f"it gave no {name!r}, which evaluation.metric_thresholds asks for; it gave {names}")
        if threshold.confidence is not None or threshold.compares:
            asks = "asks for a confidence" if threshold.confidence is not None else "compares it with the champion"
            raise _refused(
                f"it gave one number for {name!r}, and the plan {asks}, for which its spread must be known: "
                "return {'per_row': one number for each row}, or write 'versus_champion: none' and no confidence"
            )


def improvements(
    challenger: OwnMetrics, champion: OwnMetrics, thresholds: Iterable[Threshold]
) -> Mapping[str, Estimate]:
    """How much better the challenger is in each of the plan's own metrics that are compared; paired row by row."""
    found = {}
    for threshold in thresholds:
        name = own_name(threshold.metric)
        if name is not None and threshold.compares and name in challenger.per_row and name in champion.per_row:
            sign = 1.0 if threshold.row.direction == "higher" else -1.0
            found[threshold.metric] = _mean(
                sign * (challenger.per_row[name] - champion.per_row[name]), challenger.groups
            )
    return found


def _mean(each: Floats, groups: Groups | None) -> Estimate:
    with np.errstate(over="ignore"):
        estimate = Estimate.of(float(each.mean()), each.size)
    if estimate.value is None:
        return estimate
    return Estimate(estimate.value, each.size, spread=spread_of(lambda: of_mean(each), groups))


def _document(folder: Path) -> Mapping[str, object]:
    try:
        with open_beneath(folder, NUMBERS) as stream:
            return parse_object(stream.read(MAX_NUMBERS + 1), limit=MAX_NUMBERS)
    except FileNotFoundError as error:
        raise ValueError(f"it left no {NUMBERS}") from error
    except DocumentInvalid as error:
        raise ValueError(f"its {NUMBERS} {error}") from error


def _number(name: str, value: object) -> float:
    """A finite number; true is not 1, and text is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the metric {name!r:.80} is {value!r:.60}, not a number")
    return float(value)


def _columns(folder: Path, rows: int) -> Mapping[str, Floats]:
    """The metrics per row, looked at before they are decoded."""
    try:
        with open_beneath(folder, PER_ROW) as stream:
            data = read_capped(stream, MAX_PER_ROW)
    except FileNotFoundError:
        return {}
    if data is None:
        raise ValueError(f"{PER_ROW} is larger than {MAX_PER_ROW} bytes")
    file = pa.parquet.ParquetFile(pa.BufferReader(data))
    if file.metadata.num_rows != rows or file.metadata.num_columns > MOST:
        raise ValueError(f"{PER_ROW} has {file.metadata.num_rows} rows; expected {rows}, in at most {MOST} columns")
    names = [column.name for column in file.schema_arrow]
    if len(set(names)) != len(names):
        raise ValueError(f"{PER_ROW} has a column twice")
    if wrong := [column.name for column in file.schema_arrow if column.type != pa.float64()]:
        raise ValueError(f"the metric {wrong[0]!r:.80} is not of numbers (float64) per row")
    return {name: _finite(name, column) for name, column in zip(names, file.read().columns, strict=True)}


def _finite(name: str, column: pa.ChunkedArray) -> Floats:
    if column.null_count:
        raise ValueError(f"the metric {name!r:.80} has no value on {column.null_count} rows")
    each = np.asarray(column.to_numpy(), dtype=np.float64)
    if wrong := int(np.count_nonzero(~np.isfinite(each))):
        raise ValueError(f"the metric {name!r:.80} is not a finite number on {wrong} rows")
    return each


def _refused(reason: str) -> EvaluationFailed:
    return EvaluationFailed(f"the plan's own evaluator: {reason}", cause="evaluator", hint=_HINT)


_HINT = "Correct the evaluator or the plan and run the plan again."
