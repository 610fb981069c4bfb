"""The one cell that spoils a column: found by its row here, told with file and line by the reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc


class BadCell(Exception):
    """A cell that is not what its column is."""

    def __init__(self, row: int, value: str, wrong: str) -> None:
        super().__init__(wrong)
        self.row = row
        """Counts from 0 over the rows of all files of the dataset."""
        self.value = value
        self.wrong = wrong
        """What is wrong with it, to follow the value in a sentence."""


def refuse_first(cells: pa.ChunkedArray, good: pa.ChunkedArray, wrong: str) -> NoReturn:
    """Raise `BadCell` for the first of ``cells`` that is present and not ``good``."""
    bad = pc.and_(pc.is_valid(cells), pc.invert(pc.fill_null(good, True)))  # noqa: FBT003 - a fill value
    row = pc.index(bad, True).as_py()
    raise BadCell(row, cells[row].as_py(), wrong)


def refuse_failing(cells: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], object], wrong: str) -> NoReturn:
    """Raise `BadCell` for the first of ``cells`` that ``convert`` fails on, found by halving."""
    start, stop = 0, len(cells)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            convert(cells.slice(start, middle - start))
            start = middle
        except pa.ArrowInvalid:
            stop = middle
    raise BadCell(start, str(cells[start].as_py()), wrong)
