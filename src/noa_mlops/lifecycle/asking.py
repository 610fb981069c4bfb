"""The champion asked about the data of a scan: what it says now, what the labels say of that, what may be expected without.

The answers come from an isolated process that never sees a label. Labels decide whether drift hurts; where they are not
there yet, calibrated probabilities say what may be expected, and clear nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from noa_mlops.errors import DatasetInvalid, EvaluationFailed, NotFound, StepFailed
from noa_mlops.gate import estimates_recorded
from noa_mlops.ledger import LedgerReader, VersionState
from noa_mlops.lifecycle.history import history_of
from noa_mlops.records.documents import Json
from noa_mlops.records.events import EvaluationLogged
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.summary import ColumnSummary, DatasetSummary
from noa_mlops.records.verdict import Estimate

if TYPE_CHECKING:
    import pyarrow as pa

    from noa_mlops.datasets import Dataset
    from noa_mlops.drift import LabelReport

Ask: TypeAlias = "Callable[[pa.Table], pa.Table]"
"""Gives the champion's answers about features, as its predictor wrote them; `noa_mlops.delivery.Model.answers` does."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The champion that is asked: how its answers are read, by which plan it was promoted, what it measured then.

    ``contract`` is the part of its manifest that says so; ``then`` are its metrics with their spreads.
    """

    contract: Mapping[str, Any]
    plan: TrainingPlan
    then: Mapping[str, Estimate]
    reference: DatasetSummary


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it. ``predictions`` are what the champion says, as counts; ``labels`` what the labels say of that.

    ``expected`` are its metrics as its own probabilities let expect them, by name; ``problem`` is why it could not be asked.
    """

    predictions: ColumnSummary | None = None
    labels: LabelReport | None = None
    expected: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None

    def expected_document(self, then: Mapping[str, float | None]) -> dict[str, Json]:
        """JSON form of what may be expected, beside the metrics of ``then``; each is marked as estimated."""
        return {
            name: {"then": then.get(name), "estimated": float(f"{value:.6g}")} for name, value in self.expected.items()
        }


def ask(dataset: Dataset, champion: Subject, answer: Ask, moment: str) -> Asked:
    """Ask the champion about every row of the data; ``moment`` is now, RFC 3339 in UTC. What fails is a ``problem``."""
    labelled = _has_labels(dataset, champion)
    if not labelled and champion.reference.predictions is None:
        return Asked()
    target = champion.contract["target"]
    features = dataset.table.drop_columns([target]) if target in dataset.table.column_names else dataset.table
    try:
        predictions = answer(features)
        said = _counted(dataset, champion, predictions)
        return replace(said, labels=_labels(dataset, champion, predictions, moment) if labelled else None)
    except (EvaluationFailed, StepFailed, DatasetInvalid, NotFound) as error:
        return Asked(labels=_unasked(dataset, champion, str(error)) if labelled else None, problem=str(error))


def measurement_of(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> EvaluationLogged | None:
    """What a version was decided on by; None when it was not measured."""
    history = history_of(ledger, lifecycle_id, version.version)
    return next((event for event in reversed(history) if isinstance(event, EvaluationLogged)), None)


def measured_then(ledger: LedgerReader, lifecycle_id: str, version: VersionState) -> Mapping[str, Estimate]:
    """The metrics of a version with their spreads, as they were when it was decided on; empty when it was not measured."""
    measured = measurement_of(ledger, lifecycle_id, version)
    return {} if measured is None else estimates_recorded(measured)


def _has_labels(dataset: Dataset, champion: Subject) -> bool:
    """Whether there are labels, and thresholds to hold against them what they say."""
    target, plan = champion.contract["target"], champion.plan
    if plan.evaluation is None or not plan.evaluation.metric_thresholds or target not in dataset.table.column_names:
        return False
    return bool(dataset.table.column(target).null_count < dataset.table.num_rows)


def _counted(dataset: Dataset, champion: Subject, predictions: pa.Table) -> Asked:
    from noa_mlops.datasets import summarise_answers
    from noa_mlops.evaluation import ClassList, answer_column, expected

    contract, calibration = champion.contract, champion.reference.calibration
    known = contract["classes"]
    classes = None if known is None else ClassList.of(known, contract["positive"])
    answers = answer_column(predictions, classes, tuple(contract.get("quantiles", ())))
    metrics: Mapping[str, float] = {}
    if classes is not None and calibration is not None:
        metrics = expected(predictions, classes, calibration, contract["decision_threshold"])
    asked = (
        {threshold.metric for threshold in champion.plan.evaluation.metric_thresholds}
        if champion.plan.evaluation
        else ()
    )
    return Asked(
        summarise_answers(answers, dataset), expected={name: metrics[name] for name in metrics if name in asked}
    )


def _labels(dataset: Dataset, champion: Subject, predictions: pa.Table, moment: str) -> LabelReport | None:
    """What the labels of rows that are old enough say."""
    import pyarrow.compute as pc

    from noa_mlops.drift import Labelled, LabelReport, judge_labels
    from noa_mlops.evaluation import Asked as Levels
    from noa_mlops.evaluation import evaluate

    plan, contract, settings = champion.plan, champion.contract, champion.plan.drift.labels
    if plan.evaluation is None:
        return None
    labels = dataset.table.column(contract["target"])
    try:
        due = _due(dataset, champion, moment)
    except DatasetInvalid as error:
        return _unasked(dataset, champion, str(error))
    known = labels.is_valid() if due is None else pc.and_(labels.is_valid(), due)
    old = len(labels) if due is None else pc.sum(due).as_py() or 0
    counted = Labelled(pc.sum(known).as_py() or 0, old, len(labels), settings.min_share)
    if not counted.rows:
        return LabelReport(counted, ())
    by = plan.evaluation.group_by or dataset.definition.group
    groups = dataset.table.column(by) if by is not None and by in dataset.table.column_names else None
    report = evaluate(
        predictions.filter(known),
        labels.filter(known),
        task=contract["task"],
        classes=contract["classes"],
        positive=contract["positive"],
        decision_threshold=contract["decision_threshold"],
        asked=Levels(tuple(contract.get("quantiles", ()))),
        group_by=None if groups is None else groups.filter(known),
    )
    return judge_labels(plan.evaluation.metric_thresholds, report.metrics, champion.then, counted)


def _unasked(dataset: Dataset, champion: Subject, problem: str) -> LabelReport:
    """Of labels that are there, and why they say nothing."""
    from noa_mlops.drift import Labelled, LabelReport

    least = champion.plan.drift.labels.min_share
    return LabelReport(Labelled(0, 0, dataset.table.num_rows, least), (), problem)


def _due(dataset: Dataset, champion: Subject, moment: str) -> Any:
    """Which rows are old enough that their labels count, as truth values; None where all are. Raises `DatasetInvalid`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    delay = champion.plan.drift.labels.delay
    if not delay:
        return None
    blocks = champion.reference.blocks
    name = dataset.definition.time or (blocks.column if blocks is not None and blocks.role == "time" else None)
    column = None if name is None or name not in dataset.table.column_names else dataset.table.column(name)
    if column is None or not pa.types.is_timestamp(column.type):
        raise DatasetInvalid(
            "no column of times says how old a row is, and the plan lets labels count only after a delay",
            hint="Name the column of times in a definition of the data: time: COLUMN.",
        )
    latest = datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None) - timedelta(seconds=delay)
    return pc.fill_null(pc.less_equal(column, pa.scalar(latest, pa.timestamp("us"))), fill_value=False)
