"""The law of measuring again: a version that was decided on may be measured once more, on the data of now.

The entry holds the verdict of the version's own plan over it, and is one look more. It changes no decision; it is what an
override rests on, and the end of an incident that was none. A version that no entry has put into the store is put there by
it, so that what was measured can be put in force; the manifest is a subject of the entry then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import LifecycleState, Measured, VersionState
from noa_mlops.ledger.version_law import LIFECYCLE, Refusal


def measured_again(lifecycle: LifecycleState, version: VersionState, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle after a version that was decided on was measured again, or why that may not follow."""
    problem = _problem(version, entry, entry.predicate)
    if problem is not None:
        return Refusal(problem)
    told = Measured(entry.seq, entry.predicate["dataset"]["fingerprint"], entry.predicate["verdict"]["verdict"])
    after = replace(lifecycle, measured={**lifecycle.measured, version.version: told})
    return after if version.named is not None else after.with_version(replace(version, named=entry.seq))


def _problem(version: VersionState, entry: LedgerEntry, predicate: Mapping[str, Any]) -> str | None:
    if version.status == "failed":
        return f"cannot follow: version {version.version} is failed"
    if entry.predicate_type != LIFECYCLE or entry.status is not None:
        return "has a predicate type or a status that EvaluationLogged cannot have"
    if version.checksum is None or entry.checksum != version.checksum:
        return "is about other bytes than those that were trained"
    verdict, dataset = predicate.get("verdict"), predicate.get("dataset")
    if not isinstance(verdict, dict) or verdict.get("verdict") not in ("pass", "fail", "inconclusive"):
        return "measures a version after its decision and holds no verdict"
    if verdict.get("plan") != version.plan_digest:
        return "judges by another plan than the one that was submitted"
    if not isinstance(dataset, dict) or not isinstance(dataset.get("fingerprint"), str):
        return "names no data"
    stored = any(subject.get("name") == "manifest.json" for subject in entry.subject)
    if stored == (version.named is not None):
        return "names a manifest although an entry has, or names none although no entry has"
    return None
