"""The column to learn: class numbers in the order of the classes, or finite numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.trainers.contract import JobInvalid

if TYPE_CHECKING:
    Vector: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]


def of_classes(table: pa.Table, target: str | None, classes: Sequence[Any]) -> tuple[pa.Table, Vector]:
    """The rows that have a label, and for each the position of its label in ``classes``.

    Raises `JobInvalid` when there are fewer than two classes, or labels that are none of them.
    """
    rows, labels = _known(table, target)
    if len(classes) < 2:
        raise JobInvalid(f"the target {target!r} has {len(classes)} classes in training; a classifier needs two")
    try:
        found = pc.index_in(labels, value_set=pa.array(classes, labels.type))
    except (pa.ArrowException, TypeError) as error:
        raise JobInvalid(f"the labels of {target!r} are {labels.type}, unlike the classes {_some(classes)}") from error
    if found.null_count:
        stranger = labels.filter(pc.is_null(found))[0].as_py()
        raise JobInvalid(f"the target {target!r} has {stranger!r}, which is none of the classes {_some(classes)}")
    return rows, found.to_numpy()


def of_numbers(table: pa.Table, target: str | None, _classes: Sequence[Any] = ()) -> tuple[pa.Table, Vector]:
    """The rows that have a value, and the values. Raises `JobInvalid` when they are not finite numbers."""
    rows, values = _known(table, target)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        raise JobInvalid(f"the target {target!r} is text; a regression learns numbers")
    try:
        numbers = values.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException as error:
        raise JobInvalid(f"the target {target!r} is {values.type}; a regression learns numbers") from error
    if bad := int(np.count_nonzero(~np.isfinite(numbers))):
        raise JobInvalid(f"the target {target!r} has {bad} values that are not finite numbers")
    return rows, numbers


def with_class_weights(values: Mapping[str, Any], classes: Sequence[Any]) -> dict[str, Any]:
    """The hyperparameters with ``class_weight`` by position instead of by label.

    Labels are compared as text, since the keys of a document are. Raises `JobInvalid` for a label that is no class
    and for a weight that is no positive number.
    """
    weights = values.get("class_weight")
    if not isinstance(weights, Mapping):
        return dict(values)
    positions = {_text(label): position for position, label in enumerate(classes)}
    if unknown := next((key for key in weights if _text(key) not in positions), None):
        raise JobInvalid(f"class_weight names {unknown!r}, which is none of the classes {_some(classes)}")
    if wrong := next((key for key, weight in weights.items() if not _is_weight(weight)), None):
        raise JobInvalid(f"class_weight of {wrong!r} must be a number above 0")
    return {**values, "class_weight": {positions[_text(key)]: float(weight) for key, weight in weights.items()}}


def _known(table: pa.Table, target: str | None) -> tuple[pa.Table, pa.ChunkedArray]:
    if target is None:
        raise JobInvalid("the plan names no target; there is nothing to learn")
    if target not in table.column_names:
        raise JobInvalid(f"the training data has no column {target!r}, the target")
    rows = table.filter(pc.is_valid(table.column(target)))
    if rows.num_rows == 0:
        raise JobInvalid(f"no row has a value of the target {target!r}")
    labels = rows.column(target)
    return rows, labels.cast(labels.type.value_type) if pa.types.is_dictionary(labels.type) else labels


def _is_weight(weight: object) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool) and weight > 0


def _text(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


def _some(classes: Sequence[Any]) -> str:
    return f"{list(classes[:10])}{' and others' if len(classes) > 10 else ''}"
