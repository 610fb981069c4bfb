"""The champion beside the challenger: what it says of the same rows, and what follows from that for the record.

On rows that the champion was measured on when it was promoted, its stored predictions are its answer: their digest
stands in the ledger. On other rows it is asked again, in an isolated process of its own.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from noa_mlops.errors import ArtifactTampered
from noa_mlops.evaluation import Answers, OwnMetrics, compare, evaluate
from noa_mlops.evaluation import improvements as own_improvements
from noa_mlops.files import open_beneath
from noa_mlops.gate import thresholds
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.measuring import asked_of, groups_of, parquet
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import ArtifactRecord
from noa_mlops.records.verdict import Estimate


@dataclass(frozen=True, slots=True)
class Challenger:
    """A version on its way: the checksum of its model, its predictions in the order of the dataset, and its own metrics."""

    checksum: str
    predictions: pa.Table
    own: OwnMetrics | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The champion's predictions in the order of the dataset; ``sha256`` names the stored ones, None for new ones."""

    predictions: pa.Table
    sha256: str | None
    own: OwnMetrics | None = None


def stored(layout: Layout, champion: ArtifactRecord, given: Submission) -> Said | None:
    """What the champion said of these very rows when it was measured; None when it was measured on others.

    Raises `ArtifactTampered` when its stored predictions are not those that its record names.
    """
    manifest, evaluation = champion.manifest, given.evaluation
    measured = manifest.evaluation
    if evaluation is None or measured is None or measured["fingerprint"] != evaluation.identity.fingerprint:
        return None
    folder = layout.version(manifest.lifecycle_id, manifest.profile, manifest.version)
    path = folder / "predictions.parquet"
    with open_beneath(layout.artifacts, str(path.relative_to(layout.artifacts))) as stream:
        data = stream.read()
    if hashlib.sha256(data).hexdigest() != champion.predictions_sha256:
        raise ArtifactTampered(f"{path} is not the recorded file")
    table = pa.parquet.read_table(io.BytesIO(data))
    return Said(table, champion.predictions_sha256) if table.num_rows == evaluation.table.num_rows else None


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison as an entry records it; ``kept`` are the bytes of the champion's predictions, None unless they are new.

    ``metrics`` are the champion's on these rows.
    """

    document: Mapping[str, Any]
    kept: bytes | None = None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)


def compared(
    given: Submission, champion: ArtifactRecord, challenger: Challenger, said: Said, labels: pa.ChunkedArray
) -> Compared:
    """The champion and the challenger on the same rows.

    Raises `EvaluationFailed` when what it said cannot be read beside these labels.
    """
    contract = champion.manifest.predict
    asked = asked_of(given, tuple(contract.get("quantiles", ())))
    theirs = Answers(said.predictions, contract["classes"], contract["decision_threshold"], asked)
    report = evaluate(
        said.predictions,
        labels,
        task=given.task,
        classes=theirs.classes,
        positive=given.positive,
        decision_threshold=theirs.decision_threshold,
        asked=asked,
        group_by=groups_of(given),
    )
    ours = Answers(challenger.predictions, given.classes, given.plan.decision_threshold, asked_of(given))
    improvements = improved(given, (ours, challenger.own), (theirs, said.own), labels)
    metrics = dict(report.metrics)
    if challenger.own is not None and said.own is not None:
        metrics |= said.own.estimates()
    values = {name: estimate.value for name, estimate in metrics.items()}
    identical = is_again(given, challenger.checksum, champion)
    comparison = Comparison(champion.manifest.version, values, improvements, identical=identical)
    data = None if said.sha256 is not None else parquet(said.predictions)
    digest = said.sha256 if data is None else hashlib.sha256(data).hexdigest()
    kept = {"in": "store" if data is None else "objects", "sha256": digest}
    return Compared(_recorded(champion.manifest.checksum, comparison, kept), data, metrics)


def improved(
    given: Submission,
    ours: tuple[Answers, OwnMetrics | None],
    theirs: tuple[Answers, OwnMetrics | None],
    labels: pa.ChunkedArray,
) -> Mapping[str, Estimate]:
    """How much better one model is than another on the same rows, metric by metric, the plan's own ones among them.

    Raises `EvaluationFailed` when what one of them said cannot be read beside these labels.
    """
    groups = groups_of(given)
    found = compare(ours[0], theirs[0], labels, task=given.task, positive=given.positive, group_by=groups)
    if ours[1] is None or theirs[1] is None:
        return found
    return {**found, **own_improvements(ours[1], theirs[1], thresholds(given.plan))}


def is_again(given: Submission, checksum: str, champion: ArtifactRecord) -> bool:
    """Whether a challenger is the champion again: the same model and code, read in the same way."""
    manifest = champion.manifest
    code = {file.path: file.sha256 for file in manifest.code}
    contract = manifest.predict
    reading = contract["decision_threshold"], tuple(contract.get("quantiles", ()))
    return (manifest.checksum, manifest.profile, code, reading) == (
        checksum,
        given.profile.name,
        {file.path: file.sha256 for file in given.code},
        (given.plan.decision_threshold, given.plan.quantiles),
    )


def silent(version: int, checksum: str, reason: str) -> Mapping[str, Any]:
    """The record of a champion that could not be measured on these rows."""
    return _recorded(checksum, Comparison(version, {}, {}, reason), {"in": "nowhere", "sha256": None})


def _recorded(checksum: str, comparison: Comparison, predictions: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**comparison.to_document(), "checksum": checksum, "predictions": predictions}
