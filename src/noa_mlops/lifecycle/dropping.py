"""Metric drift beside a challenger: the champion, asked about the challenger's rows, measured against its promotion.

A drop is part of the measurement's entry, and a scan of the same data follows it before anything is decided: what blocks
a rollout is one kind of entry, whoever noticed. The law of scans holds both to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from noa_mlops.ledger import LedgerReader, VersionState, plan_of, summary_digest
from noa_mlops.lifecycle.asking import Asked, measured_then
from noa_mlops.lifecycle.runs import Measured
from noa_mlops.records.events import EvaluationLogged, Recorded
from noa_mlops.records.layout import address
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate


def with_drop(ledger: LedgerReader, lifecycle_id: str, champion: VersionState, measured: Measured) -> Measured:
    """``measured`` with what it shows of the ``champion`` beside it: None under ``dropped`` where its metrics did not drop.

    Unchanged where nothing is known to hold them against: rows that it was measured on before, or a version without a summary.
    """
    if not measured.champion_anew or measured.champion is None:
        return measured
    plan = plan_of(ledger, champion)
    if plan is None or plan.evaluation is None or summary_digest(ledger, lifecycle_id, champion) is None:
        return measured
    declared, then = plan.evaluation.metric_thresholds, measured_then(ledger, lifecycle_id, champion)
    said = drop_of(declared, then, measured.champion_anew, measured.report.rows)
    return replace(measured, champion={**measured.champion, "dropped": said})


def drop_of(
    declared: Sequence[Threshold], then: Mapping[str, Estimate], now: Mapping[str, Estimate], rows: int
) -> dict[str, Any] | None:
    """What an entry says of the champion's metrics ``now``, on so many rows, against ``then``; None where none dropped."""
    from noa_mlops.drift import Labelled, judge_labels

    labels = judge_labels(declared, now, then, Labelled(rows, rows, rows))
    return {"certain": labels.is_certain, **labels.to_document()} if labels.finding == "hurts" else None


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
