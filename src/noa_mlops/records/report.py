"""What a run of a plan came to, in one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from noa_mlops.records.html_table import number, table_html
from noa_mlops.records.layout import address
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

_WAITING = frozenset({"champion", "approval"})
"""Reasons that go away by people's approval, with no rollout blocked."""


_COLOURS = {"champion": "#1a7f37", "rejected": "#cf222e", "failed": "#cf222e"}


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
        return report_line(self)

    def _repr_html_(self) -> str:
        return report_html(self)

    def to_document(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self)


def report_line(report: PipelineReport) -> str:
    """One line of plain text: state, address, the metrics that were asked for, what speaks against the model."""
    asked = [f"{name} {number(report.metrics.get(name))} ({text})" for name, text in _asked(report)]
    return f"{report.state.upper()}  {report.address}   {', '.join([*asked, *_told(report)])}".rstrip()


def report_html(report: PipelineReport) -> str:
    """The report as HTML that fetches and runs nothing."""
    colour = _COLOURS.get(report.state, "#9a6700")
    told = "".join(f"<div>{escape(text)}</div>" for text in _told(report))
    return (
        f"<div><strong style='color:{colour}'>{escape(report.state.upper())}</strong> {escape(report.address)}{told}"
        f"{table_html(('metric', 'value', 'threshold'), _rows(report))}"
        f"<div>evidence: entry {report.entry}, isolation: {escape(str(report.isolation))}</div></div>"
    )


def _asked(report: PipelineReport) -> Iterator[tuple[str, str]]:
    yield from ((name, threshold_text(asked)) for name, asked in report.thresholds.items())


def _rows(report: PipelineReport) -> Iterator[tuple[str, str, str]]:
    """Metrics with a threshold first, as many others as fit a glance."""
    for name, asked in _asked(report):
        yield name, number(report.metrics.get(name)), asked
    for name in [name for name in report.metrics if name not in report.thresholds][:6]:
        yield name, number(report.metrics[name]), ""


def _told(report: PipelineReport) -> tuple[str, ...]:
    failure = () if report.failure is None else (f"{report.failure['cause']}: {report.failure['message']}",)
    missed = tuple(f"{violation['metric']}: {violation['reason']}" for violation in report.violations)
    reasons = (f"blocked: {', '.join(report.reasons)}",) if report.reasons else ()
    return (*failure, *reasons, *missed, *report.unsure, *report.notes)
