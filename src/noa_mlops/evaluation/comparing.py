"""Two models on the same rows: how much better is the challenger, and how sure is that?

Every difference is an *improvement*: its sign is turned so that more is better, whatever the metric. It is paired, row
by row, so the rows that are hard for both do not blur it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from noa_mlops.errors import EvaluationFailed
from noa_mlops.evaluation.classes import ClassList
from noa_mlops.evaluation.measurement import NUMBERS, Asked, answered, classified, grouped, share
from noa_mlops.evaluation.subject import Classified, Groups, Measure, Subject, measures, spread_of
from noa_mlops.evaluation.undefined import Undefined
from noa_mlops.records.metrics import METRICS, Metric, Task, metrics_of
from noa_mlops.records.spread import PairedProportion, Spread
from noa_mlops.records.verdict import ClassLabel, Estimate


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model said of each row, in the order of the labels; ``classes`` is the class list of that model.

    ``asked`` says what a regression answers when it is not one number for each row.
    """

    predictions: pa.Table
    classes: Sequence[ClassLabel] | None = None
    decision_threshold: float = 0.5
    asked: Asked = NUMBERS


def compare(
    challenger: Answers,
    champion: Answers,
    labels: pa.ChunkedArray,
    *,
    task: Task,
    positive: ClassLabel | None = None,
    group_by: pa.ChunkedArray | None = None,
) -> Mapping[str, Estimate]:
    """The improvement of the challenger over the champion in every metric that both have, with its spread.

    ``positive`` is the class that precision, recall and F1 speak of, for both. A metric that either of them lacks has
    no value but the reason. Raises `EvaluationFailed` when the answers of one cannot be read beside these labels.
    """
    if challenger.predictions.num_rows != len(labels) or champion.predictions.num_rows != len(labels):
        raise EvaluationFailed("two models can only be compared on the same rows")
    groups = None if group_by is None else grouped(group_by, labels)
    pair = [subject_of(one, labels, task, positive, groups) for one in (challenger, champion)]
    if pair[0] is None or pair[1] is None:
        silent = Estimate(None, 0, "one of the models is silent on some of the rows, or no row has a label")
        wanted = challenger.asked.metrics if task == "regression" else metrics_of(task)
        return dict.fromkeys(wanted, silent)
    return dict(_improvements(pair[0], pair[1], groups))


def subject_of(
    answers: Answers, labels: pa.ChunkedArray, task: Task, positive: ClassLabel | None, groups: Groups | None = None
) -> Subject | None:
    """What one model said of the rows with a label; None when there are none or a prediction is missing."""
    if task == "regression":
        return answered(answers.predictions, labels, answers.asked, groups)
    classes = ClassList.of(answers.classes, positive)
    return classified(answers.predictions, labels, classes, share(answers.decision_threshold))


def _improvements(challenger: Subject, champion: Subject, groups: Groups | None) -> Iterable[tuple[str, Estimate]]:
    ours, theirs = measures(challenger), measures(champion)
    for name, metric in METRICS.items():
        if name not in ours and name not in theirs:
            continue
        if name not in ours or name not in theirs:
            who = "challenger" if name not in ours else "champion"
            yield name, Estimate(None, challenger.rows, f"the {who} gives no {metric.needs}")
            continue
        yield name, _improvement(metric, _Pair(challenger, champion), ours[name], theirs[name], groups)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two subjects over the same rows."""

    challenger: Subject
    champion: Subject


def _improvement(metric: Metric, pair: _Pair, ours: Measure, theirs: Measure, groups: Groups | None) -> Estimate:
    rows = pair.challenger.rows
    if ours.ideal != theirs.ideal:
        return Estimate(None, rows, "the two models promise different values of it")
    metric = metric if ours.ideal is None else replace(metric, ideal=ours.ideal)
    try:
        new, old = ours.value(), theirs.value()
    except Undefined as undefined:
        return Estimate(None, rows, str(undefined))
    gained = Estimate.of(_goodness(metric, new) - _goodness(metric, old), rows)
    if gained.value is None:
        return gained
    return Estimate(gained.value, rows, spread=_spread(metric, pair, (ours, theirs), (new, old), groups))


def _spread(
    metric: Metric, pair: _Pair, both: tuple[Measure, Measure], values: tuple[float, float], groups: Groups | None
) -> Spread | None:
    if groups is None and (paired := _paired(metric.name, pair)) is not None:
        return paired
    ours, theirs = both[0].influence, both[1].influence
    if ours is None or theirs is None:
        return None
    signs = [_sign(metric, value) for value in values]
    return spread_of(lambda: ours().turned(signs[0]) - theirs().turned(signs[1]), groups)


def _paired(name: str, pair: _Pair) -> PairedProportion | None:
    """The rows on which exactly one of the two is right, for metrics that are a share of the same rows for both."""
    new, old = pair.challenger, pair.champion
    if not isinstance(new, Classified) or not isinstance(old, Classified):
        return None
    if name in ("accuracy", "precision_micro", "recall_micro", "f1_micro"):
        return _discordant(new.hits, old.hits)
    if name in ("recall", "specificity") and new.positive is not None:
        rows = new.truth == (new.positive if name == "recall" else 1 - new.positive)
        return _discordant(new.hits[rows], old.hits[rows])
    return None


def _discordant(new: npt.NDArray[np.bool_], old: npt.NDArray[np.bool_]) -> PairedProportion:
    return PairedProportion(int(np.count_nonzero(new & ~old)), int(np.count_nonzero(old & ~new)), new.size)


def _goodness(metric: Metric, value: float) -> float:
    """The value turned so that more is better."""
    return _sign(metric, value) * (value - (metric.ideal or 0.0))


def _sign(metric: Metric, value: float) -> int:
    if metric.direction == "nearest":
        return -1 if value >= (metric.ideal or 0.0) else 1
    return 1 if metric.direction == "higher" else -1
