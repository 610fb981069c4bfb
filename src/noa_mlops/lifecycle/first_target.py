"""What a first plan is to predict: whether there is anything to learn, and what is odd about the labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pyarrow.compute as pc

from noa_mlops.datasets import Dataset, classes_of
from noa_mlops.datasets.inference import Examined, Remark, Roles
from noa_mlops.datasets.messages import listed, quoted
from noa_mlops.errors import DatasetInvalid, PlanInvalid
from noa_mlops.records.verdict import ClassLabel

MANY = 20
"""Classes beyond which text that hardly repeats is taken for no class at all."""

RARE = 5
"""Rows of a class below which nothing can be said of it."""

Labels: TypeAlias = Sequence[tuple[ClassLabel, int]]
"""The classes with their rows, the commonest first."""


def check_target(dataset: Dataset, target: str) -> None:
    """Refuse a target with nothing to learn. Raises `PlanInvalid`."""
    values = dataset.table.column(target).unique().drop_null()
    if len(values) > 1:
        return
    path = dataset.identity.path
    if not len(values):
        raise PlanInvalid(f"{path}: the target {target!r} has no value in any row", hint="Name labelled data.")
    only = f"one class only ({values[0].as_py()!r})"
    raise PlanInvalid(
        f"{path}: the target {target!r} has {only}",
        hint="There is nothing to learn: name another target, or data in which both outcomes occur.",
    )


def check_features(dataset: Dataset, target: str, found: Roles) -> None:
    """Refuse data of which no column can be learned from; a suspicion alone refuses nothing. Raises `PlanInvalid`."""
    left_out = {remark.column: remark.text for remark in found.remarks if remark.about in {"ignore", "key"}}
    suspected = any(remark.about == "ignore" and remark.doubtful for remark in found.remarks)
    if suspected or set(dataset.table.column_names) - {target, found.key, *found.ignore}:
        return
    why = "; ".join(f"{name}: {text}" for name, text in left_out.items()) or "it is the only column"
    raise PlanInvalid(
        f"{dataset.identity.path}: no column is left to learn {target!r} from ({why})",
        hint="Add columns that are known before the prediction is needed.",
    )


def labels_of(examined: Examined, target: str) -> Labels:
    """The classes of the target. Raises `DatasetInvalid` for what names no classes, `PlanInvalid` for what hardly can."""
    path, column = examined.dataset.identity.path, examined.dataset.table.column(target)
    try:
        known = classes_of(examined.dataset.table, target)
    except DatasetInvalid as error:
        raise DatasetInvalid(f"{path}: {error}", hint=error.hint) from error
    labelled = len(column) - column.null_count
    if isinstance(known[0], str) and len(known) > MANY and 2 * len(known) > labelled:
        why = (remark.text for remark in examined.remarks if remark.about == "type" and remark.column == target)
        raise PlanInvalid(
            f"{path}: the target {target!r} is text with {len(known)} different values in {labelled} rows, hardly classes",
            hint=next(why, "Name another target; to predict a number, name a column of numbers."),
        )
    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(column).to_pylist()}
    return sorted(((label, counts[label]) for label in known), key=lambda pair: -pair[1])


def remarks_on(target: str, labels: Labels | None, dataset: Dataset) -> Iterator[Remark]:
    """What a person should know before the first run: classes of a handful of rows, features that are all suspected."""
    rare = [label for label, rows in labels or () if rows < RARE]
    if rare:
        names = listed([str(label) for label in rare], limit=3)
        text = f"fewer than {RARE} rows have {names}: nothing can be learned or measured of so few"
        yield Remark("target", text, target, doubtful=True)
    definition = dataset.definition
    if not set(dataset.table.column_names) - {target, definition.key, *definition.ignore}:
        text = (
            f"every feature is left out: take one out of ignore in the definition, or {quoted(target)} is not learned"
        )
        yield Remark("ignore", text, doubtful=True)
