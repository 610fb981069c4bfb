"""Two datasets side by side: schema, rows, and every column by how far it moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from noa_mlops.errors import LedgerTampered, NotFound
from noa_mlops.ledger import LedgerReader
from noa_mlops.records.documents import DocumentInvalid, Json, parse_object
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.datasets.matching import RowDifference
    from noa_mlops.drift import DriftReport
    from noa_mlops.records.drift import DriftSettings


MAX_REPORT = 1 << 28
"""Largest report that is read, in bytes."""


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

    With ``settings.joint`` a classifier is asked whether it can tell their rows apart.

    Raises `DatasetInvalid` or `UnsafePath` for data that cannot be read, or a key that identifies no rows.
    """
    from noa_mlops.datasets import DatasetReader, match_rows, samples, summarise
    from noa_mlops.drift import scan, tell_apart

    reader = DatasetReader(folder)
    reference, current = reader.read(paths[0]), reader.read(paths[1])
    declared = {reference.definition.key, current.definition.key}
    if key is None and len(declared) == 1:
        key = declared.pop()
    joint = tell_apart(*samples(reference, current, settings.ungated)) if settings.joint else None
    return Difference(
        paths,
        scan(summarise(reference), summarise(current), settings, joint),
        None if key is None else match_rows(reference, current, key),
    )


def compare_incident(ledger: LedgerReader, lifecycle_id: str) -> Difference:
    """The comparison that blocked the rollout of a lifecycle, as it was kept: training data against those of the scan.

    Raises `NotFound` when no incident is open, `LedgerTampered` when its report is not what the ledger names.
    """
    from noa_mlops.drift import read_report

    incident = ledger.state.lifecycle(lifecycle_id).incident
    if incident is None:
        raise NotFound(
            f"{lifecycle_id} has no open incident to show",
            hint="Two datasets are compared by naming both: noa diff DATASET DATASET.",
        )
    entry = ledger.entry(incident.seq)
    try:
        report = read_report(parse_object(ledger.get_object(incident.report), limit=MAX_REPORT))
    except (DocumentInvalid, ValueError) as error:
        raise LedgerTampered(f"the report of entry {incident.seq} {error}") from error
    trained = address(lifecycle_id, entry.version or 0)
    return Difference((f"the training data of {trained}", str(entry.predicate["dataset"]["path"])), report, None)
