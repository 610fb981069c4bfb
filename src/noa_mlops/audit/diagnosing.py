"""Predictions and labels of a recorded measurement, found again and proved to be the recorded ones, and what they show.

Nothing else is ever drawn: predictions have the digest of the entry, the evaluation data its fingerprint.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.artifacts.staging import PREDICTIONS
from noa_mlops.errors import LifecycleError, NotFound
from noa_mlops.files import UnsafePath, open_beneath, read_capped
from noa_mlops.ledger import LedgerEntry, LedgerReader
from noa_mlops.records.layout import address
from noa_mlops.records.plan import TrainingPlan

if TYPE_CHECKING:
    import pyarrow as pa

    from noa_mlops.datasets import Dataset
    from noa_mlops.evaluation import Diagnosis

MAX_PREDICTIONS = 4 << 30
"""Largest file of predictions that is read, in bytes."""


def diagnosis_view(ledger: LedgerReader, lifecycle_id: str, version: int) -> dict[str, Any]:
    """The diagnosis of a version's measurement as a document, or ``unavailable``: a sentence that says why there is none."""
    try:
        return {"unavailable": None, **_diagnose(ledger, ledger.history(lifecycle_id, version)).to_document()}
    except (LifecycleError, OSError, ImportError) as error:
        return {"unavailable": str(error)}


def _diagnose(ledger: LedgerReader, history: tuple[LedgerEntry, ...]) -> Diagnosis:
    from noa_mlops.evaluation import diagnose_classes, diagnose_numbers

    measured = next((entry for entry in reversed(history) if entry.type == "EvaluationLogged"), None)
    if measured is None:
        raise NotFound("it was not measured")
    predicate = measured.predicate
    if predicate["task"] == "classification" and predicate["classes"] is None:
        raise NotFound("the model has more classes than an entry lists")
    predictions = _predictions(ledger, measured, history[0].predicate)
    labels = _labels(ledger, predicate["dataset"], history[0].predicate["plan"]["digest"]["sha256"])
    if predicate["task"] != "classification":
        return diagnose_numbers(predictions, labels)
    threshold, positive = predicate["decision_threshold"], predicate["positive"]
    return diagnose_classes(predictions, labels, predicate["classes"], positive, threshold)


def _predictions(ledger: LedgerReader, measured: LedgerEntry, submitted: Mapping[str, Any]) -> pa.Table:
    """The predictions that the entry names, wherever they lie now. Raises `NotFound`."""
    from pyarrow import ArrowException, parquet

    layout, wrong = ledger.layout, False
    lifecycle_id, version = measured.lifecycle_id or "", measured.version or 0
    folders = (layout.version(lifecycle_id, submitted["profile"], version), layout.workspace(submitted["agent_id"]))
    for data in _kept(layout.artifacts, folders):
        if hashlib.sha256(data).hexdigest() == measured.predicate["predictions"]:
            try:
                return parquet.read_table(io.BytesIO(data))
            except ArrowException as error:
                raise NotFound(f"its predictions cannot be read ({str(error).splitlines()[0]:.100})") from error
        wrong = True
    name = address(lifecycle_id, version)
    if wrong:
        raise NotFound(f"the {PREDICTIONS} of {name} is not the one that entry {measured.seq} names")
    raise NotFound(f"the {PREDICTIONS} of {name} is neither in the store nor in its workspace any more")


def _kept(root: Path, folders: tuple[Path, ...]) -> Iterator[bytes]:
    for folder in folders:
        try:
            with open_beneath(root, str((folder / PREDICTIONS).relative_to(root))) as stream:
                data = read_capped(stream, MAX_PREDICTIONS)
        except (OSError, UnsafePath):
            continue
        if data is not None:
            yield data


def _labels(ledger: LedgerReader, recorded: Mapping[str, Any], plan_digest: str) -> pa.ChunkedArray:
    """The labels of the evaluation data, which still is the recorded one. Raises `NotFound` or `DatasetInvalid`."""
    if plan_digest in ledger.state.redacted:
        raise NotFound("its plan was redacted, so nothing says what was predicted")
    plan = TrainingPlan.parse(ledger.get_object(plan_digest), "plan.json")
    evaluation, target = _evaluation(ledger, plan)
    if evaluation.identity.fingerprint != recorded["fingerprint"]:
        raise NotFound(f"{recorded['path']} no longer holds the rows that were measured: its fingerprint changed")
    evaluation.require_column(target)
    return evaluation.table.column(target)


def _evaluation(ledger: LedgerReader, plan: TrainingPlan) -> tuple[Dataset, str]:
    """The evaluation data of a plan as it is now, split off again where the plan says so, and the target."""
    from noa_mlops.datasets import DatasetReader, split

    reader = DatasetReader(ledger.layout.project, ledger.data_roots)
    divided = plan.evaluation is not None and plan.evaluation.split is not None
    whole = reader.read(plan.dataset_path) if divided or plan.target is None else None
    target = plan.target or (None if whole is None else whole.identity.target)
    if plan.evaluation is None or target is None:
        raise NotFound("its plan names no evaluation data")
    if plan.evaluation.split is not None and whole is not None:
        return split(whole, plan.evaluation.split, target).evaluation, target
    if plan.evaluation.dataset_path is None:
        raise NotFound("its plan names no evaluation data")
    return reader.read(plan.evaluation.dataset_path), target
