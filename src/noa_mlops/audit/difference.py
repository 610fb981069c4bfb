"""Two datasets side by side: schema, rows, and every column by how far it moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noa_mlops.records.documents import Json

if TYPE_CHECKING:
    from noa_mlops.datasets.matching import RowDifference
    from noa_mlops.drift import DriftReport
    from noa_mlops.records.drift import DriftSettings


@dataclass(frozen=True, slots=True)
class Difference:
    """The comparison of two datasets; ``rows`` is None when there is no key to match them by."""

    paths: tuple[str, str]
    report: DriftReport
    rows: RowDifference | None

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "reference_path": self.paths[0],
            "current_path": self.paths[1],
            **self.report.to_document(),
            "matched": None if self.rows is None else self.rows.to_document(),
        }


def compare_datasets(
    folder: Path, paths: tuple[str, str], settings: DriftSettings, key: str | None = None
) -> Difference:
    """Compare two data files or definitions below ``folder``; rows are matched by ``key``, or the one both declare.

    Raises `DatasetInvalid` or `UnsafePath` for data that cannot be read, or a key that identifies no rows.
    """
    from noa_mlops.datasets import DatasetReader, match_rows, summarise
    from noa_mlops.drift import scan

    reader = DatasetReader(folder)
    reference, current = reader.read(paths[0]), reader.read(paths[1])
    declared = {reference.definition.key, current.definition.key}
    if key is None and len(declared) == 1:
        key = declared.pop()
    return Difference(
        paths,
        scan(summarise(reference), summarise(current), settings),
        None if key is None else match_rows(reference, current, key),
    )
