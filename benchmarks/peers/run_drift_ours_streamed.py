"""Ours, batch by batch: what memory summaries need that does not grow with the rows, were the file read as it is counted."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import steps

from noa_mlops.datasets import Counting
from noa_mlops.datasets.typed import columns_of
from noa_mlops.drift import scan
from noa_mlops.records.dataset import DatasetDefinition
from noa_mlops.records.summary import DatasetSummary


def summarised(path: str) -> DatasetSummary:
    """One pass over a file."""
    definition = DatasetDefinition(files=("table.parquet",))
    file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    counting = None
    for batch in file.iter_batches(1 << 18):
        if counting is None:
            counting = Counting(columns_of(pa.Table.from_batches([batch]), definition), definition)
        counting.add(batch)
    return counting.summary()


steps.report_once(lambda: scan(summarised("reference.parquet"), summarised("current.parquet")))
