"""From the facts of a step to the draft of its entry; what is too large for a line becomes an object."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from noa_mlops.errors import EvaluationFailed, LedgerConflict, TrainingFailed
from noa_mlops.gate import (
    again_judged,
    declared_gate,
    must_compare_again,
    proven_recorded,
    threshold_document,
    thresholds,
)
from noa_mlops.ledger import Draft, Ledger, LedgerState
from noa_mlops.ledger.incident_law import ENABLE
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle import statements
from noa_mlops.lifecycle.intake import Submission, reference
from noa_mlops.lifecycle.policy_change import founders
from noa_mlops.lifecycle.runs import Measured, Run, Trained
from noa_mlops.lifecycle.steps import Decide
from noa_mlops.records.documents import canonical
from noa_mlops.records.events import RUN, EvaluationLogged, TrainingCompleted, decode
from noa_mlops.records.layout import agent_id
from noa_mlops.records.manifest import ArtifactRecord, checksum, file_list
from noa_mlops.records.proven import proven_document
from noa_mlops.records.verdict import Decision


def submission(ledger: Ledger, given: Submission) -> Mapping[str, Any]:
    """Make what a Submitted entry names durable: plan, identities of the data, code. Its constant members."""
    plan = given.plan
    ledger.put_object(given.plan_bytes)
    for dataset in filter(None, (given.train, given.evaluation)):
        ledger.put_object(canonical(dataset.identity.to_document()))
    for file in given.code:
        ledger.put_object(file.data)
    if given.foreign is not None:
        ledger.put_object(file_list(given.foreign.files))
    return {
        "lifecycle_id": plan.lifecycle_id,
        "profile": given.profile.name,
        "plan_digest": given.plan_digest,
        "datasets": given.datasets,
        "code": given.code_digests,
        "submitter": operators_here(ledger),
    }


def operators_here(ledger: Ledger) -> list[str]:
    """The keys on this machine that may enable a version, in order: whoever submits holds them."""
    policy = ledger.keys.policy
    return sorted(key.keyid for key in policy.keys_for(ENABLE) if ledger.keys.holds(key, founders(ledger.state)))


def submitted(members: Mapping[str, Any], state: LedgerState) -> tuple[int, Draft]:
    """The next number of the lifecycle in ``state``, and the Submitted entry that takes it."""
    version = state.lifecycle(members["lifecycle_id"]).next_version
    agent = agent_id(members["lifecycle_id"], version)
    return version, statements.submitted(version=version, agent_id=agent, **members)


def trained(ledger: Ledger, run: Run, result: Trained) -> Draft:
    """The entry of a finished training."""
    ledger.put_object(file_list(result.files))
    more: dict[str, Any] = {"files": len(result.files)}
    if (found := result.found) is not None:
        more["search"] = {**found.to_document(), "table": ledger.put_object(found.table)}
    predicate = _provenance(ledger, run, result.facts, more)
    return statements.trained(run.lifecycle_id, run.version, checksum(result.files), predicate)


def training_failed(ledger: Ledger, run: Run, error: TrainingFailed) -> Draft:
    """The entry of a training that made nothing."""
    predicate = _provenance(ledger, run, error.facts, _failure(ledger, error))
    return statements.training_failed(run.lifecycle_id, run.version, run.submission.plan_digest, predicate)


def evaluated(given: Submission, entry: TrainingCompleted, result: Measured, state: LedgerState) -> Draft:
    """The entry of a measurement, the next look of its lifecycle in ``state``."""
    if given.evaluation is None:
        raise ValueError("a plan without evaluation data cannot be measured")
    return statements.evaluated(
        entry,
        result.report,
        profile=given.profile.name,
        dataset=reference(given.evaluation),
        predictions=result.predictions_sha256,
        run=result.facts,
        setting=statements.Setting(
            look=state.lifecycle(entry.lifecycle_id).looks + 1,
            champion=result.champion,
            overlap=result.overlap.to_document(),
            slices={column: sliced.to_document() for column, sliced in result.slices.items()},
            group_by=None if given.grouping is None else given.grouping.to_document(),
            evaluator=result.evaluator,
            forecast=None if given.forecast is None else given.forecast.to_document(),
        ),
    )


def evaluated_again(
    run: Run, entry: TrainingCompleted, result: Measured, stored: ArtifactRecord | None, state: LedgerState
) -> Draft:
    """The entry of a version that was decided on and is measured again, with the verdict of its plan over that.

    ``stored`` is as `statements.evaluated_again` takes it. Raises `LedgerConflict` when another version than the one it was
    measured beside is the champion by now.
    """
    given = run.submission
    draft = evaluated(given, entry, result, state)
    header = {"type": draft.type, "seq": 0, "ts": "", "lifecycle_id": run.lifecycle_id, "version": run.version}
    measured = decode({"noa_entry": header, "predicate": draft.predicate, "subject": draft.subject})
    lifecycle, declared = state.lifecycle(run.lifecycle_id), thresholds(given.plan)
    champion = lifecycle.champion
    if not isinstance(measured, EvaluationLogged) or must_compare_again(
        declared, measured, None if champion == run.version else champion
    ):
        raise LedgerConflict(
            f"the champion changed while {run.address} was measured", hint="Run the same command again."
        )
    verdict = again_judged(declared, measured, champion, lifecycle.proven)
    return statements.evaluated_again(draft, given.plan_digest, verdict.to_document(), stored)


def evaluation_failed(ledger: Ledger, entry: TrainingCompleted, error: EvaluationFailed) -> Draft:
    """The entry of a model that could not be measured."""
    return statements.evaluation_failed(entry, {**_failure(ledger, error), RUN: error.facts})


def decided(
    ledger: Ledger, run: Run, step: Decide, decision: Decision, state: LedgerState, stored: ArtifactRecord | None
) -> Draft:
    """The entry of a decision; ``stored`` is the version as it lies in the store, None when it does not."""
    plan, entry = run.submission.plan, step.trained
    lifecycle = state.lifecycle(entry.lifecycle_id)
    judged = statements.judged_by(threshold_document(plan), state.policy_digest or "")
    ledger.put_object(judged)
    grounds = statements.Grounds(
        origin=ledger.origin,
        when=now(),
        profile=run.submission.profile.name,
        gate=declared_gate(plan),
        thresholds=threshold_document(plan),
        judged=judged,
        attestations=_attestations(ledger, run),
        replaces=lifecycle.champion,
        solo_mode=state.policy is not None and state.policy.solo_mode,
        stored=stored,
        proven=proven_document(
            proven_recorded(thresholds(plan), step.measured, lifecycle.proven, anew=lifecycle.begins_anew)
        ),
    )
    return statements.decided(entry, step.measured, decision, grounds)


def _provenance(ledger: Ledger, run: Run, facts: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    given, plan = run.submission, run.submission.plan
    described = canonical(given.environment.describe())
    making = statements.Making(
        origin=ledger.origin,
        plan_digest=given.plan_digest,
        profile=given.profile.name,
        seed=plan.seed,
        dependencies=_dependencies(given),
        invocation=agent_id(run.lifecycle_id, run.version),
        environment=ledger.put_object(described),
        run={**facts, **more},
    )
    return statements.provenance(making)


def _dependencies(given: Submission) -> list[Mapping[str, Any]]:
    """Training data and code, as SLSA resource descriptors; the evaluation data is none: nobody trained on it."""
    train = reference(given.train)
    data = {
        "name": "dataset",
        "uri": train["path"],
        "digest": {"sha256": train["identity"]},
        "annotations": {"fingerprint": train["fingerprint"], "rows": train["rows"]},
    }
    code = [{"name": "code", "uri": file.path, "digest": {"sha256": file.sha256}} for file in given.code]
    return [data, *code]


def _failure(ledger: Ledger, error: TrainingFailed | EvaluationFailed) -> dict[str, Any]:
    """Cause and our sentence in the line; what the agent printed is free text, so it is a salted object."""
    failure: dict[str, Any] = {"cause": error.cause, "message": str(error)}
    if error.log:
        failure["log"] = ledger.put_object(canonical({"salt": secrets.token_hex(16), "text": error.log}))
    return failure


def _attestations(ledger: Ledger, run: Run) -> list[Mapping[str, Any]]:
    """The entries of this version that the decision rests on, each by the digest of its line."""
    return [
        {"uri": f"noa:{ledger.origin}/entries/{seq}", "digest": {"sha256": digest}}
        for seq, digest in ledger.digests(run.lifecycle_id, run.version).items()
    ]
