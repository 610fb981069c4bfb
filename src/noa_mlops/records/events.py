"""What happens in a lifecycle, as typed values.

An event is a decoded ledger entry and is sent only after its entry is durable. `AgentProvisioned` and
`TrainingProgress` are the two that are shown but not recorded; their ``seq`` is None.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from noa_mlops.records.documents import parse_object

DECISION = "noa:decision"
"""The member of a verification summary that holds verdict, decision and what they rest on."""

RUN = "noa:run"
"""The member of a provenance that holds what the runtime saw of the training process."""


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """An admitted line, and the rollout of its lifecycle as it stands after it: what projections are made of.

    ``until`` is when a rollout is blocked that is ready by an override, None when no override holds.
    """

    seq: int
    type: str
    line: bytes
    champion: int | None
    status: str
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleEvent:
    """Something that happened to ``lifecycle_id@version``; ``seq`` is its ledger index, None if not recorded."""

    lifecycle_id: str
    version: int
    seq: int | None
    timestamp: str

    @property
    def name(self) -> str:
        """The event's type, as in the ledger."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(LifecycleEvent):
    """A plan was accepted and given its version number; ``submitter`` are the operators' keys of who submitted it."""

    agent_id: str
    profile: str
    plan_digest: str
    plan_uri: str | None
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    code: Sequence[Mapping[str, Any]] = ()
    submitter: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProvisioned(LifecycleEvent):
    """An agent has its workspace and is about to run. Not recorded."""

    agent_id: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress(LifecycleEvent):
    """What the trainer says of itself; shown, never trusted, not recorded."""

    agent_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCompleted(LifecycleEvent):
    """The trainer is dead and its files are hashed; ``checksum`` names them from here on."""

    checksum: str
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def found(self) -> Mapping[str, Any] | None:
        """What the search before it found: ``hyperparameters``, and ``table``, the digest of all trials; None without one."""
        found: Mapping[str, Any] | None = self.run.get("search")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFailed(LifecycleEvent):
    """The trainer made no usable model; ``cause`` is a fixed word, ``message`` a sentence of ours."""

    cause: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationLogged(LifecycleEvent):
    """The verifier measured the model; a metric is None when it could not be computed, ``not_computed`` says why.

    ``spreads`` say how sure each metric is, ``look`` is the number of this evaluation since the champion was promoted, and
    ``champion`` is the comparison with it on the same rows, None when there was none. ``overlap`` says how many of the
    rows training has seen. ``slices`` are metrics by the values of columns, None in entries of older versions; ``group_by``
    names the column whose values make rows dependent, and counts them, None when rows are independent. ``verdict`` is that
    of the version's plan, where it is measured after its decision; ``artifact`` where it lies since then, None when it was
    in the store before.
    """

    checksum: str
    metrics: Mapping[str, float | None]
    not_computed: Mapping[str, str]
    rows: int
    dataset: Mapping[str, Any]
    predictions: str | None
    run: Mapping[str, Any] = field(default_factory=dict)
    spreads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    look: int = 1
    champion: Mapping[str, Any] | None = None
    overlap: Mapping[str, Any] | None = None
    verdict: Mapping[str, Any] | None = None
    artifact: str | None = None
    slices: Mapping[str, Mapping[str, Any]] | None = None
    group_by: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationFailed(LifecycleEvent):
    """The model could not be measured; nothing is promoted."""

    cause: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionReady(LifecycleEvent):
    """The decision: with ``status`` ready the version is the champion, with blocked it is not.

    ``notes`` say what the verdict could not know, whether that blocks or not; ``approvals`` what people must do before a held
    version is the champion.
    """

    status: str
    verdict: str
    reasons: Sequence[str]
    metrics: Mapping[str, float | None]
    thresholds: Mapping[str, Any]
    violations: Sequence[Mapping[str, Any]]
    checksum: str
    artifact: str | None
    replaces: int | None
    notes: Sequence[str] = ()
    approvals: Mapping[str, Any] | None = None

    @property
    def promotes(self) -> bool:
        """Whether this event makes its version the champion."""
        return self.status == "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftScanned(LifecycleEvent):
    """The champion's data were scanned and the rollout goes on; ``suspect`` when a second window like it would block.

    A scan that blocks is told as `PromotionReady` with status blocked.
    """

    verdict: str
    suspect: bool
    dataset: Mapping[str, Any]
    report: str
    signs: Sequence[Sequence[str]]


Recorded: TypeAlias = (
    Submitted | TrainingCompleted | TrainingFailed | EvaluationLogged | EvaluationFailed | PromotionReady
)
"""Every event that is an entry of a version's own history, in the order a version may meet them."""


def decode(statement: Mapping[str, Any]) -> Recorded | DriftScanned | None:
    """The event of a ledger line already admitted; None for entries that concern no version, and for acts."""
    header = statement["noa_entry"]
    if header.get("version") is None:
        return None
    common = {
        "lifecycle_id": header["lifecycle_id"],
        "version": header["version"],
        "seq": header["seq"],
        "timestamp": header["ts"],
    }
    predicate = statement["predicate"]
    match header["type"]:
        case "Submitted":
            return Submitted(
                **common,
                agent_id=predicate["agent_id"],
                profile=predicate["profile"],
                plan_digest=predicate["plan"]["digest"]["sha256"],
                plan_uri=predicate["plan"].get("uri"),
                datasets=predicate["datasets"],
                code=tuple(predicate.get("code", ())),
                submitter=tuple(predicate.get("submitter", ())),
            )
        case "TrainingCompleted":
            return TrainingCompleted(**common, checksum=_checksum(statement), run=predicate.get(RUN, {}))
        case "TrainingFailed":
            run = predicate[RUN]
            return TrainingFailed(**common, cause=run["cause"], message=run["message"])
        case "EvaluationLogged":
            return EvaluationLogged(
                **common,
                checksum=_checksum(statement),
                metrics=predicate["metrics"],
                not_computed=predicate["not_computed"],
                rows=predicate["rows"],
                dataset=predicate["dataset"],
                predictions=predicate.get("predictions"),
                run=predicate.get(RUN, {}),
                spreads=predicate.get("spreads", {}),
                look=predicate.get("look", 1),
                champion=predicate.get("champion"),
                overlap=predicate.get("overlap"),
                verdict=predicate.get("verdict"),
                artifact=predicate.get("artifact"),
                slices=predicate.get("slices"),
                group_by=predicate.get("group_by"),
            )
        case "EvaluationFailed":
            return EvaluationFailed(**common, cause=predicate["cause"], message=predicate["message"])
        case "PromotionReady":
            return _promotion(common, header, statement)
        case "DriftScanned" if header.get("status") == "blocked":
            return _promotion(common, header, statement)
        case "DriftScanned":
            return DriftScanned(
                **common,
                verdict=predicate["verdict"],
                suspect=predicate["verdict"] == "fail",
                dataset=predicate["dataset"],
                report=predicate["report"],
                signs=predicate["signs"],
            )
        case _:
            return None


def named_objects(statement: Mapping[str, Any]) -> Iterator[str]:
    """The objects that a ledger line names by digest and that must therefore exist."""
    predicate, kind = statement["predicate"], statement["noa_entry"]["type"]
    match kind:
        case "Submitted":
            yield predicate["plan"]["digest"]["sha256"]
            yield from (dataset["identity"] for dataset in predicate["datasets"].values())
            yield from (file["sha256"] for file in predicate.get("code", ()))
        case "TrainingCompleted" | "TrainingFailed":
            yield predicate["buildDefinition"]["internalParameters"]["environment"]["digest"]["sha256"]
            if kind == "TrainingCompleted":
                yield _checksum(statement)
                yield from _searched(predicate[RUN])
            yield from _log(predicate[RUN])
        case "EvaluationLogged":
            yield from _predicted(predicate)
        case "EvaluationFailed":
            yield from _log(predicate)
        case "PromotionReady":
            yield predicate["policy"]["digest"]["sha256"]
        case "DriftScanned":
            yield predicate["report"]
        case "Redacted" | "RolledBack" | "Investigated" | "RolloutEnabled" | "Overridden" | "Deployed":
            payload = binascii.a2b_base64(predicate["act"]["payload"])
            reason = parse_object(payload, limit=len(payload))["reason"]
            yield from () if reason is None else (reason,)
        case _:
            return


def _predicted(measured: Mapping[str, Any]) -> Iterator[str]:
    """Predictions that a measurement keeps as objects: the champion's when they were new, its own when it was decided on."""
    champion = measured.get("champion")
    if champion is not None and champion["predictions"]["in"] == "objects":
        yield champion["predictions"]["sha256"]
    if "verdict" in measured:
        yield measured["predictions"]


def _searched(facts: Mapping[str, Any]) -> Iterator[str]:
    if "search" in facts:
        yield facts["search"]["table"]


def _log(facts: Mapping[str, Any]) -> Iterator[str]:
    if "log" in facts:
        yield facts["log"]


def _checksum(statement: Mapping[str, Any]) -> str:
    digest: str = statement["subject"][0]["digest"]["sha256"]
    return digest


def _promotion(common: Mapping[str, Any], header: Mapping[str, Any], statement: Mapping[str, Any]) -> PromotionReady:
    decision = statement["predicate"][DECISION]
    return PromotionReady(
        **common,
        status=header["status"],
        verdict=decision["verdict"],
        reasons=tuple(decision["reasons"]),
        metrics=decision["metrics"],
        thresholds=decision["thresholds"],
        violations=tuple(decision["violations"]),
        checksum=_checksum(statement),
        artifact=decision.get("artifact"),
        replaces=decision.get("replaces"),
        notes=tuple(decision.get("notes", ())),
        approvals=decision.get("approvals"),
    )
