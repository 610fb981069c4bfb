"""Every entry that a version can meet, as the orchestrator would write it, from facts made up here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from artifacts.conftest import manifest
from noa_mlops.gate import decide
from noa_mlops.ledger import Draft, Ledger, LedgerState
from noa_mlops.lifecycle import statements
from noa_mlops.lifecycle.statements import Grounds, Making, judged_by
from noa_mlops.records.events import Recorded, decode
from noa_mlops.records.manifest import ArtifactRecord
from noa_mlops.records.plan import Threshold
from noa_mlops.records.verdict import Estimate, EvaluationReport, Verdict, Violation

PLAN, MODEL, IDENTITY, ENVIRONMENT = "a" * 64, "b" * 64, "c" * 64, "d" * 64
PREDICTIONS, LOG, MANIFEST, CODE = "e" * 64, "f" * 64, "1" * 64, "2" * 64
TIME = "2026-11-22T10:00:00.000Z"
DATASET = {"path": "train.csv", "fingerprint": "3" * 64, "rows": 9, "identity": IDENTITY}
THRESHOLDS = {"roc_auc": {"min": 0.8}}
FACTS = {
    "cause": "completed",
    "started_at": TIME,
    "finished_at": TIME,
    "peak_memory": 1 << 20,
    "isolation": {"rung": "sealed", "landlock_abi": 4, "seccomp": True, "network": "denied", "labels_hidden": True},
}
REPORT = EvaluationReport(
    metrics={"roc_auc": Estimate(0.91, 9), "recall": Estimate(None, 9, "no positive row")},
    rows=9,
    missing_predictions=0,
    unseen_labels=0,
    task="classification",
    classes=(0, 1),
    positive=1,
)
VERDICTS = {
    "pass": Verdict("pass"),
    "fail": Verdict("fail", (Violation(Threshold("roc_auc", 0.95, None), 0.91, "0.91 is below 0.95"),)),
    "inconclusive": Verdict("inconclusive", (), ("roc_auc could not be computed",)),
}

Make = Callable[[LedgerState, str, list[Recorded]], Draft]
"""A draft about the next version of a lifecycle, after a history."""


def append(ledger: Ledger, make: Make, lifecycle: str, history: list[Recorded]) -> dict[str, Any]:
    """Append one entry and put its event at the end of ``history``; its statement."""
    entry = ledger.append(lambda state: make(state, lifecycle, history))
    statement: dict[str, Any] = json.loads(entry.line)
    event = decode(statement)
    assert event is not None
    history.append(event)
    return statement


def submitted(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
    """A plan was accepted."""
    version = state.lifecycle(lifecycle).next_version
    return statements.submitted(
        lifecycle_id=lifecycle,
        version=version,
        agent_id=f"{lifecycle}-{version}",
        profile="command",
        plan_digest=PLAN,
        datasets={"train": DATASET},
        code=[{"path": "train.sh", "sha256": CODE}],
        submitter=(),
    )


def _provenance(**run: Any) -> dict[str, Any]:
    making = Making(
        origin="demo/0",
        plan_digest=PLAN,
        profile="command",
        seed=7,
        dependencies=[],
        invocation="rain-1",
        environment=ENVIRONMENT,
        run={**FACTS, **run},
    )
    return statements.provenance(making)


def trained(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
    """The trainer is dead and its files are hashed."""
    return statements.trained(lifecycle, _version(history), MODEL, _provenance(files=3))


def training_failed(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
    """Nothing was made."""
    predicate = _provenance(cause="time_limit", message="was killed at its time limit", log=LOG)
    return statements.training_failed(lifecycle, _version(history), PLAN, predicate)


def evaluated(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
    """The model was measured."""
    return statements.evaluated(
        _trained(lifecycle, history),
        REPORT,
        profile="command",
        dataset=DATASET,
        predictions=PREDICTIONS,
        run=FACTS,
        setting=statements.Setting(look=state.lifecycle(lifecycle).looks + 1),
    )


def evaluation_failed(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
    """The model could not be measured."""
    facts = {"cause": "predictions", "message": "one row too few", "log": LOG}
    return statements.evaluation_failed(_trained(lifecycle, history), facts)


def decided(verdict: str, gate: str = "declared", rollout: str = "ready") -> Make:
    """Compose the decision on a verdict."""

    def compose(state: LedgerState, lifecycle: str, history: list[Recorded]) -> Draft:
        measured = next((event for event in history if event.name == "EvaluationLogged"), None)
        grounds = Grounds(
            origin="demo/0",
            when=TIME,
            profile="command",
            gate=gate,
            thresholds=THRESHOLDS,
            judged=judged_by(THRESHOLDS, "4" * 64),
            attestations=[],
            replaces=state.lifecycle(lifecycle).champion,
            solo_mode=True,
            stored=ArtifactRecord(manifest(), MANIFEST, b"signature", PREDICTIONS)
            if VERDICTS[verdict].promotes
            else None,
        )
        decision = decide(VERDICTS[verdict], gate=gate, rollout=rollout)
        return statements.decided(_trained(lifecycle, history), measured, decision, grounds)

    return compose


MAKES: dict[str, Make] = {
    "submitted": submitted,
    "trained": trained,
    "training_failed": training_failed,
    "evaluated": evaluated,
    "evaluation_failed": evaluation_failed,
    "promoted": decided("pass"),
    "rejected": decided("fail"),
    "inconclusive": decided("inconclusive"),
    "held": decided("pass", rollout="blocked"),
    "ready without a gate": decided("inconclusive", gate="none"),
    "held without a gate": decided("inconclusive", gate="absent"),
}
"""Everything that could be tried after a history."""


def _version(history: list[Recorded]) -> int:
    return history[0].version if history else 1


def _trained(lifecycle: str, history: list[Recorded]) -> Any:
    """The entry that named the bytes; when there is none, one that is invented, for the law to refuse."""
    found = next((event for event in history if event.name == "TrainingCompleted"), None)
    if found is not None:
        return found
    entry = {"type": "TrainingCompleted", "lifecycle_id": lifecycle, "version": _version(history), "seq": 0, "ts": TIME}
    return decode({"noa_entry": entry, "predicate": {}, "subject": [{"digest": {"sha256": MODEL}}]})
