"""Metric drift beside a challenger: the champion, asked about the challenger's rows, measured against its promotion.

A drop is part of the measurement's entry, and a scan of the same data follows it before anything is decided: what blocks
a rollout is one kind of entry, whoever noticed. The law of scans holds both to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from noa_mlops.ledger import LedgerReader, VersionState
from noa_mlops.lifecycle.asking import Asked, measured_then
from noa_mlops.lifecycle.runs import Measured
from noa_mlops.lifecycle.scanning import plan_of, summary_digest
from noa_mlops.records.events import EvaluationLogged, Recorded
from noa_mlops.records.layout import address


def with_drop(ledger: LedgerReader, lifecycle_id: str, champion: VersionState, measured: Measured) -> Measured:
    """``measured`` with what it shows of the ``champion`` beside it; unchanged where its metrics did not drop.

    Nor where nothing is known to hold them against: rows that it was measured on before, or a version without a summary.
    """
    from noa_mlops.drift import Labelled, judge_labels

    if (
        not measured.champion_anew
        or measured.champion is None
        or summary_digest(ledger, lifecycle_id, champion) is None
    ):
        return measured
    plan, rows = plan_of(ledger, champion), measured.report.rows
    if plan is None or plan.evaluation is None:
        return measured
    then = measured_then(ledger, lifecycle_id, champion)
    thresholds = plan.evaluation.metric_thresholds
    labels = judge_labels(thresholds, measured.champion_anew, then, Labelled(rows, rows, rows))
    if labels.finding != "hurts":
        return measured
    said = {"certain": labels.is_certain, **labels.to_document()}
    return replace(measured, champion={**measured.champion, "dropped": said})


def asked_beside(measured: EvaluationLogged) -> Asked:
    """What came of asking the champion beside a challenger, as its entry recorded it. Raises `ValueError` where nothing dropped."""
    from noa_mlops.drift import read_labels

    said = dropped(measured)
    if said is None:
        raise ValueError("nothing was recorded of a drop")
    return Asked(labels=read_labels(said))


def dropped(measured: EvaluationLogged | None) -> Mapping[str, Any] | None:
    """What a measurement showed of the champion's metrics; None where none dropped."""
    champion = None if measured is None else measured.champion
    return None if champion is None else champion.get("dropped")


def notes(history: Sequence[Recorded]) -> Iterator[str]:
    """What a run says of the champion that it was measured beside, where it dropped."""
    from noa_mlops.drift import read_labels

    measured = next((event for event in reversed(history) if isinstance(event, EvaluationLogged)), None)
    said = dropped(measured)
    if measured is None or measured.champion is None or said is None:
        return
    champion = address(measured.lifecycle_id, measured.champion["version"])
    for metric in read_labels(said).hurting:
        yield (
            f"on these rows the champion {champion} measures {metric.metric} {metric.now:.4g}, was {metric.then:.4g}: "
            f"{metric.why}"
        )
