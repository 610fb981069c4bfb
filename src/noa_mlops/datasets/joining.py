"""Several files, one dataset: the same columns in each, their rows one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from noa_mlops.datasets.messages import invalid, listed, quoted
from noa_mlops.datasets.normal import normal_column
from noa_mlops.datasets.typed import TYPES
from noa_mlops.errors import DatasetInvalid


def joined(files: Sequence[str], parts: Sequence[pa.Table], *, widens: bool) -> pa.Table:
    """The rows of all ``parts`` in order, columns ordered as in the first.

    A column must have one type in all files (a file in which all its values are missing has any); with ``widens`` int
    and float make float. Raises `DatasetInvalid` naming the file and the columns that differ.
    """
    names = parts[0].column_names
    for file, part in zip(files, parts, strict=True):
        if set(part.column_names) != set(names):
            raise _other_columns(files[0], names, file, part.column_names)
    columns = [_joined_column(name, files, [part.column(name) for part in parts], widens=widens) for name in names]
    return pa.table(columns, schema=pa.schema([(n, c.type) for n, c in zip(names, columns, strict=True)]))


def _joined_column(name: str, files: Sequence[str], parts: list[pa.ChunkedArray], *, widens: bool) -> pa.ChunkedArray:
    normal = [part if pa.types.is_null(part.type) else normal_column(name, part) for part in parts]
    kinds = {part.type: file for part, file in zip(reversed(normal), reversed(files), strict=True)}
    kinds.pop(pa.null(), None)
    if widens and kinds.keys() == {pa.int64(), pa.float64()}:
        kinds = {pa.float64(): ""}
    if len(kinds) > 1:
        different = ", ".join(sorted(f"{TYPES[kind]} in {quoted(file)}" for kind, file in kinds.items()))
        raise invalid(files[0], f"column {quoted(name)} is {different}", "Write it with one type in all files.")
    kind = next(iter(kinds), pa.null())
    return pa.chunked_array([chunk.cast(kind) for part in normal for chunk in part.chunks], kind)


def _other_columns(first: str, names: Sequence[str], file: str, others: Sequence[str]) -> DatasetInvalid:
    lacking = [name for name in names if name not in others]
    beyond = [name for name in others if name not in names]
    parts = [f"lacks {listed(lacking)}" if lacking else "", f"has {listed(beyond)} beyond them" if beyond else ""]
    return invalid(
        file,
        f"has not the columns of {quoted(first)}: it {' and '.join(part for part in parts if part)}",
        "All files of a dataset have the same columns.",
    )
