"""The report of a run, and the exit status that follows from it."""

from __future__ import annotations

import json
import typing
from dataclasses import replace

import pytest

from noa_mlops.errors import (
    ArtifactTampered,
    DatasetInvalid,
    EvaluationFailed,
    LedgerConflict,
    LedgerTampered,
    LifecycleError,
    NotAuthorised,
    NotFound,
    PlanInvalid,
    RegistryConflict,
    TrainingFailed,
)
from noa_mlops.ledger.state import VersionStatus
from noa_mlops.records.report import EXIT_CODES, PipelineReport


def report(state="champion", status="ready"):
    return PipelineReport(
        lifecycle_id="rain",
        version=3,
        profile="command",
        state=state,
        status=status,
        verdict="pass",
        reasons=(),
        metrics={"roc_auc": 0.9, "recall": None},
        thresholds={"roc_auc": {"min": 0.8}},
        violations=(),
        champion=3,
        checksum="b" * 64,
        artifact="storage/artifacts/rain/command/3",
        entry=12,
        isolation="sealed",
    )


@pytest.mark.parametrize(
    ("state", "code"),
    [("champion", 0), ("former", 0), ("rejected", 3), ("held", 3), ("failed", 6), ("inconclusive", 7)],
)
def test_each_state_in_which_a_run_can_end_has_its_exit_status(state, code):
    assert report(state).exit_code == code


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        (("approval",), 7),
        (("champion", "approval"), 7),
        (("drift", "approval"), 3),
        (("no_gate", "approval"), 3),
        (("drift",), 3),
    ],
)
def test_a_version_that_waits_for_approval_alone_is_not_yet_decided(reasons, code):
    assert replace(report("held"), reasons=reasons).exit_code == code


def test_no_state_in_which_a_version_can_end_lacks_an_exit_status():
    on_the_way = {"submitted", "trained", "evaluated"}
    assert set(EXIT_CODES) == set(typing.get_args(VersionStatus)) - on_the_way


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LifecycleError, 1),
        (PlanInvalid, 2),
        (DatasetInvalid, 2),
        (NotFound, 2),
        (LedgerTampered, 4),
        (ArtifactTampered, 4),
        (LedgerConflict, 5),
        (RegistryConflict, 5),
        (NotAuthorised, 5),
        (TrainingFailed, 6),
        (EvaluationFailed, 6),
    ],
)
def test_each_error_has_its_exit_status_and_a_hint(error, code):
    raised = error("something is wrong")
    assert raised.exit_code == code
    assert raised.hint
    assert error("something is wrong", hint="do this").hint == "do this"


def test_only_a_ready_decision_promotes():
    assert report().promoted
    assert not report("held", "blocked").promoted
    assert not report("failed", None).promoted


def test_is_addressed_as_lifecycle_and_version():
    assert report().address == "rain@3"


def test_is_a_json_document():
    document = report().to_document()
    assert json.loads(json.dumps(document, allow_nan=False))["metrics"] == {"roc_auc": 0.9, "recall": None}
    assert document["failure"] is None
