"""A plan's own evaluator: ``FUNCTION(job)`` of a module under ``code``, run where predictors run.

It sees the labelled rows and what the model answered, and returns a mapping from names to numbers, or to
``{"per_row": values}`` for a metric that is the mean of one number per row. What it returns is written down here and
checked again by the verifier (`noa_mlops.evaluation.own`), which trusts none of it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from noa_mlops.records.own_metrics import MOST, NUMBERS, PER_ROW, own_name_problem
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import launch_one_of
from noa_mlops.trainers.python import call, saying_where

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def evaluate(job: Job) -> None:
    """Call the evaluator and write what it returns. Raises `JobInvalid`, `UserCodeFailed`."""
    module, _, function = (job.evaluator or "").partition(":")
    path = next((path for path in job.code_files if path.rpartition("/")[2] == f"{module}.py"), None)
    if path is None:
        raise JobInvalid(f"the evaluator's module {module!r} is not among the code files")
    with saying_where(job):
        returned = call(job.code / path, function, job)
    if not isinstance(returned, Mapping):
        raise JobInvalid(
            f"{job.evaluator} returned {type(returned).__name__}; it returns a mapping from names to numbers"
        )
    if len(returned) > MOST:
        raise JobInvalid(f"{job.evaluator} returned {len(returned)} metrics; {MOST} is the most")
    _write(job, {_name(name): value for name, value in returned.items()})


def _write(job: Job, returned: Mapping[str, Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    each = {name: value for name, value in returned.items() if isinstance(value, Mapping)}
    numbers = {name: _number(name, value) for name, value in returned.items() if name not in each}
    columns = {name: _per_row(name, value, job.data.rows) for name, value in each.items()}
    (job.out / NUMBERS).write_text(json.dumps(numbers, allow_nan=False))
    if columns:
        parquet.write_table(pa.table(columns), job.out / PER_ROW)


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise JobInvalid(f"the name {name!r:.80} of a metric is no text")
    if problem := own_name_problem(name):
        raise JobInvalid(f"the metric {name!r:.80} {problem}")
    return name


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        kind = type(value).__name__
        raise JobInvalid(
            f"the metric {name!r} is of type {kind} ({value!r:.60}); it must be a number, "
            "or {'per_row': one number for each row} for a mean over the rows"
        )
    try:
        number = float(value)
    except OverflowError as error:
        raise JobInvalid(f"the metric {name!r} is too large for a number") from error
    if not math.isfinite(number):
        raise JobInvalid(f"the metric {name!r} is {number}, which is no measurement")
    return number


def _per_row(name: str, value: Mapping[Any, Any], rows: int) -> npt.NDArray[np.float64]:
    import numpy as np

    if value.keys() != {"per_row"}:
        raise JobInvalid(
            f"the metric {name!r} is a mapping with {sorted(map(str, value))[:5]}; write {{'per_row': values}}"
        )
    each = np.asarray(value["per_row"])
    if each.dtype.kind not in "fiu" or each.shape != (rows,):
        raise JobInvalid(
            f"the metric {name!r} has {each.dtype} of shape {each.shape} per row; it needs numbers ({rows},)"
        )
    if wrong := int(np.count_nonzero(~np.isfinite(each))):
        raise JobInvalid(f"the metric {name!r} is not a finite number on {wrong} of {rows} rows")
    return each.astype(np.float64)


if __name__ == "__main__":
    sys.exit(launch_one_of({"evaluate": evaluate}))
