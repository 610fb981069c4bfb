"""What entries name: the plan of a version, the summary of the data that it was trained on, the identity of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.ledger.reader import LedgerReader
from noa_mlops.ledger.state import VersionState
from noa_mlops.records.documents import parse_object
from noa_mlops.records.plan import TrainingPlan

MAX_IDENTITY = 64 << 20
"""Largest identity of a dataset that is read, in bytes; one names at most 10,000 files."""


def plan_of(ledger: LedgerReader, version: VersionState) -> TrainingPlan | None:
    """The recorded plan of a version; None when it was taken out of the evidence."""
    if version.plan_digest in ledger.state.redacted:
        return None
    return TrainingPlan.parse(ledger.get_object(version.plan_digest), name="plan.json")


def identity_of(ledger: LedgerReader, digest: str) -> Mapping[str, Any]:
    """The recorded identity of a dataset. Raises `LedgerTampered` when it is not there as it was."""
    return parse_object(ledger.get_object(digest), limit=MAX_IDENTITY)


def summary_digest(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> str | None:
    """The digest of the summary of a version's training data; None for one that was stored without, or not at all."""
    history = ledger.history(lifecycle_id, version.version)
    stored = history[-1] if version.named is None else ledger.entry(version.named)
    named = {str(subject.get("name")): subject["digest"]["sha256"] for subject in stored.subject}
    return named.get("summary.json")
