"""Data that an entry names, read again from where they were: only what is still as it was recorded is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import LedgerTampered, LifecycleError
from noa_mlops.ledger import LedgerReader, VersionState, summary_digest
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.summary import DatasetSummary

if TYPE_CHECKING:
    from noa_mlops.datasets import Dataset, DatasetReader


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A dataset as it was recorded; ``dataset`` is None when that is not there any more, and ``problem`` says why."""

    path: str
    dataset: Dataset | None = None
    problem: str | None = None


def reader_of(ledger: LedgerReader) -> DatasetReader:
    """Reads what lies below the project or one of the policy's data roots."""
    from noa_mlops.datasets import DatasetReader

    return DatasetReader(ledger.layout.project, ledger.data_roots)


Part: TypeAlias = Literal["train", "evaluation"]
"""Which part of its data a plan splits off."""


def read_again(
    reader: DatasetReader, recorded: Mapping[str, Any], part: Part = "train", of: TrainingPlan | None = None
) -> ReadAgain:
    """The dataset that an entry names by ``path`` and ``fingerprint``; ``part`` of a plan's data, where it split them."""
    path = str(recorded["path"])
    try:
        dataset = reader.read(path)
        if of is not None:
            dataset = _part(dataset, part, of)
    except (OSError, LifecycleError) as error:
        return ReadAgain(path, problem=f"cannot be read any more: {str(error).splitlines()[0]}")
    if dataset.identity.fingerprint != recorded["fingerprint"]:
        return ReadAgain(path, problem="has other rows than those that were recorded")
    return ReadAgain(path, dataset)


def _part(dataset: Dataset, part: Part, plan: TrainingPlan) -> Dataset:
    from noa_mlops.datasets import split

    by = None if plan.evaluation is None else plan.evaluation.split
    target = plan.target or dataset.definition.target
    if by is None or target is None:
        return dataset
    parts = split(dataset, by, target)
    return parts.train if part == "train" else parts.evaluation


def slice_columns(plan: TrainingPlan | None) -> Iterator[str]:
    """The columns by which a plan wants its metrics apart."""
    for threshold in () if plan is None or plan.evaluation is None else plan.evaluation.metric_thresholds:
        yield from threshold.slices
        if threshold.fairness is not None:
            yield threshold.fairness.by


def summary_of(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> DatasetSummary | None:
    """The summary of the training data that lies beside a version; None when none is signed with it.

    Raises `ArtifactTampered` when it is not the one that was signed.
    """
    digest = summary_digest(ledger, lifecycle_id, version)
    if digest is None:
        return None
    store = FilesystemArtifactStore(ledger.layout)
    return store.summary(lifecycle_id, version.profile, version.version, digest)


def recorded_json(ledger: LedgerReader, digest: str, limit: int) -> Mapping[str, Any]:
    """An object that is JSON. Raises `LedgerTampered`."""
    from noa_mlops.records.documents import DocumentInvalid, parse_object

    try:
        return parse_object(ledger.get_object(digest), limit=limit)
    except DocumentInvalid as error:
        raise LedgerTampered(f"the object {digest} {error}") from error
