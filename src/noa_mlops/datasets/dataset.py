"""A dataset in memory: what was read, how, and what the evidence calls it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from noa_mlops.datasets.messages import no_such_column
from noa_mlops.records.dataset import DatasetDefinition, DatasetIdentity


@dataclass(frozen=True, slots=True)
class Dataset:
    """One consistent reading of some data."""

    definition: DatasetDefinition
    """As read from a ``*.dataset.yaml``; for a data file named directly, one that names just that file."""

    table: pa.Table
    """All rows and columns in normal form (int64, float64, bool, string, timestamp[us]); missing values are null."""

    identity: DatasetIdentity
    """What the evidence says about it."""

    def require_column(self, name: str, role: str = "target") -> None:
        """Refuse a name that is no column, with the nearest that is. Raises `DatasetInvalid`."""
        if name not in self.table.column_names:
            raise no_such_column(self.identity.path, role, name, self.table.column_names)
