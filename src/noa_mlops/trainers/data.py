"""The rows of a job, in the form that its trainer likes to work with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.trainers.contract import Column, JobInvalid

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


class Data(os.PathLike[str]):
    """The data file of a job and what is in it; ``open(job.data)`` and ``pyarrow.parquet.read_table(job.data)`` work too.

    Every method raises `JobInvalid` when the file is missing, damaged or of another format. What has been read whole is
    kept, so a second call costs nothing.
    """

    def __init__(self, path: Path, data_format: str, columns: Sequence[Column]) -> None:
        self.path = path
        """The file."""
        self.format = data_format
        """``parquet`` or ``csv``."""
        self._columns = tuple(columns)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<{self.format} data in {self.path}>"

    @cached_property
    def rows(self) -> int:
        """How many rows there are, counted without holding them."""
        from noa_mlops.trainers import tables

        return tables.count_rows(self.path, self.format, self._columns)

    @cached_property
    def _table(self) -> pa.Table:
        from noa_mlops.trainers import tables

        return tables.read_table(self.path, self.format, self._columns)

    def table(self) -> pa.Table:
        """All rows as an Arrow table, columns typed."""
        return self._table

    def frame(self) -> pd.DataFrame:
        """All rows as a pandas ``DataFrame``. Raises `JobInvalid` when pandas is not installed."""
        if find_spec("pandas") is None:
            raise JobInvalid(
                "job.data.frame() needs pandas, which is not installed; use job.data.table() or job.data.arrays()"
            )
        return self._table.to_pandas()

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """All rows as one NumPy array (n,) per column.

        Numbers with missing values are float64 with NaN, times are datetime64 with NaT, text is an object array
        with None.
        """
        from noa_mlops.trainers.tables import as_arrays

        return as_arrays(self._table)

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows in their order, at most ``rows`` of them at a time, for data larger than memory.

        Each is an Arrow record batch with the columns of `table`. Raises `ValueError` when ``rows`` is below 1.
        """
        if rows < 1:
            raise ValueError(f"job.data.batches({rows}): a batch has at least 1 row")
        from noa_mlops.trainers import tables

        return tables.read_batches(self.path, self.format, self._columns, rows)
