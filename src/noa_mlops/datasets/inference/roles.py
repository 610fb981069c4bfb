"""What the columns of a table are for: what names a row, when it happened, who it belongs to, what to leave out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.inference.leaks import leaks
from noa_mlops.datasets.inference.remarks import Remark

NAMES_ROWS = re.compile(
    r"(?:^|[^a-z])(?:id|key|uuid|guid|nr|no|number|code|index|ref)$|(?:nr|nummer|number)$|(?<=[a-z])Id$|ID$|^Unnamed: 0$"
)
"""Names of columns that identify something; camel case and snake case."""

_NAMES_SOMEBODY = re.compile(r"(?i:(?:_|\b)(?:id|uuid|guid|key))$|(?<=[a-z])I[dD]$")

MAX_CLASSES = 20
"""Distinct whole numbers up to which a target of numbers is taken for classes."""

FEWEST = 5
"""Groups, or moments, from which a column can divide the rows."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What each column is for; ``classes`` says whether the target names classes."""

    classes: bool
    key: str | None
    time: str | None
    group: str | None
    ignore: tuple[str, ...]
    remarks: tuple[Remark, ...]


def roles(table: pa.Table, target: str) -> Roles:
    """The roles of the columns beside ``target``, with a remark for each that was given or could have been."""
    classes = _names_classes(table.column(target))
    told = [Remark("ignore", "has no value in any row", name) for name in _empty(table, target)]
    told += [Remark("ignore", why, name, doubtful=True) for name, why in leaks(table, target, classes=classes)]
    left = {remark.column for remark in told} | {target}
    rest = {name: table.column(name) for name in table.column_names if name not in left}
    distinct = {name: pc.count_distinct(column).as_py() for name, column in rest.items()}
    keys = list(_keys(rest, distinct, table.num_rows))
    key = next((name for name in keys if _named_as_key(name)), None)
    group = next(_groups(rest, distinct, table.num_rows), None)
    times = list(_times(rest, distinct))
    told += _told(keys, key, times, group)
    if group is not None:
        told.append(Remark("ignore", "names whom a row belongs to; a model would learn names", group))
    ignore = tuple(dict.fromkeys(str(remark.column) for remark in told if remark.about == "ignore"))
    return Roles(classes, key, times[0] if times else None, group, ignore, tuple(told))


def _told(keys: list[str], key: str | None, times: list[str], group: str | None) -> Iterator[Remark]:
    if key is not None:
        yield Remark("key", "a different value in every row; no agent sees it", key)
    for name in keys:
        if name != key:
            yield Remark("key", "has a different value in every row too", name, doubtful=True)
    for name in times[:1]:
        yield Remark("time", "when a row happened", name)
    for name in times[1:]:
        yield Remark("time", "is a time too: which of them says when a row happened?", name, doubtful=True)
    if group is not None:
        yield Remark("group", "rows with the same value depend on each other", group)


def _names_classes(labels: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(labels.type):
        return False
    if pa.types.is_integer(labels.type):
        return bool(pc.count_distinct(labels).as_py() <= MAX_CLASSES)
    return True


def _empty(table: pa.Table, target: str) -> Iterator[str]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name != target and column.null_count == len(column):
            yield name


def _keys(columns: Mapping[str, pa.ChunkedArray], distinct: Mapping[str, int], rows: int) -> Iterator[str]:
    for name, column in columns.items():
        names = pa.types.is_string(column.type) or (pa.types.is_integer(column.type) and _named_as_key(name))
        if names and rows > 1 and column.null_count == 0 and distinct[name] == rows:
            yield name


def _groups(columns: Mapping[str, pa.ChunkedArray], distinct: Mapping[str, int], rows: int) -> Iterator[str]:
    """Columns named as keys whose values come back, but are many."""
    for name, column in columns.items():
        text = pa.types.is_string(column.type) or pa.types.is_integer(column.type)
        many = distinct[name] >= FEWEST and rows // 200 <= distinct[name] <= 0.9 * rows
        if text and many and _NAMES_SOMEBODY.search(name):
            yield name


def _times(columns: Mapping[str, pa.ChunkedArray], distinct: Mapping[str, int]) -> Iterator[str]:
    for name, column in columns.items():
        if pa.types.is_timestamp(column.type) and column.null_count == 0 and distinct[name] >= FEWEST:
            yield name


def _named_as_key(name: str) -> bool:
    return NAMES_ROWS.search(name) is not None or NAMES_ROWS.search(name.lower()) is not None
