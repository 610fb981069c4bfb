"""Classes: from the values of a column to positions in the class list of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from noa_mlops.errors import EvaluationFailed
from noa_mlops.records.verdict import ClassLabel

Codes = npt.NDArray[np.int64]
"""One class position per row."""


@dataclass(frozen=True, slots=True)
class ClassList:
    """The classes of a model in its order; ``positive`` is the position of the positive one, None unless there are two."""

    values: tuple[ClassLabel, ...]
    positive: int | None

    @classmethod
    def of(cls, values: Sequence[ClassLabel] | None, positive: ClassLabel | None) -> ClassList:
        """Check a class list; of two classes the second is positive unless ``positive`` names the other.

        Raises `EvaluationFailed` for an empty list, for classes that are equal (1 and true are), of mixed
        kinds or neither whole numbers, truth values nor text, and for a positive class that is not in it.
        """
        classes = tuple(values or ())
        if not classes:
            raise EvaluationFailed("the model has no class list")
        if {type(value) for value in classes} not in ({bool}, {int}, {str}):
            raise EvaluationFailed("the classes of a model are all whole numbers, all truth values or all text")
        if len(set(classes)) != len(classes):
            raise EvaluationFailed("the class list of the model has a class twice")
        if positive is not None and positive not in classes:
            raise EvaluationFailed(
                f"the positive class {shown(positive)} is not a class of the model: {listed(classes)}"
            )
        if len(classes) != 2:
            return cls(classes, None)
        return cls(classes, 1 if positive is None else classes.index(positive))

    def codes(self, column: pa.ChunkedArray) -> tuple[Codes, tuple[object, ...]]:
        """The position of each value of a column without nulls, and the values that are no class of the model.

        Values compare as numbers do, so 1, 1.0 and true are one class; text is never a number. The i-th
        unknown value has the position ``len(values) + i``.
        """
        pieces = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        encoded = pc.dictionary_encode(pieces)
        distinct = encoded.dictionary.to_pylist()
        known: dict[object, int] = {value: position for position, value in enumerate(self.values)}
        unknown = tuple(sorted((value for value in distinct if value not in known), key=str))
        positions = known | {value: len(known) + extra for extra, value in enumerate(unknown)}
        table = np.array([positions[value] for value in distinct], dtype=np.int64)
        return table[encoded.indices.to_numpy()], unknown


def plain(column: pa.ChunkedArray, *, name: str) -> pa.ChunkedArray:
    """A column of classes as whole numbers, truth values, floating-point numbers or text.

    Dictionary-encoded columns are decoded. Raises `EvaluationFailed` for any other type.
    """
    kind = column.type
    if pt.is_dictionary(kind):
        return plain(pc.cast(column, kind.value_type), name=name)
    if pt.is_null(kind) or pt.is_boolean(kind) or pt.is_integer(kind) or pt.is_floating(kind):
        return column
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    raise EvaluationFailed(f"{name} are of type {kind}, which names no classes")


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether a `plain` column holds text."""
    return bool(pt.is_large_string(column.type))


def missing(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Which rows hold no value: null or NaN."""
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy())


def shown(value: object) -> str:
    """A value as messages show it: cut, control characters escaped."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def listed(values: Sequence[object], most: int = 5) -> str:
    """The first few of ``values`` as messages show them."""
    text = ", ".join(shown(value) for value in values[:most])
    return text if len(values) <= most else f"{text} and {len(values) - most} more"
