"""Every entry reads back as the event that was written, and names the objects that it needs."""

from __future__ import annotations

import json

import pytest

from lifecycle.drafts import (
    CODE,
    DATASET,
    ENVIRONMENT,
    FACTS,
    IDENTITY,
    LOG,
    MAKES,
    MODEL,
    PLAN,
    PREDICTIONS,
    THRESHOLDS,
    TIME,
    append,
)
from noa_mlops.ledger import ledger_lines
from noa_mlops.lifecycle.statements import judged_by
from noa_mlops.records import events
from noa_mlops.records.documents import sha256
from noa_mlops.records.events import decode, named_objects


@pytest.fixture
def write(ledger):
    """Append entries by name; the last event and its statement."""

    def write(*names):
        history, statement = [], {}
        for name in names:
            statement = append(ledger, MAKES[name], "rain", history)
        return history[-1], statement

    return write


WAYS = {
    "Submitted": ("submitted",),
    "TrainingCompleted": ("submitted", "trained"),
    "TrainingFailed": ("submitted", "training_failed"),
    "EvaluationLogged": ("submitted", "trained", "evaluated"),
    "EvaluationFailed": ("submitted", "trained", "evaluation_failed"),
    "PromotionReady": ("submitted", "trained", "evaluated", "promoted"),
}


@pytest.mark.parametrize("name", WAYS)
def test_an_entry_becomes_the_event_of_its_type_at_its_place(write, name):
    event, statement = write(*WAYS[name])
    header = statement["noa_entry"]
    assert event.name == header["type"] == name
    assert isinstance(event, getattr(events, name))
    assert (event.lifecycle_id, event.version, event.seq) == ("rain", 1, len(WAYS[name]))
    assert event.timestamp == header["ts"]


def test_submitted_says_what_will_be_run_on_what(write):
    event, _ = write(*WAYS["Submitted"])
    assert (event.agent_id, event.profile, event.plan_digest) == ("rain-1", "command", PLAN)
    assert event.plan_uri == f"objects/{PLAN}"
    assert event.datasets == {"train": DATASET}
    assert list(event.code) == [{"path": "train.sh", "sha256": CODE}]


def test_training_completed_names_the_bytes_and_what_the_runtime_saw(write):
    event, statement = write(*WAYS["TrainingCompleted"])
    assert event.checksum == MODEL
    assert event.run == {**FACTS, "files": 3}
    assert statement["predicate"]["runDetails"]["metadata"]["startedOn"] == TIME
    assert statement["predicate"]["buildDefinition"]["internalParameters"]["seed"] == 7


def test_failures_say_cause_and_message(write):
    event, statement = write(*WAYS["TrainingFailed"])
    assert (event.cause, event.message) == ("time_limit", "was killed at its time limit")
    assert statement["noa_entry"]["status"] == "failed"
    assert statement["subject"] == [{"name": "plan", "digest": {"sha256": PLAN}}]


def test_a_failed_measurement_says_cause_and_message(write):
    event, statement = write(*WAYS["EvaluationFailed"])
    assert (event.cause, event.message) == ("predictions", "one row too few")
    assert statement["subject"][0]["digest"]["sha256"] == MODEL


def test_evaluation_logged_gives_each_metric_or_the_reason_why_there_is_none(write):
    event, statement = write(*WAYS["EvaluationLogged"])
    assert event.metrics == {"roc_auc": 0.91, "recall": None}
    assert event.not_computed == {"recall": "no positive row"}
    assert (event.rows, event.dataset, event.predictions, event.checksum) == (9, DATASET, PREDICTIONS, MODEL)
    assert event.run == FACTS
    assert statement["subject"][1] == {"name": "predictions.parquet", "digest": {"sha256": PREDICTIONS}}


def test_a_promotion_says_verdict_metrics_thresholds_and_whom_it_replaces(write):
    event, statement = write(*WAYS["PromotionReady"])
    assert (event.status, event.verdict, event.promotes) == ("ready", "pass", True)
    assert (event.reasons, event.violations, event.replaces) == ((), (), None)
    assert event.metrics == {"roc_auc": 0.91, "recall": None}
    assert event.thresholds == THRESHOLDS
    assert event.checksum == MODEL
    assert event.artifact == "storage/artifacts/rain/command/1"
    assert statement["predicate"]["verificationResult"] == "PASSED"
    assert statement["predicate"]["verifiedLevels"] == ["NOA_GATE"]


@pytest.mark.parametrize(
    ("way", "status", "verdict", "reasons"),
    [
        (("evaluated", "rejected"), "blocked", "fail", ("threshold",)),
        (("evaluated", "inconclusive"), "blocked", "inconclusive", ("inconclusive",)),
        (("evaluated", "held"), "blocked", "pass", ("drift",)),
        (("held without a gate",), "blocked", "inconclusive", ("no_gate",)),
        (("ready without a gate",), "ready", "inconclusive", ("no_gate",)),
    ],
)
def test_nothing_but_a_passed_and_declared_gate_is_called_passed(write, way, status, verdict, reasons):
    event, statement = write("submitted", "trained", *way)
    assert (event.status, event.verdict, event.reasons) == (status, verdict, reasons)
    assert event.promotes == (status == "ready")
    assert statement["predicate"]["verificationResult"] == "FAILED"
    assert statement["predicate"]["verifiedLevels"] == ["FAILED"]


def test_a_rejection_keeps_the_violated_threshold(write):
    event, _ = write("submitted", "trained", "evaluated", "rejected")
    assert event.violations[0]["metric"] == "roc_auc"
    assert event.violations[0]["value"] == 0.91


def test_genesis_concerns_no_version(ledger):
    genesis = next(iter(ledger_lines(ledger)))
    assert decode(json.loads(genesis.line)) is None
    assert list(named_objects(json.loads(genesis.line))) == []


@pytest.mark.parametrize(
    ("way", "objects"),
    [
        (WAYS["Submitted"], {PLAN, IDENTITY, CODE}),
        (WAYS["TrainingCompleted"], {ENVIRONMENT, MODEL}),
        (WAYS["TrainingFailed"], {ENVIRONMENT, LOG}),
        (WAYS["EvaluationLogged"], set()),
        (WAYS["EvaluationFailed"], {LOG}),
        (WAYS["PromotionReady"], {sha256(judged_by(THRESHOLDS, "4" * 64))}),
    ],
)
def test_an_entry_names_the_objects_that_must_exist(write, way, objects):
    _, statement = write(*way)
    assert set(named_objects(statement)) == objects
