"""Evaluation: from predictions and withheld labels to metrics.

This is the verifier's side of the wall: it alone sees predictions and labels together. What a predictor hands
in is never trusted: the columns are exactly those asked for, every row is there, every number is one. What
cannot be read as predictions raises `EvaluationFailed`; what can be read but not computed is an `Estimate`
without a value, with the reason. The formulas are those of scikit-learn, so a stranger can check every figure.
`compare` says how much better one model is than another on the same rows; every figure comes with its spread.
`measure_slices` measures the rows of each value of a column apart; `diagnose_classes` and `diagnose_numbers` count what is drawn;
`expected` says what probabilities let expect where labels are not there yet.
"""

from noa_mlops.evaluation.answers import (
    check_rows,
    chosen_classes,
    predicted_quantiles,
    predicted_values,
    read_predictions,
)
from noa_mlops.evaluation.classes import ClassList
from noa_mlops.evaluation.comparing import Answers, compare
from noa_mlops.evaluation.diagnosis import Diagnosis, diagnose_classes, diagnose_numbers
from noa_mlops.evaluation.expected import answer_column, calibrate, expected
from noa_mlops.evaluation.measurement import Asked, evaluate, grouped
from noa_mlops.evaluation.own import OwnMetrics, check_own_metrics, improvements, measurable, read_own_metrics
from noa_mlops.evaluation.slicing import SliceColumn, measure_slices

__all__ = [
    "Answers",
    "Asked",
    "ClassList",
    "Diagnosis",
    "OwnMetrics",
    "SliceColumn",
    "answer_column",
    "calibrate",
    "check_own_metrics",
    "check_rows",
    "chosen_classes",
    "compare",
    "diagnose_classes",
    "diagnose_numbers",
    "evaluate",
    "expected",
    "grouped",
    "improvements",
    "measurable",
    "measure_slices",
    "predicted_quantiles",
    "predicted_values",
    "read_own_metrics",
    "read_predictions",
]
