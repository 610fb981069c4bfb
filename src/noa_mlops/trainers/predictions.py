"""The answer of a prediction: one row per row of the features, in the columns that the verifier reads.

``p_0`` to ``p_{k-1}`` are the probabilities of ``classes[0]`` to ``classes[k-1]``; ``q_5``, ``q_50`` and so on the quantiles of
a regression that was asked for them; ``prediction`` is a number or, of a classifier without probabilities, a class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from noa_mlops.records import levels
from noa_mlops.trainers.contract import JobInvalid

FILE = "predictions.parquet"
"""The file in ``out/`` that holds the answer."""


def as_predictions(values: Any, classes: Sequence[Any] | None, quantiles: Sequence[float] = ()) -> pa.Table:
    """``values`` in the columns of an answer; ``classes`` is None for a regression, which answers ``quantiles`` if there are.

    Raises `JobInvalid` when they have a shape or a kind that cannot be one.
    """
    if isinstance(values, pa.Table):
        values = _values_of(values, levels.columns(quantiles))
    if quantiles:
        return _of_quantiles(values, levels.columns(quantiles))
    return _of_numbers(values) if classes is None else _of_classes(values, classes)


def write_predictions(answer: pa.Table, rows: int, out: Path) -> None:
    """Write the answer for ``rows`` rows into the folder ``out``. Raises `JobInvalid` for another count."""
    if answer.num_rows != rows:
        raise JobInvalid(f"{answer.num_rows} predictions for {rows} rows; give one per row, in their order")
    parquet.write_table(answer, out / FILE)


def _values_of(table: pa.Table, quantiles: Sequence[str]) -> Any:
    names = table.column_names
    if quantiles and sorted(names) == sorted(quantiles):
        return np.column_stack([table.column(name).to_numpy() for name in quantiles])
    if names == ["prediction"]:
        return table.column("prediction").to_pylist()
    if names and names == [f"p_{i}" for i in range(len(names))]:
        return np.column_stack([column.to_numpy() for column in table.columns])
    raise JobInvalid(f"the predictions have the columns {names[:10]}; give prediction, or p_0, p_1 and so on")


def _of_numbers(values: Any) -> pa.Table:
    array = _array(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise JobInvalid(f"predictions have the shape {array.shape}; a regression needs (n,)")
    return pa.table({"prediction": _finite(array)})


def _of_quantiles(values: Any, names: Sequence[str]) -> pa.Table:
    array = _array(values)
    if array.ndim == 1 and len(names) == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise JobInvalid(
            f"predictions have the shape {array.shape}; the plan asks for quantiles (n, {len(names)}), in the order of "
            f"job.quantiles: {', '.join(names)}"
        )
    numbers = _finite(array)
    return pa.table({name: numbers[:, place] for place, name in enumerate(names)})


def _finite(array: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise JobInvalid(f"predictions of a regression must be numbers: {error}") from error
    if bad := int(np.count_nonzero(~np.isfinite(numbers))):
        raise JobInvalid(f"{bad} of {numbers.size} predictions are not finite numbers")
    return numbers


def _of_classes(values: Any, classes: Sequence[Any]) -> pa.Table:
    array = _array(values)
    if array.ndim == 2 and array.shape[1] == len(classes):
        return _of_probabilities(array)
    if array.ndim == 1:
        return _of_labels(array.tolist(), classes)
    raise JobInvalid(
        f"predictions have the shape {array.shape}; this classification needs probabilities (n, {len(classes)}), "
        f"in the order of job.classes, or classes (n,)"
    )


def _of_probabilities(array: np.ndarray[Any, Any]) -> pa.Table:
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise JobInvalid(f"probabilities must be numbers: {error}") from error
    if not np.all(np.isfinite(numbers)) or not np.allclose(numbers.sum(axis=1), 1.0, atol=1e-3):
        raise JobInvalid("probabilities must be finite and add up to 1 in each row")
    if numbers.size and (numbers.min() < 0 or numbers.max() > 1):
        raise JobInvalid("probabilities must lie between 0 and 1")
    return pa.table({f"p_{i}": numbers[:, i] for i in range(numbers.shape[1])})


def _of_labels(labels: Sequence[Any], classes: Sequence[Any]) -> pa.Table:
    known = {value: value for value in classes}
    for label in labels:
        if not isinstance(label, Hashable) or label not in known:
            raise JobInvalid(
                f"the prediction {label!r} is none of the classes {list(classes)[:10]}; for probabilities give an array "
                f"(n, {len(classes)}) in the order of job.classes"
            )
    return pa.table({"prediction": pa.array([known[label] for label in labels])})


def _array(values: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise JobInvalid(f"predictions are no array: {error}") from error
