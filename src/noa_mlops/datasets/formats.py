"""The file formats of data: by the end of the name, never by guessing at the content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from noa_mlops.datasets import cells
from noa_mlops.datasets.columnar import read_arrow, read_parquet
from noa_mlops.datasets.delimited import read_cells
from noa_mlops.datasets.delimited_faults import line_of_row
from noa_mlops.datasets.jsonlines import line_of_object, read_objects
from noa_mlops.datasets.messages import invalid
from noa_mlops.datasets.npz import read_npz
from noa_mlops.datasets.typed import Infer
from noa_mlops.errors import DatasetInvalid
from noa_mlops.records.dataset import TextFormat

Read = Callable[[str, BinaryIO, TextFormat], pa.Table]
"""Path for messages, open file at its start, how cells are written."""

LineOf = Callable[[str, BinaryIO, TextFormat, int], int | None]
"""The line on which a data row, counted from 0, begins."""


def _typed_by_file(column: pa.ChunkedArray, _: TextFormat) -> pa.ChunkedArray:
    return column


def _no_lines(_path: str, _stream: BinaryIO, _style: TextFormat, _row: int) -> int | None:
    return None


@dataclass(frozen=True, slots=True)
class Format:
    """One file format; ``widens`` says that numbers with and without fraction may mix between files."""

    name: str
    suffixes: tuple[str, ...]
    read: Read
    infer: Infer = _typed_by_file
    line_of: LineOf = _no_lines
    widens: bool = False


FORMATS = (
    Format("Parquet", (".parquet",), lambda path, stream, _: read_parquet(path, stream)),
    Format("delimited text", (".csv", ".tsv"), read_cells, cells.infer, line_of_row),
    Format("Arrow IPC", (".arrow", ".feather", ".ipc"), lambda path, stream, _: read_arrow(path, stream)),
    Format(
        "JSON Lines",
        (".jsonl", ".ndjson"),
        lambda path, stream, _: read_objects(path, stream),
        lambda column, _: cells.infer_times(column),
        lambda _path, stream, _style, row: line_of_object(stream, row),
        widens=True,
    ),
    Format("NPZ", (".npz",), lambda path, stream, _: read_npz(path, stream)),
)
"""Every format that is read."""


def format_of(path: str, files: Sequence[str]) -> Format:
    """The one format of all ``files`` of the dataset at ``path``. Raises `DatasetInvalid`."""
    found = {_of_file(file).name: _of_file(file) for file in files}
    if len(found) > 1:
        raise invalid(path, f"names files of several formats: {', '.join(sorted(found))}", "Use one format.")
    return next(iter(found.values()))


def _of_file(file: str) -> Format:
    for known in FORMATS:
        if file.lower().endswith(known.suffixes):
            return known
    raise _unknown(file)


def _unknown(file: str) -> DatasetInvalid:
    if file.lower().endswith((".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz")):
        return invalid(file, "is compressed or an archive, which is not opened", "Unpack it and name the data file.")
    if file.lower().endswith((".xlsx", ".xls", ".xlsm", ".ods")):
        return invalid(
            file, "is a workbook, which is not opened", "Save the sheet as CSV (UTF-8) and name that .csv file."
        )
    suffixes = " ".join(suffix for known in FORMATS for suffix in known.suffixes)
    return invalid(file, "is not named like a data file", f"Names end with {suffixes} or .dataset.yaml.")
