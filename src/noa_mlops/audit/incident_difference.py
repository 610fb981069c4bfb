"""What blocks a rollout: the champion's training data against those of the scan that opened the incident.

The report is the recorded one. Rows and slices are counted in the data files, as far as they still are those that were
recorded; where they are not, that is said, and what the report has of them is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from noa_mlops.audit.difference import Difference, Incident, declared_key, slices_of
from noa_mlops.audit.recorded_data import read_again, reader_of, recorded_json, slice_columns
from noa_mlops.audit.scans_again import MAX_REPORT
from noa_mlops.errors import DatasetInvalid, LedgerTampered, NotFound
from noa_mlops.ledger import LedgerEntry, LedgerReader, plan_of
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.datasets import Dataset, Portion, RowDifference
    from noa_mlops.drift import DriftReport
    from noa_mlops.records.plan import TrainingPlan


def compare_incident(ledger: LedgerReader, lifecycle_id: str, key: str | None = None) -> Difference:
    """The comparison that blocked the rollout of a lifecycle: training data against those of the scan.

    Rows are matched by ``key``, or the one that both data or the champion's plan declare. Raises `NotFound` when no
    incident is open, `LedgerTampered` when its report is not what the ledger names, `DatasetInvalid` for a ``key`` by
    which the rows cannot be matched.
    """
    lifecycle = ledger.state.lifecycle(lifecycle_id)
    if lifecycle.incident is None:
        raise NotFound(
            f"{lifecycle_id} has no open incident to show",
            hint="Two datasets are compared by naming both: noa diff DATASET DATASET.",
        )
    entry = ledger.entry(lifecycle.incident.seq)
    scanned_for = lifecycle.versions[entry.version or 0]
    report, plan = _report(ledger, entry, lifecycle.incident.report), plan_of(ledger, scanned_for)
    recorded = ledger.entry(scanned_for.first_seq).predicate["datasets"]["train"]
    reader = reader_of(ledger)
    before = read_again(reader, recorded, "train", plan)
    beside = lifecycle.versions.get(entry.predicate.get("beside", 0))
    asked_by = None if beside is None else plan_of(ledger, beside)
    now = read_again(reader, entry.predicate["dataset"], "evaluation", asked_by)
    notes = [f"{one.path} {one.problem}: rows are not compared" for one in (before, now) if one.problem is not None]
    rows, slices = None, tuple(_recorded_slices(report, slice_columns(plan)))
    if before.dataset is not None and now.dataset is not None:
        pair = before.dataset, now.dataset
        rows = _match(pair, key, plan, notes)
        slices = slices_of(pair, [*slice_columns(plan), *pair[0].definition.slices, *pair[1].definition.slices])
    return Difference(
        paths=(f"the training data of {address(lifecycle_id, scanned_for.version)}", now.path),
        report=report,
        rows=rows,
        slices=slices,
        incident=Incident(
            lifecycle_id,
            entry.seq,
            entry.ts,
            lifecycle.incident.report,
            entry.predicate.get("labels"),
            entry.predicate.get("estimated") or {},
        ),
        notes=tuple(notes),
    )


def _report(ledger: LedgerReader, entry: LedgerEntry, digest: str) -> DriftReport:
    from noa_mlops.drift import read_report

    if digest in ledger.state.redacted:
        raise NotFound(f"the report of entry {entry.seq} was redacted, so nothing is left of the incident to show")
    try:
        return read_report(recorded_json(ledger, digest, MAX_REPORT))
    except ValueError as error:
        raise LedgerTampered(f"the report of entry {entry.seq} {error}") from error


def _match(
    pair: tuple[Dataset, Dataset], key: str | None, plan: TrainingPlan | None, notes: list[str]
) -> RowDifference | None:
    """The rows by their key; that a declared one does not do is noted, one that was asked for must do."""
    from noa_mlops.datasets import match_rows

    if key is not None:
        return match_rows(*pair, key)
    key = declared_key(*pair) or (None if plan is None or plan.evaluation is None else plan.evaluation.key)
    if key is None:
        return None
    try:
        return match_rows(*pair, key)
    except DatasetInvalid as error:
        notes.append(f"rows are not matched by their key: {error}")
        return None


def _recorded_slices(report: DriftReport, columns: Iterable[str]) -> Iterator[Portion]:
    """What a report has of slices: the shares of a column that it drew by value."""
    from noa_mlops.datasets.portions import Portion
    from noa_mlops.records.slices import slice_name

    drawn = {column.name: column for column in report.columns if column.kind in ("categorical", "discrete")}
    for name in dict.fromkeys(columns):
        if (column := drawn.get(name)) is not None:
            for label, *shares in zip(column.labels, *column.picture, strict=True):
                yield Portion(slice_name(name, label), (shares[0], shares[1]))
