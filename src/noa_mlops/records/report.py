"""What a run of a plan came to, in one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from noa_mlops.records.layout import address
from noa_mlops.records.report_html import metric_text, table_html, verdict_html
from noa_mlops.records.threshold_text import threshold_text

EXIT_CODES: Mapping[str, int] = {
    "champion": 0,
    "former": 0,
    "rejected": 3,
    "held": 3,
    "inconclusive": 7,
    "failed": 6,
}
"""The exit status of ``noa run`` for each state in which a version can end."""

OTHERS = 6
"""Metrics without a threshold that a notebook shows."""

_WAITING = frozenset({"champion", "approval"})
"""Reasons that go away by people's approval, with no rollout blocked."""


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """The end of one run.

    ``state`` is the state of the version: champion, rejected, inconclusive, held or failed. ``entry`` is the
    ledger index of the entry that ended the run; that entry is durable and sealed, or synced for a failure.
    ``approvals`` is how many keys must enable a held version, None when it waits for none.
    ``unsure`` is what the verdict could not know, and how many rows would decide.
    ``metrics`` maps each measured metric to its value, None when it could not be computed. ``failure`` holds
    cause and message when the state is failed.
    """

    lifecycle_id: str
    version: int
    profile: str
    state: str
    status: str | None
    verdict: str | None
    reasons: tuple[str, ...]
    metrics: Mapping[str, float | None]
    thresholds: Mapping[str, Any]
    violations: Sequence[Mapping[str, Any]]
    champion: int | None
    checksum: str | None
    artifact: str | None
    entry: int
    isolation: str | None
    failure: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    approvals: int | None = None
    unsure: tuple[str, ...] = ()

    @property
    def promoted(self) -> bool:
        """Whether this run's version became the champion."""
        return self.status == "ready"

    @property
    def address(self) -> str:
        """``LIFECYCLE@N``."""
        return address(self.lifecycle_id, self.version)

    @property
    def exit_code(self) -> int:
        """The exit status of the command line for this outcome; 7 for a version that waits for approval alone."""
        waits = "approval" in self.reasons and _WAITING.issuperset(self.reasons)
        return 7 if self.state == "held" and waits else EXIT_CODES[self.state]

    def __str__(self) -> str:
        asked = [f"{name} {metric_text(value)} ({limit})" for name, value, limit in self.asked()]
        return f"{self.state.upper()}  {self.address}   {', '.join([*asked, *self.told()])}".rstrip()

    def _repr_html_(self) -> str:
        others = [name for name in self.metrics if name not in self.thresholds][:OTHERS]
        rows = [
            (name, metric_text(value), limit)
            for name, value, limit in (*self.asked(), *((name, self.metrics[name], "") for name in others))
        ]
        return verdict_html(
            (self.state, self.address),
            self.told(),
            table_html(("metric", "value", "threshold"), rows),
            f"evidence: entry {self.entry}, isolation: {self.isolation}",
        )

    def asked(self) -> Iterator[tuple[str, float | None, str]]:
        """Each metric with a threshold: its name, its value, and the threshold in words."""
        yield from ((name, self.metrics.get(name), threshold_text(asked)) for name, asked in self.thresholds.items())

    def told(self) -> tuple[str, ...]:
        """What speaks against the model or should be known of it, a sentence each."""
        failure = () if self.failure is None else (f"{self.failure['cause']}: {self.failure['message']}",)
        missed = tuple(f"{violation['metric']}: {violation['reason']}" for violation in self.violations)
        reasons = (f"blocked: {', '.join(self.reasons)}",) if self.reasons else ()
        return (*failure, *reasons, *missed, *self.unsure, *self.notes)

    def to_document(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self)
