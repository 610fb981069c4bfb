"""What a scan comes to: what the data show and what the labels say of them, together.

It follows from the report and the labels alone, so whoever reads a recorded scan can hold it against both.
"""

from __future__ import annotations

from dataclasses import dataclass

from noa_mlops.drift.labels import LabelReport
from noa_mlops.drift.report import DriftReport
from noa_mlops.records.documents import sha256
from noa_mlops.records.drift import MAX_SIGNS
from noa_mlops.records.verdict import Outcome

LONGEST = 60
"""Characters of a name that a sign has."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The verdict of data and labels together, whether this window alone blocks, and what a second one must show again."""

    verdict: Outcome
    is_certain: bool
    signs: list[list[str]]


def weigh(report: DriftReport, labels: LabelReport | None) -> Weighed:
    """Labels clear data that drifted, but no other schema; what hurts fails. There are no signs where nothing failed.

    Labels that are there and could not be asked leave data that look well inconclusive: nobody knows how the champion did.
    """
    finding = None if labels is None else labels.finding
    verdict = report.outcome
    if finding == "hurts":
        verdict = "fail"
    elif finding == "clears" and not report.schema:
        verdict = "pass"
    elif verdict == "pass" and labels is not None and labels.problem is not None:
        verdict = "inconclusive"
    if verdict != "fail":
        return Weighed(verdict, is_certain=False, signs=[])
    hurting = () if labels is None else labels.hurting
    signs = [[_short(metric.metric), "metric", "worse"] for metric in hurting] + _moved(report)
    certain = report.is_certain or (labels is not None and labels.is_certain)
    return Weighed(verdict, certain, sorted(signs[:MAX_SIGNS]))


def _moved(report: DriftReport) -> list[list[str]]:
    """What moved in columns that gate, the largest effects first."""
    return [
        [_short(column.name), test.subject, _short(test.direction or "")]
        for column in report.columns
        if column.gates
        for test in column.tests
        if test.drifted
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 13]}~{sha256(text.encode())[:12]}"
