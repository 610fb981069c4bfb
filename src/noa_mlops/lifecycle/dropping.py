"""Metric drift beside a challenger: the champion, asked about the challenger's rows, measured against its promotion.

A drop is part of the measurement's entry, and a scan of the same data follows it before anything is decided: what blocks
a rollout is one kind of entry, whoever noticed. The law of scans holds both to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from noa_mlops.gate import estimates_recorded, thresholds
from noa_mlops.ledger import LedgerReader, plan_of, summary_digest
from noa_mlops.lifecycle.asking import Asked, measurement_of
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.runs import Measured
from noa_mlops.records.events import EvaluationLogged, Recorded
from noa_mlops.records.layout import address
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.own_metrics import own_name
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate


def with_drop(ledger: LedgerReader, given: Submission, champion: Manifest, measured: Measured) -> Measured:
    """``measured`` with what it shows of the ``champion`` beside it: None under ``dropped`` where its metrics did not drop.

    Unchanged where nothing is known to hold them against: rows that it was measured on before, a version without a summary,
    or another question, which is a plan with another target or positive class. So are metrics of another evaluator left out.
    """
    asked = champion.predict["target"], champion.predict["positive"]
    if not measured.champion_anew or measured.champion is None or asked != (given.target, given.positive):
        return measured
    name, version = champion.lifecycle_id, ledger.state.version(champion.lifecycle_id, champion.version)
    plan, then = (None, None) if version is None else (plan_of(ledger, version), measurement_of(ledger, name, version))
    if version is None or plan is None or then is None or summary_digest(ledger, name, version) is None:
        return measured
    alike = _evaluator(ledger.entry(then.seq or 0).predicate.get("evaluator")) == _evaluator(measured.evaluator)
    declared = [one for one in thresholds(plan) if alike or own_name(one.metric) is None]
    said = drop_of(declared, estimates_recorded(then), measured.champion_anew, measured.report.rows)
    return replace(measured, champion={**measured.champion, "dropped": said})


def _evaluator(recorded: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Which function of which file a plan's own metrics come from."""
    return () if recorded is None else (recorded["function"], recorded["sha256"])


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
