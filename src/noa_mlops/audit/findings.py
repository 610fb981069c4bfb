"""What a check of a project comes to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

RUNBOOKS = {
    "training": "training-failed",
    "evaluation": "training-failed",
    "run": "training-failed",
    "gate": "thresholds",
    "rollout": "rollout-blocked",
    "drift": "too-few-data",
    "registry": "registry-conflict",
    "evidence": "evidence",
    "policy": "policy",
    "keys": "keys",
    "storage": "storage",
    "workspaces": "storage",
    "disk": "storage",
}
"""The page of ``docs/runbooks`` for each area that a diagnosis can be about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold: the file, the entry it belongs to (None: no single one), the reason."""

    file: str
    entry: int | None
    reason: str

    def __str__(self) -> str:
        place = self.file if self.entry is None else f"{self.file}, entry {self.entry}"
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, what does not hold, and what could not be ruled out.

    ``entries`` were read and hold, ``sealed`` of them are vouched for by one of the ``checkpoints``; ``objects`` are
    those that entries name by digest, ``versions`` those that an entry says are in the store; ``decisions`` were computed
    again, ``measured`` measurements were made again, None when that was not asked for.
    """

    origin: str | None
    entries: int
    sealed: int
    checkpoints: int
    objects: int
    versions: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    decisions: int | None = None
    measured: int | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is wrong: where, what, by which entry or file that is seen, and what mends it.

    ``details`` are facts beside it, a line each. ``commands`` are typed in the project folder, in this order; ``...`` in one
    stands for what only a person knows, as ``remedy`` says.
    """

    area: str
    problem: str
    remedy: str
    evidence: str
    commands: tuple[str, ...]
    details: tuple[str, ...] = ()

    @property
    def runbook(self) -> str:
        """The page that says more, by its place in the documentation."""
        return f"docs/runbooks/{RUNBOOKS[self.area]}.md"

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "runbook": self.runbook}
