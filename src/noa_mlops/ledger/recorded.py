"""What the entries of a version name: its plan, and the summary of the data that it was trained on."""

from __future__ import annotations

from noa_mlops.ledger.reader import LedgerReader
from noa_mlops.ledger.state import VersionState
from noa_mlops.records.plan import TrainingPlan


def plan_of(ledger: LedgerReader, version: VersionState) -> TrainingPlan | None:
    """The recorded plan of a version; None when it was taken out of the evidence."""
    if version.plan_digest in ledger.state.redacted:
        return None
    return TrainingPlan.parse(ledger.get_object(version.plan_digest), name="plan.json")


def summary_digest(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> str | None:
    """The digest of the summary of a version's training data; None for one that was stored without, or not at all."""
    history = ledger.history(lifecycle_id, version.version)
    stored = history[-1] if version.named is None else ledger.entry(version.named)
    named = {str(subject.get("name")): subject["digest"]["sha256"] for subject in stored.subject}
    return named.get("summary.json")
