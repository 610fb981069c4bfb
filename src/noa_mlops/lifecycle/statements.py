"""What each entry says: facts of a run in, the draft of a signed statement out.

The forms come from outside where they exist: SLSA Provenance v1 for training, SLSA Verification Summary v1
for the decision. Members that those forms do not have carry URI names (``noa:...``), as SLSA's rule for
extension fields asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from noa_mlops.ledger import Draft
from noa_mlops.records.documents import canonical, sha256
from noa_mlops.records.events import DECISION, RUN, EvaluationLogged, TrainingCompleted
from noa_mlops.records.layout import address
from noa_mlops.records.manifest import ArtifactRecord
from noa_mlops.records.verdict import Decision, EvaluationReport
from noa_mlops.version import VERSION

LIFECYCLE = "noa:lifecycle/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
TRAINING = "noa:training/v1"
"""The build type of our provenance: a plan, run by an agent of a profile."""

MAX_CLASSES = 100
"""A longer class list is left out of the line; the predict contract in the manifest has it whole."""


def model_subject(lifecycle_id: str, version: int, checksum: str) -> dict[str, Any]:
    """The first subject of every entry about a trained version: the model, by its checksum."""
    return {"name": address(lifecycle_id, version), "digest": {"sha256": checksum}}


def plan_reference(plan_digest: str) -> dict[str, Any]:
    """The plan as a SLSA resource descriptor: its normal form is the object of that digest."""
    return {"uri": f"objects/{plan_digest}", "digest": {"sha256": plan_digest}}


def submitted(
    *,
    lifecycle_id: str,
    version: int,
    agent_id: str,
    profile: str,
    plan_digest: str,
    datasets: Mapping[str, Mapping[str, Any]],
    code: Sequence[Mapping[str, Any]],
    submitter: Sequence[str],
) -> Draft:
    """A plan was accepted: what will be run, on which data, under which number, and the keys of who asked for it."""
    return Draft(
        type="Submitted",
        predicate_type=LIFECYCLE,
        predicate={
            "plan": plan_reference(plan_digest),
            "profile": profile,
            "agent_id": agent_id,
            "attempt": 1,
            "datasets": datasets,
            "code": list(code),
            "submitter": list(submitter),
        },
        subject=[{"name": "plan", "digest": {"sha256": plan_digest}}],
        lifecycle_id=lifecycle_id,
        version=version,
        status=None,
    )


@dataclass(frozen=True, slots=True)
class Making:
    """How a model was made; ``environment`` is the digest of the object that lists interpreter and packages."""

    origin: str
    plan_digest: str
    profile: str
    seed: int
    dependencies: Sequence[Mapping[str, Any]]
    invocation: str
    environment: str
    run: Mapping[str, Any]


def provenance(making: Making) -> dict[str, Any]:
    """A SLSA Provenance v1 predicate."""
    times = {"startedOn": making.run.get("started_at"), "finishedOn": making.run.get("finished_at")}
    return {
        "buildDefinition": {
            "buildType": TRAINING,
            "externalParameters": {"plan": plan_reference(making.plan_digest)},
            "internalParameters": {
                "profile": making.profile,
                "seed": making.seed,
                "environment": {"digest": {"sha256": making.environment}},
            },
            "resolvedDependencies": list(making.dependencies),
        },
        "runDetails": {
            "builder": {"id": f"noa:{making.origin}/runtime", "version": {"noa-mlops": VERSION}},
            "metadata": {
                "invocationId": making.invocation,
                **{name: value for name, value in times.items() if value is not None},
            },
        },
        RUN: making.run,
    }


def trained(lifecycle_id: str, version: int, checksum: str, predicate: Mapping[str, Any]) -> Draft:
    """The trainer is dead and its files are hashed."""
    return Draft(
        type="TrainingCompleted",
        predicate_type=PROVENANCE,
        predicate=dict(predicate),
        subject=[model_subject(lifecycle_id, version, checksum)],
        lifecycle_id=lifecycle_id,
        version=version,
        status=None,
    )


def training_failed(lifecycle_id: str, version: int, plan_digest: str, predicate: Mapping[str, Any]) -> Draft:
    """Nothing was made, and why; the subject is the plan, as there is no model."""
    return Draft(
        type="TrainingFailed",
        predicate_type=PROVENANCE,
        predicate=dict(predicate),
        subject=[{"name": "plan", "digest": {"sha256": plan_digest}}],
        lifecycle_id=lifecycle_id,
        version=version,
        status="failed",
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """What a measurement stands beside.

    ``look`` is the number of this evaluation since the champion was promoted, ``champion`` the comparison with it, ``overlap``
    how many of the rows training has seen, ``slices`` the metrics by columns, ``group_by`` what makes rows dependent,
    ``evaluator`` the plan's own, when it has one, ``forecast`` what scales the errors of a series.
    """

    look: int
    champion: Mapping[str, Any] | None = None
    overlap: Mapping[str, Any] | None = None
    slices: Mapping[str, Any] = field(default_factory=dict)
    group_by: Mapping[str, Any] | None = None
    evaluator: Mapping[str, Any] | None = None
    forecast: Mapping[str, Any] | None = None


def evaluated(
    trained_entry: TrainingCompleted,
    report: EvaluationReport,
    *,
    profile: str,
    dataset: Mapping[str, Any],
    predictions: str,
    run: Mapping[str, Any],
    setting: Setting,
) -> Draft:
    """What the verifier measured, on which rows, with which predictions, and in which setting.

    From the spreads of the metrics and of the improvements every bound follows, so the verdict can be computed again
    from this entry, the plan and the look alone.
    """
    measured = {name: estimate.value for name, estimate in report.metrics.items()}
    absent = {name: estimate.reason for name, estimate in report.metrics.items() if estimate.value is None}
    spreads = {name: one.spread.to_document() for name, one in report.metrics.items() if one.spread is not None}
    short = report.classes is not None and len(report.classes) <= MAX_CLASSES
    return Draft(
        type="EvaluationLogged",
        predicate_type=LIFECYCLE,
        predicate={
            "profile": profile,
            "task": report.task,
            "metrics": measured,
            "not_computed": absent,
            "spreads": spreads,
            "look": setting.look,
            "champion": setting.champion,
            "overlap": setting.overlap,
            "slices": setting.slices,
            "group_by": setting.group_by,
            "rows": report.rows,
            "missing_predictions": report.missing_predictions,
            "missing_labels": report.missing_labels,
            "unseen_labels": report.unseen_labels,
            "classes": list(report.classes) if report.classes is not None and short else None,
            "positive": report.positive,
            "decision_threshold": report.decision_threshold,
            "dataset": dataset,
            "predictions": predictions,
            "verifier": {"noa-mlops": VERSION},
            RUN: run,
            **({} if setting.evaluator is None else {"evaluator": setting.evaluator}),
            **({} if setting.forecast is None else {"forecast": setting.forecast}),
        },
        subject=[
            model_subject(trained_entry.lifecycle_id, trained_entry.version, trained_entry.checksum),
            {"name": "predictions.parquet", "digest": {"sha256": predictions}},
        ],
        lifecycle_id=trained_entry.lifecycle_id,
        version=trained_entry.version,
        status=None,
    )


def evaluated_again(
    measured: Draft, plan_digest: str, verdict: Mapping[str, Any], stored: ArtifactRecord | None
) -> Draft:
    """The measurement ``measured`` of a version that was decided on before, with the verdict of its plan.

    ``stored`` is the version as it lies in the store, where no entry has said so before; its files are subjects then.
    What was predicted now is an object.
    """
    return replace(
        measured,
        predicate={
            **measured.predicate,
            "verdict": {"plan": plan_digest, **verdict},
            "artifact": None if stored is None else stored.manifest.artifact,
        },
        subject=[*measured.subject[:1], *_documents(stored, None if stored is None else stored.predictions_sha256)],
    )


def evaluation_failed(trained_entry: TrainingCompleted, predicate: Mapping[str, Any]) -> Draft:
    """The model could not be measured, and why."""
    return Draft(
        type="EvaluationFailed",
        predicate_type=LIFECYCLE,
        predicate=dict(predicate),
        subject=[model_subject(trained_entry.lifecycle_id, trained_entry.version, trained_entry.checksum)],
        lifecycle_id=trained_entry.lifecycle_id,
        version=trained_entry.version,
        status="failed",
    )


def judged_by(thresholds: Mapping[str, Any], policy_digest: str) -> bytes:
    """The object that a decision names as its policy: thresholds, floors (the policy in force), version of the code."""
    return canonical({"thresholds": thresholds, "policy": policy_digest, "noa-mlops": VERSION})


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a decision rests on and refers to.

    ``judged`` is the object of `judged_by`; ``replaces`` the champion it was taken against; ``stored`` the version as it
    lies in the store, None for one that does not; ``proven`` are the gains that hold once the version is the champion.
    """

    origin: str
    when: str
    profile: str
    gate: str
    thresholds: Mapping[str, Any]
    judged: bytes
    attestations: Sequence[Mapping[str, Any]]
    replaces: int | None
    solo_mode: bool
    stored: ArtifactRecord | None
    proven: Mapping[str, Any] = field(default_factory=dict)


def decided(entry: TrainingCompleted, measured: EvaluationLogged | None, decision: Decision, grounds: Grounds) -> Draft:
    """The decision as a SLSA Verification Summary: PASSED only when a declared gate was passed and it promotes."""
    name, policy = address(entry.lifecycle_id, entry.version), sha256(grounds.judged)
    passed = decision.promotes and decision.verdict.promotes
    return Draft(
        type="PromotionReady",
        predicate_type=VERIFICATION_SUMMARY,
        predicate={
            "verifier": {"id": f"noa:{grounds.origin}/verifier", "version": {"noa-mlops": VERSION}},
            "timeVerified": grounds.when,
            "resourceUri": f"noa:{grounds.origin}/{name}",
            "policy": {"uri": f"noa:{grounds.origin}/objects/{policy}", "digest": {"sha256": policy}},
            "inputAttestations": list(grounds.attestations),
            "verificationResult": "PASSED" if passed else "FAILED",
            "verifiedLevels": ["NOA_GATE" if passed else "FAILED"],
            "slsaVersion": "1.1",
            DECISION: {
                **decision.to_document(),
                "gate": grounds.gate,
                "profile": grounds.profile,
                "metrics": dict(measured.metrics) if measured is not None else {},
                "thresholds": dict(grounds.thresholds),
                "replaces": grounds.replaces,
                "proven": grounds.proven,
                "solo_mode": grounds.solo_mode,
                "artifact": grounds.stored.manifest.artifact if grounds.stored is not None else None,
            },
        },
        subject=[
            model_subject(entry.lifecycle_id, entry.version, entry.checksum),
            *_documents(grounds.stored, None if measured is None else measured.predictions),
        ],
        lifecycle_id=entry.lifecycle_id,
        version=entry.version,
        status=decision.status,
    )


def _documents(stored: ArtifactRecord | None, predictions: str | None) -> list[dict[str, Any]]:
    """The files beside a model, those of its folder in the store and the predictions, as subjects."""
    named = {
        "manifest.json": stored.manifest_sha256 if stored is not None else None,
        "model.sig": stored.signature_sha256 if stored is not None else None,
        "summary.json": stored.summary_sha256 if stored is not None else None,
        "predictions.parquet": predictions,
    }
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named.items() if digest is not None]
