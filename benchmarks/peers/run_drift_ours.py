"""Ours: summaries of both tables, and a scan of them."""

from __future__ import annotations

import pyarrow.parquet as pq
import steps

from noa_mlops.datasets import summarise_table
from noa_mlops.drift import scan


def compare() -> object:
    """Read, summarise, scan."""
    first, second = (summarise_table(pq.read_table(f"{name}.parquet")) for name in ("reference", "current"))
    return scan(first, second)


steps.report_once(compare)
