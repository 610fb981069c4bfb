"""Estimates, verdicts and decisions cannot be built to say what they must not."""

import json
import math

import pytest

from noa_mlops.records.documents import canonical
from noa_mlops.records.plan import Threshold
from noa_mlops.records.verdict import Decision, Estimate, EvaluationReport, Verdict, Violation

LOW = Violation(Threshold("accuracy", minimum=0.9, maximum=None), 0.5, "0.5 is under 0.9")
REPORT = EvaluationReport(
    metrics={"accuracy": Estimate(0.1 + 0.2, 7), "roc_auc": Estimate(None, 7, "all labels are of one class")},
    rows=7,
    missing_predictions=0,
    unseen_labels=1,
    task="classification",
    classes=("no", "yes"),
    positive="yes",
    missing_labels=2,
    decision_threshold=0.5,
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_holds_no_number_that_is_not_finite(value):
    with pytest.raises(ValueError, match="is not a measurement"):
        Estimate(value, 5)
    assert Estimate.of(value, 5) == Estimate(None, 5, "the result is not a finite number")


@pytest.mark.parametrize(("value", "reason"), [(None, None), (0.5, "but")])
def test_has_either_a_value_or_a_reason(value, reason):
    with pytest.raises(ValueError, match="either a value or the reason"):
        Estimate(value, 5, reason)


def test_survives_json_with_every_bit_of_every_number():
    document = json.loads(canonical(REPORT.to_document()))
    assert EvaluationReport.from_document(document) == REPORT


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"value": None, "rows": 3},
        {"value": True, "rows": 3},
        {"value": "0.9", "rows": 3},
        {"value": 0.9, "rows": None},
        {"value": 0.9, "rows": True},
        {"value": None, "rows": 3, "reason": 7},
        {"value": math.nan, "rows": 3},
    ],
)
def test_refuses_a_document_that_is_no_estimate(document):
    with pytest.raises(ValueError, match=r"estimate|measurement"):
        Estimate.from_document(document)


@pytest.mark.parametrize(
    ("outcome", "violations", "reasons"),
    [
        ("pass", (LOW,), ()),
        ("pass", (), ("something",)),
        ("fail", (), ()),
        ("inconclusive", (), ()),
        ("inconclusive", (LOW,), ("something",)),
        ("passed", (), ()),
        ("", (), ("something",)),
    ],
)
def test_refuses_a_verdict_that_contradicts_itself(outcome, violations, reasons):
    with pytest.raises(ValueError, match=r"verdict|violated"):
        Verdict(outcome, violations, reasons)


def test_writes_a_verdict_with_everything_that_speaks_against_it():
    assert json.loads(canonical(Verdict("fail", (LOW,), ("rows are shared",)).to_document())) == {
        "verdict": "fail",
        "violations": [{"metric": "accuracy", "min": 0.9, "value": 0.5, "reason": "0.5 is under 0.9"}],
        "reasons": ["rows are shared"],
    }


@pytest.mark.parametrize(
    ("status", "verdict", "reasons"),
    [
        ("ready", Verdict("fail", (LOW,)), ()),
        ("ready", Verdict("fail", (LOW,)), ("no_gate",)),
        ("ready", Verdict("inconclusive", reasons=("too few rows",)), ()),
        ("ready", Verdict("inconclusive", reasons=("too few rows",)), ("inconclusive",)),
        ("blocked", Verdict("pass"), ()),
        ("held", Verdict("pass"), ("approval",)),
    ],
)
def test_refuses_a_decision_that_its_verdict_does_not_carry(status, verdict, reasons):
    with pytest.raises(ValueError, match=r"decision|not ready"):
        Decision(status, verdict, reasons)
