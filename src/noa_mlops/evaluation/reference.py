"""The page of the manual that lists every metric, written from the table itself.

``python -m noa_mlops.evaluation.reference > docs/metrics.md`` writes it again after the table has changed.
"""

from __future__ import annotations

import math
import sys

from noa_mlops.records.metrics import METRICS, Metric, Task

_BEGINNING = """\
# Metrics

A plan sets thresholds by name under `evaluation.metric_thresholds`. A bare number means *at least* where higher is
better and *at most* where lower is better; a value exactly at the threshold meets it. `{min: ..., max: ...}` sets
either side or both. A metric that cannot be computed has no value but a reason, and violates its threshold.

Every metric of the task is computed and recorded, whether the plan names it or not. The column *interval* says how sure
a value is: *score* is the score interval of a share of rows (Wilson 1927), *DeLong* the structural components of an area
(DeLong, DeLong and Clarke-Pearson 1988), *jackknife* the influence of each row by the derivative of the formula (Jaeckel
1972), *none* that it hangs on one row, so only its value can be held against a threshold. [The gate](gate.md) says what is
made of it. `noa schema plan` has the same table as a JSON Schema, for editors.
"""

_RULES = """
## What is measured

- Rows whose label is missing are left out and counted. When a prediction is missing, no metric has a value: a model
  that is silent on the hard rows is not measured on the easy ones.
- Probabilities are columns `p_0` .. `p_k-1` in the order of the model's class list. Each row adds up to 1: within
  0.000001 it is taken as it is, within 0.001 it is divided by its sum, beyond that the evaluation fails.
- Where a row of quantiles crosses (a higher level below a lower one) it is measured as it is, and counted.
- A predictor that gives classes (`prediction`) instead of probabilities has no metric that needs probabilities.
- With two classes a row is predicted positive from the plan's `decision_threshold` on (0.5 unless it says otherwise);
  the positive class is the plan's `positive`, else the second in the sorted class list. With more classes the most
  probable one is predicted.
- A label that did not occur in training is counted and is an error: no prediction can match it, its probability is 0,
  and where one class stands against the rest its row belongs to the rest.
- Labels of one class only leave `balanced_accuracy`, `mcc`, `cohen_kappa`, the calibration slope and intercept, and the
  ranking metrics without a value; so does, for the `_ovr` and `_macro` ranking metrics, a class of the model without rows.
- `precision` has no value when no row is predicted positive, `recall` when no label is positive, `npv` and `specificity`
  the same for the negative class. In averages over the classes, a class without predictions or without labels counts as 0.
- `calibration_slope` is best at 1 and worse on both sides, so its threshold states both: `{min: 0.8, max: 1.25}`;
  so do `calibration_intercept` and `mean_error`, which are best at 0. A share of the champion's value says nothing near
  0, so these two are compared with the champion only where the plan writes `max_drop` or `min_gain`.
- A plan that names `quantiles: [0.05, 0.5, 0.95]` is answered by a column for each, `q_5`, `q_50`, `q_95`. The median is the prediction
  wherever a metric speaks of one number. The interval is that of the outermost two levels that lie as far from the median, its nominal
  coverage the distance between them; `interval_coverage` is best there, so its threshold states both sides. A metric whose
  quantile the plan does not name is refused in a threshold, and has no value in the record. Without `quantiles` none of
  these is measured, but `pinball_10`, `pinball_50` and `pinball_90`, which take one number for the quantile.
- A threshold on `ndcg`, `ndcg_at_10`, `mrr` or `map` asks for a ranking: the predictions of a regression order the rows of each group, the
  column of `evaluation.group_by` (a query, a user, a day), and the label, 0 or more, says how relevant a row is. All four
  are then measured, each the mean over the groups that have a relevant row, with intervals over groups. For equal predictions
  `ndcg` is the mean over all orders, the others count the worst rank. The gain is the label itself; for an exponential gain
  let the target be that.
- `mase` divides each absolute error by that of the seasonal naive forecast in the training data: the mean absolute difference of labels a
  `season` apart, in the order of `time`, of each series (`group`) by itself. It is measured where the dataset definitions declare a
  [forecast](plans.md), or a threshold asks for it. A series that training does not have, or that never changes there, has no scale, and
  then no metric is made of the others. Season, number of series and mean scale stand in the entry (`forecast`).
- `noa drift` measures new data row by row, so of rankings and `mase` it says nothing: a threshold on one leaves labels undecided.
- What is missing here, [an evaluator of the plan's own](plans.md) measures: `own.NAME`.
"""


def page() -> str:
    """The whole page, as Markdown."""
    tables = _section("classification") + _section("regression")
    return f"{_BEGINNING}{tables}{_RULES}"


def _section(task: Task) -> str:
    rows = "".join(_row(metric) for metric in METRICS.values() if metric.task == task)
    head = "| metric | better | range | needs | interval | meaning | as computed by |\n|---|---|---|---|---|---|---|\n"
    return f"\n## {task.capitalize()}\n\n{head}{rows}"


def _row(metric: Metric) -> str:
    better = f"nearest {metric.best}" if metric.direction == "nearest" else metric.direction
    needs = f"{metric.needs}, two classes" if metric.binary_only else metric.needs
    least, greatest = (_bound(bound) for bound in metric.range)
    source = f"`{metric.source}`" if metric.source.startswith(("sklearn.", "numpy.")) else metric.source
    interval = metric.interval or "none"
    cells = (f"`{metric.name}`", better, f"{least} to {greatest}", needs, interval, metric.description, source)
    return f"| {' | '.join(cells)} |\n"


def _bound(bound: float) -> str:
    return f"{bound:g}" if math.isfinite(bound) else "any"


if __name__ == "__main__":
    sys.stdout.write(page())
