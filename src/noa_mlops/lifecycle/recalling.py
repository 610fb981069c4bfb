"""A version called back from its record: its plan and its code as they were submitted, its data as they are now."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet

from noa_mlops.artifacts.staging import PREDICTIONS
from noa_mlops.errors import LedgerConflict, NotFound
from noa_mlops.files import UnsafePath, open_beneath, read_capped
from noa_mlops.ledger import LedgerReader, VersionState
from noa_mlops.lifecycle.history import history_of
from noa_mlops.lifecycle.intake import CodeFile, Submission, recorded_code
from noa_mlops.lifecycle.searching import as_trained
from noa_mlops.records.documents import sha256
from noa_mlops.records.events import Recorded, Submitted
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.plan import TrainingPlan

MAX_PREDICTIONS = 1 << 32
"""Most bytes of predictions that are read."""

Accept: TypeAlias = Callable[[TrainingPlan, Sequence[CodeFile]], Submission]
"""Reads what a plan names, with the code that is given in place of its files."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A version that was trained and decided on, or could not be measured, with what it was made of."""

    name: str
    state: VersionState
    submitted: Submitted
    history: Sequence[Recorded]
    submission: Submission


def recall(ledger: LedgerReader, accept: Accept, lifecycle_id: str, version: int) -> Recalled:
    """The version with its plan and code as they were submitted and its data as they are now.

    Raises `NotFound` for a version that is not here, that has no model, or whose plan or code was redacted, `LedgerConflict`
    for one that is on its way, and what ``accept`` raises.
    """
    name, known = address(lifecycle_id, version), ledger.state.version(lifecycle_id, version)
    begun = known is not None or any((e.lifecycle_id, e.version) == (lifecycle_id, version) for e in ledger.pending)
    if not begun:
        raise NotFound(f"there is no {name} here")
    if known is None or known.on_its_way:
        raise LedgerConflict(f"{name} is on its way: nothing was decided yet", hint="Run its plan again: it goes on.")
    if known.checksum is None:
        raise NotFound(f"{name} failed, so there is no model of it", hint=f"noa logs {name} says why.")
    history = history_of(ledger, lifecycle_id, version)
    submitted = next(event for event in history if isinstance(event, Submitted))
    _check_not_redacted(ledger, name, {file["sha256"]: f"code {file['path']}" for file in submitted.code})
    plan = recorded_plan(ledger, lifecycle_id, version)
    submission = accept(plan, recorded_code(ledger.layout.objects, submitted.code, plan))
    return Recalled(name, known, submitted, history, as_trained(submission, history))


def recorded_plan(ledger: LedgerReader, lifecycle_id: str, version: int) -> TrainingPlan:
    """The plan that a version was submitted with, also of one that no checkpoint vouches for yet.

    Raises `NotFound` for a version that is not here, or whose plan was redacted.
    """
    name, known = address(lifecycle_id, version), ledger.state.version(lifecycle_id, version)
    waiting = (entry for entry in ledger.pending if entry.type == "Submitted")
    begun = {(entry.lifecycle_id, entry.version): entry.predicate["plan"]["digest"]["sha256"] for entry in waiting}
    digest = begun.get((lifecycle_id, version)) if known is None else known.plan_digest
    if digest is None:
        raise NotFound(f"there is no {name} here")
    _check_not_redacted(ledger, name, {digest: "plan"})
    return TrainingPlan.parse(ledger.get_object(digest), "plan.json")


def _check_not_redacted(ledger: LedgerReader, name: str, named: Mapping[str, str]) -> None:
    for digest, what in named.items():
        if digest in ledger.state.redacted:
            raise NotFound(
                f"the {what} of {name} was redacted, so nothing says how it was made",
                hint=f"Whoever has a copy can submit it again, as a new version; noa show {name} has what is recorded.",
            )


def recorded_predictions(layout: Layout, lifecycle_id: str, version: VersionState, digest: str) -> pa.Table:
    """The predictions of that digest: in the store, in the workspace of a version that is not there, or an object.

    Raises `NotFound` when they are in none of these places as they were.
    """
    folder, changed = layout.version(lifecycle_id, version.profile, version.version), None
    for place in (folder / PREDICTIONS, layout.workspace(version.agent_id) / PREDICTIONS, layout.objects / digest):
        data = _bytes(place)
        if data is not None and sha256(data) == digest:
            return pa.parquet.read_table(io.BytesIO(data))
        changed = place if data is not None else changed
    raise NotFound("its predictions are gone" if changed is None else f"{changed} is not what was measured")


def _bytes(path: Path) -> bytes | None:
    try:
        with open_beneath(path.parent, path.name) as stream:
            return read_capped(stream, MAX_PREDICTIONS)
    except (OSError, UnsafePath):
        return None
