"""Rows as people hold them, as an Arrow table; and the answers in the form of the rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from noa_mlops.errors import DatasetInvalid

_HINT = "Give an Arrow table, a DataFrame, a mapping from name to values, or a NumPy array of two dimensions."


def as_table(rows: Any, features: Sequence[str]) -> pa.Table:
    """``rows`` as a table; a plain NumPy array has the ``features`` as its columns. Raises `DatasetInvalid`."""
    try:
        table = _table(rows, features)
    except (pa.ArrowException, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if (mixed := _mixed_column(rows)) is not None:
            hint = f"Make it one type, for example: frame[{mixed!r}] = frame[{mixed!r}].astype(str)"
            raise DatasetInvalid(f"the column {mixed!r} mixes values of several types", hint=hint) from None
        raise DatasetInvalid(f"the rows cannot be read as a table: {reason}", hint=_HINT) from error
    names = table.column_names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetInvalid(f"the rows have the column {twice!r:.80} twice", hint="Name each feature once.")
    return table


def in_the_form_of(rows: Any, answers: pa.Table) -> Any:
    """``answers`` as a ``DataFrame`` with the index of ``rows`` when that is one, else as they are."""
    if not _is_pandas(rows):
        return answers
    frame = answers.to_pandas()
    frame.index = rows.index
    return frame


def _table(rows: Any, features: Sequence[str]) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, Mapping):
        return pa.table({str(name): _column(values) for name, values in rows.items()})
    if isinstance(rows, np.ndarray):
        return _of_array(rows, features)
    if _is_pandas(rows):
        return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    if hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"):
        return pa.table(rows)
    raise TypeError(f"they are of type {type(rows).__name__}")


def _of_array(rows: np.ndarray[Any, Any], features: Sequence[str]) -> pa.Table:
    if rows.dtype.names is not None:
        return pa.table({name: pa.array(np.ascontiguousarray(rows[name])) for name in rows.dtype.names})
    if rows.ndim != 2 or rows.shape[1] != len(features):
        raise ValueError(f"an array of shape {rows.shape} has not the {len(features)} features {', '.join(features)}")
    return pa.table({name: _column(rows[:, place]) for place, name in enumerate(features)})


def _column(values: Any) -> Any:
    """Values as Arrow takes them; an array of objects is looked at value by value."""
    if isinstance(values, np.ndarray):
        return pa.array(values.tolist() if values.dtype == object else np.ascontiguousarray(values))
    return values


def _mixed_column(rows: Any) -> Any:
    """The name of the first column of a DataFrame that Arrow has no type for, None when there is none."""
    if not _is_pandas(rows) or not rows.columns.is_unique:
        return None
    for name in rows.columns:
        try:
            pa.Array.from_pandas(rows[name])
        except (pa.ArrowException, ValueError, TypeError):
            return name
    return None


def _is_pandas(rows: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)
