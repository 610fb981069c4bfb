"""Two datasets side by side: schema, rows, and every column by how far it moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.audit.label_rates import LabelRates, label_rates
from noa_mlops.ledger.objects import put_object
from noa_mlops.records.documents import Json, canonical, sha256
from noa_mlops.records.layout import Layout

if TYPE_CHECKING:
    from noa_mlops.datasets import Dataset, Portion, RowDifference
    from noa_mlops.drift import DriftReport
    from noa_mlops.records.drift import DriftSettings


@dataclass(frozen=True, slots=True)
class Incident:
    """The scan that blocks a rollout: its entry, the digest of its report, what the labels said when it was made.

    ``labels`` is the recorded document, None where the data had no labels to ask; ``estimated`` what the champion's own
    probabilities let expect of its metrics, by name, where they were asked.
    """

    lifecycle_id: str
    entry: int
    timestamp: str
    report: str
    labels: Mapping[str, Any] | None
    estimated: Mapping[str, Any]

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "lifecycle_id": self.lifecycle_id,
            "entry": self.entry,
            "timestamp": self.timestamp,
            "report": self.report,
            "labels": None if self.labels is None else dict(self.labels),
            "estimated": dict(self.estimated),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """The comparison of two datasets; ``rows`` is None when there is no key to match them by.

    ``notes`` say what could not be compared, and why.
    """

    paths: tuple[str, str]
    report: DriftReport
    rows: RowDifference | None = None
    slices: tuple[Portion, ...] = ()
    incident: Incident | None = None
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> LabelRates | None:
        """The labels before and now."""
        return label_rates(self.report)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        labels, incident = self.labels, self.incident
        return {
            "reference_path": self.paths[0],
            "current_path": self.paths[1],
            **self.report.to_document(),
            "matched": None if self.rows is None else self.rows.to_document(),
            "label_rates": None if labels is None else labels.to_document(),
            "slices": [portion.to_document() for portion in self.slices],
            "incident": None if incident is None else incident.to_document(),
            "not_compared": list(self.notes),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in lower-case hex."""
        return sha256(canonical(self.to_document()))


def compare_datasets(
    folder: Path,
    paths: tuple[str, str],
    settings: DriftSettings,
    key: str | None = None,
    target: str | None = None,
) -> Difference:
    """Compare two data files or definitions below ``folder``.

    Rows are matched by ``key``, or the one both declare; labels are those of ``target``, or what the first declares. With
    ``settings.joint`` a classifier is asked whether it can tell their rows apart.

    Raises `DatasetInvalid` or `UnsafePath` for data that cannot be read, or a key that identifies no rows.
    """
    from noa_mlops.datasets import DatasetReader, match_rows, samples, summarise
    from noa_mlops.drift import scan, tell_apart

    reader = DatasetReader(folder)
    reference, current = reader.read(paths[0]), reader.read(paths[1])
    if target is not None:
        reference.require_column(target)
    target = target or reference.definition.target
    key = key or declared_key(reference, current)
    apart = (*settings.ungated, *(name for name in (key, target) if name is not None))
    joint = tell_apart(*samples(reference, current, apart)) if settings.joint else None
    return Difference(
        paths,
        scan(summarise(reference, target), summarise(current, target), settings, joint),
        None if key is None else match_rows(reference, current, key),
        slices_of((reference, current), (*reference.definition.slices, *current.definition.slices)),
    )


def declared_key(reference: Dataset, current: Dataset) -> str | None:
    """The key that both definitions declare; None when they do not, or not the same."""
    declared = {reference.definition.key, current.definition.key}
    return declared.pop() if len(declared) == 1 else None


def slices_of(pair: tuple[Dataset, Dataset], columns: Sequence[str]) -> tuple[Portion, ...]:
    """The portions of the rows by each column of which there are kinds, those that changed most first."""
    from noa_mlops.datasets.portions import portions, ranked

    return ranked(one for column in dict.fromkeys(columns) for one in portions(*pair, column) or ())


def keep(layout: Layout, found: Difference) -> str:
    """Keep a comparison as an object of the evidence, under its digest. Raises `LedgerConflict` when it cannot be written."""
    return put_object(layout.objects, canonical(found.to_document()))
